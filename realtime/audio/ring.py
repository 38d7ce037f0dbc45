"""Ring of frames: one writer that never waits, any number of readers that each see their own gaps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

_WRITTEN, _CLAIMED = 0, 1
_HEADER = 2


class View(NamedTuple):
    """Frames seen by a reader.

    Attributes
    ----------
    samples : ndarray of float32, shape (n, channels)
        Contiguous and read-only; memory of the ring, so it must be used (or copied) before the writer comes
        round; :meth:`Reader.valid` tells afterwards whether it has.
    first : int
        Index of the first frame, counted from the first frame ever written.
    lost : int
        Frames right before these that the writer overwrote before this reader came.
    """

    samples: Array
    first: int
    lost: int


class AudioRing:
    """Single producer, many consumers, no locks.

    The memory is written twice, half a buffer apart (a mirrored ring), so that any run of up to `capacity`
    frames is one contiguous view. Counters are 64-bit and only go up: ``written`` (frames a reader may see)
    and ``claimed`` (frames the writer may be about to overwrite up to), each stored by the writer alone. A
    reader takes nothing older than ``claimed - capacity``. When a reader is too slow it skips forward and
    counts what it lost; the writer never waits.

    Aligned 64-bit loads and stores are single instructions on the machines we run on; between processes on
    processors with weak store order (ARM) a reader should check :meth:`Reader.valid` after use, as it must
    anyway.

    Parameters
    ----------
    capacity : int
        Frames, rounded up to a power of two.
    channels : int
    memory : buffer, optional
        Memory of at least :meth:`size` bytes to live in, for instance ``SharedMemory(...).buf``; by default
        its own.
    attach : bool
        True: the memory already holds a ring of this shape (the reader's process).

    Notes
    -----
    :meth:`write` belongs to one thread of one process; each :class:`Reader` to one thread.
    """

    def __init__(
        self, capacity: int, channels: int, memory: memoryview | None = None, attach: bool = False
    ) -> None:
        if capacity < 1 or channels < 1:
            raise ValueError("capacity and channels must be positive")
        self.capacity = 1 << (capacity - 1).bit_length()
        self.channels = channels
        size = self.size(capacity, channels)
        if memory is None:
            memory = memoryview(bytearray(size))
        if len(memory) < size:
            raise ValueError(f"ring needs {size} bytes, the memory has {len(memory)}")
        self._counters = np.frombuffer(memory, np.int64, _HEADER)
        frames = 2 * self.capacity
        flat = np.frombuffer(memory, np.float32, frames * channels, offset=_HEADER * 8)
        self._samples = flat.reshape(frames, channels)
        self._seen = self._samples[:]
        self._seen.flags.writeable = False
        if not attach:
            self._counters[:] = 0

    @staticmethod
    def size(capacity: int, channels: int) -> int:
        """Bytes that a ring of this shape takes."""
        return _HEADER * 8 + 2 * (1 << (capacity - 1).bit_length()) * channels * 4

    @property
    def written(self) -> int:
        """Frames written since the beginning."""
        return int(self._counters[_WRITTEN])

    def write(self, samples: Array) -> None:
        """Append frames, overwriting the oldest; never waits.

        Parameters
        ----------
        samples : ndarray of float32, shape (n, channels)
            Any n; of more than `capacity` frames only the newest are kept, the rest counts as written.
        """
        n = len(samples)
        written = int(self._counters[_WRITTEN])
        self._counters[_CLAIMED] = written + n
        kept = samples[-self.capacity :] if n > self.capacity else samples
        at = (written + n - len(kept)) & (self.capacity - 1)
        head = min(len(kept), self.capacity - at)
        mirror = at + self.capacity
        self._samples[at : at + head] = kept[:head]
        self._samples[mirror : mirror + head] = kept[:head]
        if head < len(kept):
            tail = len(kept) - head
            self._samples[:tail] = kept[head:]
            self._samples[self.capacity : self.capacity + tail] = kept[head:]
        self._counters[_WRITTEN] = written + n

    def reader(self, from_now: bool = True) -> Reader:
        """A new cursor, at the newest frame or (`from_now` False) at the oldest still there."""
        at = self.written if from_now else self._oldest()
        return Reader(self, at)

    def _oldest(self) -> int:
        return max(0, int(self._counters[_CLAIMED]) - self.capacity)

    def _view(self, first: int, n: int) -> Array:
        at = first & (self.capacity - 1)
        return self._seen[at : at + n]

    def release(self) -> None:
        """Let go of the memory (shared memory cannot be closed while arrays point into it)."""
        empty = np.zeros((0, self.channels), np.float32)
        self._samples = self._seen = empty
        self._counters = np.zeros(_HEADER, np.int64)


class Reader:
    """One consumer's cursor in an :class:`AudioRing`.

    Attributes
    ----------
    position : int
        Index of the next frame to read.
    lost : int
        Frames lost to this reader in all.
    """

    def __init__(self, ring: AudioRing, position: int) -> None:
        self._ring = ring
        self.position = position
        self.lost = 0

    @property
    def available(self) -> int:
        """Frames that the next ``read`` can give."""
        return min(self._ring.written - self.position, self._ring.capacity)

    def read(self, most: int) -> View:
        """The next frames, at most `most`; none if nothing is new. Moves on past them."""
        lost = self._skip()
        n = max(0, min(most, self._ring.written - self.position))
        first = self.position
        self.position += n
        return View(self._ring._view(first, n), first, lost)

    def newest(self, n: int) -> View:
        """The newest `n` frames (fewer if there are not so many), jumping over older ones.

        What is jumped over by choice is not counted as lost.
        """
        written = self._ring.written
        n = max(0, min(n, written - self._ring._oldest()))
        self.position = written
        return View(self._ring._view(written - n, n), written - n, 0)

    def valid(self, view: View) -> bool:
        """Whether the view was still intact: call after using (or copying) it."""
        return view.first >= self._ring._oldest()

    def _skip(self) -> int:
        oldest = self._ring._oldest()
        lost = max(0, oldest - self.position)
        self.position += lost
        self.lost += lost
        return lost
