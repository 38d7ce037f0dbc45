"""Recording by a callback in Python: the fallback where rtmixer cannot be used.

Another thread that holds the interpreter makes it lose sound (``sidechain bench capture`` shows how much).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import sounddevice

from realtime.audio.capture import Capture
from realtime.audio.ring import AudioRing

Array = npt.NDArray[np.float32]

_SECONDS = 2.0


class PythonCapture(Capture):
    """Records into an :class:`AudioRing` from PortAudio's thread."""

    kind = "Python callback"

    def __init__(self, index: int, channels: int, sample_rate: int, block: int) -> None:
        super().__init__()
        self._ring = AudioRing(int(_SECONDS * sample_rate), channels)
        self._reader = self._ring.reader()
        self._overflows = 0
        self._stream = sounddevice.InputStream(
            device=index,
            channels=channels,
            samplerate=sample_rate,
            blocksize=block,
            latency="low",
            dtype="float32",
            callback=self._record,
        )
        try:
            self._stream.start()
        except BaseException:
            self._stream.close()
            raise
        self.latency = float(self._stream.latency)

    def _record(self, samples: Array, frames: int, time: Any, status: sounddevice.CallbackFlags) -> None:
        if status.input_overflow:
            self._overflows += 1
        self._ring.write(samples)

    @property
    def available(self) -> int:
        """Frames that wait to be taken."""
        return self._reader.available

    @property
    def active(self) -> bool:
        """Whether PortAudio believes that the stream runs."""
        return bool(self._stream.active)

    @property
    def overflows(self) -> int:
        """Callbacks at which the device reported lost sound."""
        return self._overflows

    def take(self, most: int) -> tuple[Array, int, int]:
        """The next frames, how many are missing before them, and how many are left."""
        view = self._reader.read(most)
        return view.samples, view.lost, self._reader.available

    def _close(self) -> None:
        self._stream.close()
