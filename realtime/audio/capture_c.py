"""Recording by rtmixer's callback in C: no Python, no lock of the interpreter between device and ring."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import rtmixer

from realtime.audio.capture import Capture

Array = npt.NDArray[np.float32]

_SECONDS = 2.0
"""How long nobody may take anything before frames are lost."""


class CCapture(Capture):
    """Records into PortAudio's lock-free ring buffer.

    When the ring is full, rtmixer ends the recording. It is then begun again after what the ring holds has
    been taken; the stream's own times of both recordings tell how much is missing.
    """

    kind = "C callback"

    def __init__(self, index: int, channels: int, sample_rate: int, block: int) -> None:
        super().__init__()
        self._rate = sample_rate
        self._channels = channels
        size = 1 << int(_SECONDS * sample_rate).bit_length()
        self._stream = rtmixer.Recorder(
            device=index, channels=channels, samplerate=sample_rate, blocksize=block, latency="low"
        )
        try:
            self._ring = rtmixer.RingBuffer(4 * channels, size)
            self._size = size
            self._copy = np.empty((4096, channels), np.float32)
            self._ended: Any = None
            self._full = False
            self._room_at = time.monotonic()
            self._recording = self._stream.record_ringbuffer(self._ring)
            self._stream.start()
        except BaseException:
            self._stream.close()
            raise
        self.latency = float(self._stream.latency)

    @property
    def available(self) -> int:
        """Frames that wait to be taken."""
        return int(self._ring.read_available)

    @property
    def active(self) -> bool:
        """Whether PortAudio believes that the stream runs."""
        return bool(self._stream.active)

    @property
    def overflows(self) -> int:
        """Callbacks at which the device reported lost sound, since the recording was begun."""
        return int(self._recording.stats.input_overflows)

    def take(self, most: int) -> tuple[Array, int, int]:
        """The next frames, how many are missing before them, and how many are left."""
        waiting = self._ring.read_available
        if waiting == 0 and not self._full:
            return self._copy[:0], 0, 0
        if waiting == self._size:
            self._full = True
        elif not self._full and self._ended is None:
            self._room_at = time.monotonic()
        lost = 0
        if self._full and waiting == 0 and not self._begin_again():
            self._full = False
        if self._ended is not None and waiting:
            lost = self._missing()
        n = min(most, waiting)
        if n > len(self._copy):
            self._copy = np.empty((n, self._channels), np.float32)
        samples = self._copy[:n]
        if n:
            self._ring.readinto(samples)
        return samples, lost, waiting - n

    def _begin_again(self) -> bool:
        """Record again if the recording has ended. Returns whether it had."""
        if self._recording in self._stream.actions:
            return False
        self._ended = self._recording
        self._recording = self._stream.record_ringbuffer(self._ring)
        self._full = False
        return True

    def _missing(self) -> int:
        seconds = self._recording.actual_time - self._ended.actual_time
        frames = round(seconds * self._rate) - int(self._ended.done_frames)
        self._ended = None
        # The stream's times may come from a clock that is set now and then; ours bounds what they say.
        most = round((time.monotonic() - self._room_at) * self._rate)
        return min(max(0, frames), most)

    def _close(self) -> None:
        self._stream.close()
