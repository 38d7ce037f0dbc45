"""The course of the beat as a function of time: immutable, replaced as a whole, readable from any thread.

Positions are counted in beats: beat number *n* lies at position *n*. Between knots the course is straight.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple


class Segment(NamedTuple):
    """A straight piece: from stream second `time` on, `position` (beats) grows by `rate` beats per second."""

    time: float
    position: float
    rate: float

    def at(self, time: float) -> float:
        """Position at `time`."""
        return self.position + (time - self.time) * self.rate

    def when(self, position: float) -> float:
        """Stream second at which `position` is reached; infinity if the clock stands."""
        if self.rate <= 0.0:
            return math.inf
        return self.time + (position - self.position) / self.rate


class Place(NamedTuple):
    """Where a beat lies: position in its bar (1 = downbeat), metre, running bar, running phrase."""

    beat_in_bar: int
    beats_per_bar: int
    bar: int
    phrase: int


class Bars(NamedTuple):
    """How beats are counted into bars and phrases from beat `first` on."""

    first: int
    beat_in_bar: int
    beats_per_bar: int
    bar: int
    phrase: int
    phrase_bar: int
    phrase_bars: int

    def place(self, number: int) -> Place:
        """The place of beat `number`."""
        index = self.beat_in_bar - 1 + number - self.first
        bar = self.bar + index // self.beats_per_bar
        phrase = self.phrase + (bar - self.phrase_bar) // self.phrase_bars
        return Place(index % self.beats_per_bar + 1, self.beats_per_bar, max(1, bar), max(1, phrase))


class Timeline(NamedTuple):
    """The course as it is known now: some seconds back, and on for ever at the present tempo.

    Attributes
    ----------
    segments : tuple of Segment
        In order of time, at least one.
    bars : tuple of Bars
        In order of their first beat, at least one.
    tempo : float
        BPM: the tracker's or operator's, without the deviation of a correction that is under way. 0 = unknown.
    locked : bool
        False while searching.
    jumps : int
        How often the course has jumped so far (a first lock, a relocation, a resync).
    broken : bool
        Whether a jump lies within `segments`.
    """

    segments: tuple[Segment, ...]
    bars: tuple[Bars, ...]
    tempo: float
    locked: bool
    jumps: int = 0
    broken: bool = False

    def beat_at(self, time: float) -> float:
        """Position in beats at stream second `time` (before the first knot: extrapolated)."""
        return self.segment_at(time).at(time)

    def segment_at(self, time: float) -> Segment:
        """The piece that holds at stream second `time`."""
        segments = self.segments
        last = segments[-1]
        if time >= last.time:
            return last
        return segments[max(0, bisect_right(segments, time, key=_time) - 1)]

    def time_of(self, beat: float | Fraction) -> float:
        """First stream second at which position `beat` is reached; infinity if the clock stands.

        A position that a jump has skipped gets the instant of the jump; see :meth:`skipped`.
        """
        position = float(beat)
        segments = self.segments
        if self.broken:
            for piece, after in pairwise(segments):
                end = piece.at(after.time)
                if end >= position - 1e-9:
                    return piece.when(position)
                if after.position > position - 1e-9:
                    return after.time
            return segments[-1].when(position)
        i = len(segments) - 1
        while i > 0 and segments[i].position > position + 1e-9:
            i -= 1
        return segments[i].when(position)

    def skipped(self, beat: float | Fraction) -> bool:
        """Whether a jump forward passes over position `beat`, so that it never sounds."""
        if not self.broken:
            return False
        position = float(beat)
        for piece, after in pairwise(self.segments):
            end = piece.at(after.time)
            if end >= position - 1e-9:
                return False
            if after.position > position + 1e-9:
                return after.position > end + 1e-9
        return False

    def place(self, number: int) -> Place:
        """Bar and phrase of beat `number`."""
        for bars in reversed(self.bars):
            if number >= bars.first:
                return bars.place(number)
        return self.bars[0].place(number)

    def bar_phase(self, position: float) -> float:
        """Phase in [0, 1) within the bar at `position` beats."""
        number = math.floor(position)
        place = self.place(number)
        return (place.beat_in_bar - 1 + position - number) / place.beats_per_bar


def _time(segment: Segment) -> float:
    return segment.time
