"""What a person's taps say about tempo and phase, robust to a mistap."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from statistics import median
from typing import NamedTuple

SERIES_GAP = 2.6
"""Seconds after which a tap begins a new series (23 BPM)."""
MOST = 12
"""Taps of a series that count; older ones are forgotten, so that tapping follows a drifting band."""


class TapFit(NamedTuple):
    """A straight line through the taps: a beat at `time`, and one every `period` seconds."""

    time: float
    period: float


class Taps:
    """A series of taps (bounded; a long pause starts a new one)."""

    def __init__(self) -> None:
        self.times: deque[float] = deque(maxlen=MOST)

    def add(self, time: float) -> int:
        """Add a tap at stream second `time`; returns how many the series has now.

        Two taps within 60 ms are a bounce of the key and count once. Where time has gone back, a series begins.
        """
        if self.times:
            since = time - self.times[-1]
            if abs(since) < 0.06:
                return len(self.times)
            if not 0.0 < since <= SERIES_GAP:
                self.times.clear()
        self.times.append(time)
        return len(self.times)

    def clear(self) -> None:
        """Begin anew."""
        self.times.clear()

    def last(self) -> float:
        """Time of the newest tap; minus infinity if there is none."""
        return self.times[-1] if self.times else float("-inf")

    def fit(self) -> TapFit | None:
        """Period and phase by the Theil–Sen estimator (median of all slopes), or None below four taps.

        Taps are numbered by the median interval first; a tap that falls between two beats is left out, and a
        missing one leaves a hole in the numbers, so that one mistap of either kind does not bend the line.
        """
        times = list(self.times)
        if len(times) < 4:
            return None
        typical = median(b - a for a, b in pairwise(times))
        kept = [(0, times[0])]
        for time in times[1:]:
            steps = round((time - kept[-1][1]) / typical)
            if steps >= 1:
                kept.append((kept[-1][0] + steps, time))
        if len(kept) < 3:
            return None
        period = median((t2 - t1) / (k2 - k1) for i, (k1, t1) in enumerate(kept) for k2, t2 in kept[i + 1 :])
        start = median(t - k * period for k, t in kept)
        return TapFit(start + kept[-1][0] * period, period)
