"""The newest sound at one rate, resampled as far as anybody reads it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realtime.audio.resample import StreamResampler
from realtime.hosting.line import Line
from realtime.hosting.plugin import ENGINE_RATE, TICK

F32 = npt.NDArray[np.float32]

MOST_AHEAD = 32
"""Ticks that may be appended before they are stepped through."""

ROOM = (2 * MOST_AHEAD + 4) * TICK
"""Engine samples that are kept."""


class RateStream:
    """The newest samples at one rate, contiguous, right end = now.

    Parameters
    ----------
    rate : int
        Hz.
    channels : int
        1 or 2.
    source : Line, optional
        Sound at the engine rate that is shared with other streams; without it, sound is pushed.

    Attributes
    ----------
    ticks : int
        Ticks of the source that count as heard since the last restart; more may lie ready.
    """

    def __init__(self, rate: int, channels: int, source: Line | None = None) -> None:
        self.rate = rate
        self.channels = channels
        self.ticks = 0
        self._resampler = StreamResampler(ENGINE_RATE, rate, channels)
        self.delay = self._resampler.delay
        self._thinner = self._resampler.thinner(TICK)
        self._pushed = source is None
        self._source = source or Line(channels, ROOM)
        self._shared = self._resampler.identity
        self._line = self._source if self._shared else Line(channels, ROOM * -(-rate // ENGINE_RATE))
        if self._thinner is not None:
            self._source.reserve(self._thinner.length)
        self._first = self._line.written  # of the line's samples, the first that counts
        self._taken = self._source.written
        self._origin = 0.0

    @property
    def written(self) -> int:
        """Samples heard since the last restart."""
        return -(-self.ticks * TICK * self.rate // ENGINE_RATE)

    def reserve(self, window: int) -> None:
        """Make sure that windows of that length can be read."""
        self._line.reserve(window)

    def push(self, tick: F32) -> None:
        """Append one tick of engine samples, shape ``(TICK, channels)`` or ``(TICK,)``; it counts as heard."""
        self._source.append(tick)
        self.ticks += 1
        self.pull()

    def pull(self) -> None:
        """Resample what the source has."""
        source, thinner = self._source, self._thinner
        if self._shared or self._taken == source.written:
            return
        if thinner is None:
            heard = source.view(source.written, source.written - self._taken)
            self._line.append(self._resampler.process(heard if self.channels == 1 else heard.T))
            self._taken = source.written
            return
        while self._taken < source.written:
            self._taken += TICK
            heard = source.view(self._taken, thinner.length)
            place = self._line.place(thinner.made)
            if self.channels == 1:
                thinner.process(heard, place)
            else:
                for channel, row in zip(heard, place):
                    thinner.process(channel, row)

    def ready(self, end: int) -> int:
        """Samples that can be read already, heard or not; at least `end`."""
        if end > self._line.written - self._first:
            self.pull()
        return self._line.written - self._first

    def window(self, end: int, length: int) -> F32:
        """Read-only view of the `length` samples before sample number `end` (counted since reset)."""
        end += self._first
        if end > self._line.written:
            self.pull()
        return self._line.view(end, length)

    def time(self, end: int) -> float:
        """Stream seconds of the end of sample number ``end - 1``, the resampler's delay taken off."""
        return self._origin + end / self.rate - self.delay

    def restart(self, origin: float) -> None:
        """Forget all sound; the next sample is at `origin` stream seconds. A shared source is left as it is."""
        self._resampler.reset()
        if self._pushed:
            self._source.clear()
        if not self._shared:
            self._line.clear()
        self._taken = self._source.written
        self._first = self._line.written
        self.ticks = 0
        self._origin = origin
