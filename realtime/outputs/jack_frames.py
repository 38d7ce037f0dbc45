"""Which frame of JACK's clock a moment is, and on which frames messages go out. Needs no JACK."""

from __future__ import annotations

import heapq
import time
from collections import deque
from typing import Any

CLOCK = b"\xf8"
CLOSEST = 0.5
"""Clock ticks that are late are made up for at twice the speed at most: no receiver gets a burst."""
READINGS = 3
_WRAP = 1 << 32
_WINDOW = 32


def unwrapped(frame: int, near: int) -> int:
    """The frame that JACK's 32-bit counter means by `frame`, closest to `near`; it wraps after a day."""
    return near + ((frame - near + _WRAP // 2) % _WRAP) - _WRAP // 2


class FrameTime:
    """JACK's frames against ``time.monotonic()``.

    Parameters
    ----------
    rate : float
        Frames a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._offsets: deque[float] = deque(maxlen=_WINDOW)
        self._offset = 0.0
        self._jumped = False
        self.begin = 0

    def cycle(self, begin: int, *readings: tuple[int, float]) -> None:
        """A block begins.

        Parameters
        ----------
        begin : int
            Its first frame, as JACK counts (32 bits).
        *readings : (int, float)
            JACK's frame and ``time.monotonic()``, read in this order right after each other; once or more, as the
            thread may be held up between the two: the least delayed reading is taken.
        """
        if self._jumped:
            self._jumped = False
            self._offsets.clear()
        self.begin = unwrapped(begin, self.begin)
        self._offsets.append(max(unwrapped(frame, self.begin) - now * self._rate for frame, now in readings))
        # JACK's own estimate of its time swings for some blocks after a late one
        self._offset = sorted(self._offsets)[len(self._offsets) // 2]

    def jumped(self) -> None:
        """JACK has lost blocks (an xrun): its frames lie elsewhere from the next block on. Any thread."""
        self._jumped = True

    def frame_at(self, when: float) -> int:
        """Frame at ``time.monotonic()`` seconds."""
        return round(when * self._rate + self._offset)

    def time_of(self, frame: int) -> float:
        """``time.monotonic()`` seconds of a frame."""
        return (frame - self._offset) / self._rate


def read_clock(client: Any) -> tuple[tuple[int, float], ...]:
    """Readings for :meth:`FrameTime.cycle` of a ``jack.Client``."""
    return tuple((client.frame_time, time.monotonic()) for _ in range(READINGS))


class Placement:
    """Messages that wait, and where they go.

    Every message goes out, in order: one whose frame is past goes out at once; clock ticks stay apart by half of
    what they were meant to.

    Parameters
    ----------
    rate : float
        Frames a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._queue: list[tuple[float, int, bytes]] = []
        self._count = 0
        self._tick: tuple[float, int] | None = None
        self._frame = 0
        self.late = 0

    @property
    def first(self) -> float | None:
        """When the first that waits is meant; None = none waits."""
        return self._queue[0][0] if self._queue else None

    def put(self, when: float, message: bytes) -> None:
        """File a message meant at ``time.monotonic()`` seconds."""
        self._count += 1
        heapq.heappush(self._queue, (when, self._count, message))

    def clear(self) -> None:
        """Take back what has not gone out."""
        self._queue.clear()

    def next(self, clock: FrameTime, frames: int) -> tuple[int, bytes] | None:
        """Frame within the block and bytes of the next message that falls into it.

        Call :meth:`sent` once it has been written.
        """
        if not self._queue:
            return None
        when, _, message = self._queue[0]
        frame = max(clock.frame_at(when), clock.begin)
        if self._frame < clock.begin + frames:  # else JACK's frames lie elsewhere now
            frame = max(frame, self._frame)
        if message == CLOCK and self._tick is not None:
            before, place = self._tick
            least = place + round(CLOSEST * (when - before) * self._rate)
            if least < clock.begin + self._rate:
                frame = max(frame, least)
        frame -= clock.begin
        return (frame, message) if frame < frames else None

    def sent(self, clock: FrameTime, frame: int) -> None:
        """The message that :meth:`next` gave was written at `frame` of the block."""
        when, _, message = heapq.heappop(self._queue)
        self._frame = clock.begin + frame
        self.late += self._frame > clock.frame_at(when)
        if message == CLOCK:
            self._tick = when, self._frame
