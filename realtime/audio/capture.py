"""A device being recorded: by PortAudio's C callback where that works, else by one in Python."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import numpy.typing as npt

from realtime.audio.portaudio import muted, stream_closed, stream_opened
from realtime.errors import UserError

Array = npt.NDArray[np.float32]


class Capture(ABC):
    """One open input stream, drained by one thread.

    Attributes
    ----------
    kind : str
        ``"C callback"`` or ``"Python callback"``.
    latency : float
        Seconds of input latency that PortAudio states; a hint.
    """

    kind: str = ""
    latency: float = 0.0

    def __init__(self) -> None:
        self._closed = False

    @property
    @abstractmethod
    def available(self) -> int:
        """Frames that wait to be taken."""

    @property
    @abstractmethod
    def active(self) -> bool:
        """Whether PortAudio believes that the stream runs."""

    @property
    @abstractmethod
    def overflows(self) -> int:
        """Callbacks at which the device reported that it had lost sound."""

    @abstractmethod
    def take(self, most: int) -> tuple[Array, int, int]:
        """The next frames, shape (n, channels), valid until the next call.

        Returns
        -------
        (samples, lost, left)
            Lost before them are those for which there was no room, because nobody took any for too long;
            left are those that were there beyond `most`.
        """

    def close(self) -> None:
        """Stop and release the device; may be called twice."""
        if not self._closed:
            self._closed = True
            try:
                self._close()
            finally:
                stream_closed()

    @abstractmethod
    def _close(self) -> None: ...


def open_capture(
    sounddevice: ModuleType,
    index: int,
    channels: int,
    sample_rate: int,
    block: int,
    pulse_source: str = "",
    python_callback: bool = False,
) -> Capture:
    """Open and start a stream; to be called within :func:`realtime.audio.portaudio.started`.

    Parameters
    ----------
    index : int
        PortAudio's index of the device.
    pulse_source : str
        PulseAudio source that the ``pulse`` device shall listen to.
    python_callback : bool
        Do without the C callback even if it is there.

    Raises
    ------
    UserError
        PortAudio refuses; says what it says.
    """
    kinds: list[type[Capture]] = []
    if not python_callback:
        with contextlib.suppress(ImportError, OSError):
            from realtime.audio.capture_c import CCapture

            kinds.append(CCapture)
    from realtime.audio.capture_python import PythonCapture

    kinds.append(PythonCapture)
    with _pulse_source(pulse_source), muted():
        try:
            capture = kinds[0](index, channels, sample_rate, block)  # type: ignore[call-arg]
        except sounddevice.PortAudioError as e:
            raise UserError(_explain(str(e), sample_rate, channels)) from e
    stream_opened()
    return capture


@contextlib.contextmanager
def _pulse_source(name: str) -> Iterator[None]:
    """ALSA's ``pulse`` device listens to the source named in the environment when it is opened."""
    if not name:
        yield
        return
    before = os.environ.get("PULSE_SOURCE")
    os.environ["PULSE_SOURCE"] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ["PULSE_SOURCE"]
        else:
            os.environ["PULSE_SOURCE"] = before


def _explain(text: str, sample_rate: int, channels: int) -> str:
    reason = text.splitlines()[0].removeprefix("Error opening ").strip()
    if "sample rate" in text.lower():
        return f"it does not run at {sample_rate} Hz; leave [input] sample_rate at 0 for its own rate"
    if "number of channels" in text.lower():
        return f"it does not have {channels} channels; see 'sidechain devices'"
    if "unavailable" in text.lower():
        return f"it is used by another program or has gone ({reason}); close that program, or choose another input"
    return reason
