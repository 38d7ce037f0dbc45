"""A stretch of the newest samples that can be read as one contiguous piece."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]


class Line:
    """The newest samples of a stream; the older ones are moved out of the way now and then.

    Parameters
    ----------
    channels : int
        Windows of one channel have one dimension. Bands of a spectrum do as well.
    room : int
        Samples beyond the longest window that are kept, for readers that are behind.

    Attributes
    ----------
    written : int
        Samples appended since the start or `clear`.
    """

    def __init__(self, channels: int, room: int) -> None:
        self.written = 0
        self._channels, self._mono = channels, channels == 1
        self._room = room
        self._kept = self._end = 0
        self._take(np.zeros((channels, 2 * room), np.float32), 0)
        self.reserve(1)

    def reserve(self, window: int) -> None:
        """Make sure that windows of that length can be read."""
        kept = window + self._room
        if kept <= self._kept:
            return
        grown = np.zeros((self._channels, 2 * kept + self._room), np.float32)
        held = min(self._end, kept)
        grown[:, kept - held : kept] = self._buffer[:, self._end - held : self._end]
        self._kept = kept
        self._take(grown, kept)

    def append(self, samples: F32) -> None:
        """Append samples, shape ``(n, channels)`` or, for one channel, ``(n,)``; any n."""
        n = len(samples)
        if n > self._room:
            for at in range(0, n, self._room):
                self.append(samples[at : at + self._room])
            return
        self.place(n)[...] = samples.T

    def place(self, n: int) -> F32:
        """Append `n` samples, at most the room, that the caller writes: shape ``(n,)`` or ``(channels, n)``."""
        end = self._end
        if end + n > self._buffer.shape[1]:
            self._buffer[:, : self._kept] = self._buffer[:, end - self._kept : end].copy()
            end = self._kept
        self._end = end + n
        self.written += n
        return self._buffer[0, end : end + n] if self._mono else self._buffer[:, end : end + n]

    def view(self, end: int, length: int) -> F32:
        """Read-only view of the `length` samples before sample number `end`; zeros before the first."""
        stop = self._end - (self.written - end)
        return self._readable[stop - length : stop] if self._mono else self._readable[:, stop - length : stop]

    def clear(self) -> None:
        """Forget all samples."""
        self._buffer[:] = 0.0
        self._end = self._kept
        self.written = 0

    def _take(self, buffer: F32, end: int) -> None:
        self._buffer, self._end = buffer, end
        self._readable = buffer[0] if self._mono else buffer[:]
        self._readable.flags.writeable = False
