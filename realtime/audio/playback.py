"""Sound out: where an insert's sound goes, and a sound that begins at a given instant.

A device is fed from C out of a ring, as it is recorded from (``rtmixer``); no Python runs in its callback.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import soundfile

from realtime.audio.portaudio import muted, started, stream_closed, stream_opened
from realtime.audio.resample import StreamResampler
from realtime.audio.tape import Tape
from realtime.errors import UserError

F32 = npt.NDArray[np.float32]

CUSHION = 0.02
"""Seconds of sound that lie ready for the device, beyond one hop: what the fast lane's blocks may be apart."""

_ROOM = 0.5
_LONGEST = 120.0
"""Seconds of sound that `play` takes at once; longer sounds are files for another program."""


class Sink(Protocol):
    """Where frames go. ``write`` and ``gap`` belong to the fast lane and do not wait."""

    def write(self, samples: F32) -> None:
        """Take frames, shape (n, channels)."""

    def gap(self, frames: int) -> None:
        """Frames of the input are missing."""

    def stop(self) -> None:
        """Finish and let go."""

    def status(self) -> dict[str, Any]:
        """State, as plain data."""
        ...


def open_sink(
    to: str, rate: int, channels: int, hop: int, offline: bool, say: Callable[[str], None] | None
) -> Sink | None:
    """A device by name (``default`` = the system's) or a file ``NAME.flac``, open.

    Parameters
    ----------
    hop : int
        Frames that come at a time.
    offline : bool
        The sound comes as fast as it is read: files wait for the disk, devices are left alone (None).
    say : callable or None
        Told in one line what the user should know.

    Raises
    ------
    UserError
        It cannot be opened.
    """
    if to.lower().endswith(".flac"):
        return FileSink(Path(to), rate, channels) if offline else Tape(Path(to), rate, channels, say=say)
    return None if offline else DeviceSink(to, rate, channels, hop)


class FileSink:
    """A FLAC file that is waited for."""

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self._path, self._frames, self._rate = path, 0, rate
        try:
            self._file = soundfile.SoundFile(path, "w", rate, channels, format="FLAC", subtype="PCM_24")
        except (soundfile.LibsndfileError, RuntimeError) as e:
            raise UserError(f"{path}: cannot be written ({e})") from e

    def write(self, samples: F32) -> None:
        """Append frames."""
        self._file.write(samples)
        self._frames += len(samples)

    def gap(self, frames: int) -> None:
        """Silence stands for them."""
        self.write(np.zeros((frames, self._file.channels), np.float32))

    def stop(self) -> None:
        """Finish the file."""
        self._file.close()

    def status(self) -> dict[str, Any]:
        """State, as plain data."""
        return {"path": str(self._path), "seconds": self._frames / self._rate}


class DeviceSink:
    """A device, fed with a cushion of sound that absorbs how unevenly blocks come.

    When the device runs dry, silence fills the cushion anew (counted as ``underruns``); when its clock is slower
    than that of the input, a hop is left out now and then (``dropped``).

    Attributes
    ----------
    latency : float
        Seconds from `write` to the air: cushion, hop, and what PortAudio states of the device.
    """

    def __init__(self, to: str, rate: int, channels: int, hop: int) -> None:
        import rtmixer

        self.underruns = self.dropped = 0
        self._target = hop + round(CUSHION * rate)
        self._most = 2 * self._target + hop
        self._mixer, self._name = _open(rtmixer.Mixer, to, rate, channels)
        self._ring = rtmixer.RingBuffer(4 * channels, 1 << round(_ROOM * rate).bit_length())
        self._silence = np.zeros((self._target, channels), np.float32)
        self._action: Any = None
        self.latency = self._target / rate + float(self._mixer.latency)
        self._closed = False

    def write(self, samples: F32) -> None:
        """Hand frames to the device."""
        if self._action is not None and self._action not in self._mixer.actions:
            self._action = None  # it has run dry
            self.underruns += 1
        if self._action is None:
            self._ring.write(self._silence)
            self._ring.write(samples)
            self._action = self._mixer.play_ringbuffer(self._ring)
        elif self._ring.read_available > self._most:
            self.dropped += len(samples)
        else:
            self._ring.write(samples)

    def gap(self, frames: int) -> None:
        """The device runs dry, and begins anew."""

    def stop(self) -> None:
        """Let go of the device."""
        if not self._closed:
            self._closed = True
            _close(self._mixer)

    def status(self) -> dict[str, Any]:
        """State, as plain data."""
        return {
            "device": self._name,
            "latency_ms": 1000 * self.latency,
            "underruns": self.underruns,
            "dropped": self.dropped,
        }


class Player:
    """Plays whole sounds on one device, each from a given instant on. Used by one thread.

    Parameters
    ----------
    to : str
        As of :func:`open_sink`.
    """

    def __init__(self, to: str) -> None:
        import rtmixer

        self._mixer, self.name = _open(rtmixer.Mixer, to, 0, 2)
        self._rate = round(self._mixer.samplerate)

    def play(self, path: Path, at: float) -> float:
        """Play a file from `at` (``time.monotonic()``) on; returns the instant, which is later if it is too late.

        Raises
        ------
        UserError
            It cannot be read, or is too long.
        """
        try:
            if soundfile.info(path).duration > _LONGEST:
                raise UserError(f"{path} is longer than {_LONGEST:g} s; it is kept as a file, not played")
            sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as e:
            raise UserError(f"{path}: cannot be read ({e})") from e
        stereo = sound[:, :2] if sound.shape[1] >= 2 else np.repeat(sound, 2, axis=1)
        if rate != self._rate:
            stereo = StreamResampler(rate, self._rate, 2).process(stereo)
        ahead = self._mixer.time - time.monotonic()
        at = max(at, time.monotonic() + 2 * float(self._mixer.latency) + 0.01)
        self._mixer.play_buffer(np.ascontiguousarray(stereo, np.float32), 2, start=at + ahead)
        return at

    def stop(self) -> None:
        """Let go of the device; what plays ends."""
        _close(self._mixer)


def _open(mixer: Any, to: str, rate: int, channels: int) -> tuple[Any, str]:
    """A started output stream and the device's name; `rate` 0 = the device's own."""
    with started() as sounddevice:
        index, name, own = find_output(sounddevice, to)
        try:
            with muted():
                stream = mixer(device=index, channels=channels, samplerate=rate or own, blocksize=0, latency="low")
                stream.start()
        except (sounddevice.PortAudioError, ValueError) as e:
            raise UserError(f"output '{name}' at {rate or own:g} Hz, {channels} channels: {e}") from e
        stream_opened()
        return stream, name


def _close(mixer: Any) -> None:
    try:
        with contextlib.suppress(Exception):
            mixer.abort()
        mixer.close()
    finally:
        stream_closed()


def find_output(sounddevice: ModuleType, to: str) -> tuple[int, str, float]:
    """Index, name and sample rate of the output that a name (or a part of it) means; raises ``UserError``."""
    known = [(i, d) for i, d in enumerate(sounddevice.query_devices()) if d["max_output_channels"] > 0]
    if not known:
        raise UserError(f"no sound output here (wanted: '{to}'); NAME.flac writes a file instead")
    if to in ("", "default"):
        default = sounddevice.default.device[1]
        found = [(i, d) for i, d in known if i == default] or known[:1]
    else:
        wanted = to.casefold().split(": ", 1)[-1]
        exact = [(i, d) for i, d in known if d["name"].casefold() == wanted]
        found = exact or [(i, d) for i, d in known if wanted in d["name"].casefold()]
    if len(found) != 1:
        names = ", ".join(f"'{d['name']}'" for _, d in (found or known)[:6])
        raise UserError(f"output '{to}' is {'not unique' if found else 'unknown'}; there are {names}")
    index, info = found[0]
    return index, str(info["name"]), float(info["default_samplerate"])
