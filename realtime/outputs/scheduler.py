"""Musical deadlines: which points of the grids are due, on a timeline that moves while one waits.

Pure: the time is handed in, so the same code runs on the computer's clock and on a virtual one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from realtime.outputs.output import GridPoint
from realtime.timeline import Timeline

MOST_AT_ONCE = 8
"""Points of one grid that may be delivered in one go; the thread looks again at once."""
BACKLOG = 1.0
"""Beats of a counted grid that are made up for after a stall; what is older is given up."""
CLOSEST = 0.5
"""Periods between two points of a counted grid, at least: a backlog is made up for at twice the speed."""


class FrameClock(Protocol):
    """What is needed of :class:`realtime.audio.clock.StreamClock`."""

    @property
    def running(self) -> bool:
        """Whether stream time can be told from the computer's clock yet."""
        ...

    def host_time_at(self, stream_seconds: float) -> float:
        """``time.monotonic()`` seconds at which the stream reaches `stream_seconds`."""
        ...

    def stream_seconds(self, host_time: float) -> float:
        """Stream seconds reached at `host_time`."""
        ...


@dataclass(slots=True)
class Cursor:
    """One grid of one output, and how far it has been delivered.

    Attributes
    ----------
    step : Fraction
        Spacing in beats.
    delay : float
        Seconds after the musical instant at which a point is due: offset minus lead minus input latency.
    counted : bool
        Whether the receiver counts the points (MIDI clock): then none is given up after a stall of up to `BACKLOG`
        beats; they are made up for one by one, never closer than `CLOSEST` periods.
    lead : float
        Seconds by which the output wants points early; it places them in time itself.
    index : int or None
        Number of the last point delivered or passed (its position is ``index * step``); None = not started.
    late : int
        Points given up because they were overdue by more than a period, or by `BACKLOG` (a stall, a suspend).
    skipped : int
        Points that a jump of the clock passed over.
    worst : float
        Largest delay of delivery in seconds, of points that were delivered.
    last : float
        Deadline of the last point delivered.
    heard : float
        When the receiver gets it: `lead` after that, or after its delivery if that was late.
    """

    step: Fraction
    delay: float = 0.0
    counted: bool = False
    lead: float = 0.0
    index: int | None = None
    late: int = 0
    skipped: int = 0
    worst: float = 0.0
    last: float = -math.inf
    heard: float = -math.inf
    jumped: bool = False

    def due(self, now: float, timeline: Timeline, clock: FrameClock) -> tuple[list[GridPoint], float]:
        """Points whose deadline has come, in order, and the instant of the next one.

        A point that has been delivered is never delivered again, wherever the timeline moves; a backlog is not
        sent in a burst but skipped and counted, or made up for one by one if the grid is a counted one.

        Parameters
        ----------
        now : float
            ``time.monotonic()`` seconds.
        """
        if self.index is None:
            here = timeline.beat_at(clock.stream_seconds(now - self.delay))
            self.index = math.ceil(here / self.step - 1e-6) - 1
        period = float(self.step) * 60.0 / timeline.tempo if timeline.tempo > 0.0 else math.inf
        patience = BACKLOG if self.counted else 0.0
        points: list[GridPoint] = []
        while len(points) < MOST_AT_ONCE:
            position = (self.index + 1) * self.step
            if timeline.skipped(position):
                self.index += 1
                self.skipped += 1
                self.jumped = True
                continue
            time = timeline.time_of(position)
            if time == math.inf:
                return points, math.inf
            due = clock.host_time_at(time) + self.delay
            if due > now:
                return points, due
            if now - due > period:
                here = timeline.beat_at(clock.stream_seconds(now - self.delay))
                newest = math.floor(here / self.step)
                if newest > self.index + 1 and here - position > patience:
                    self.late += newest - self.index - 1
                    self.index = newest - 1
                    continue
            if self.jumped and due - self.last < 0.45 * period:  # landed right behind the point before the jump
                self.jumped = False
                self.index += 1
                self.skipped += 1
                continue
            heard = max(due + self.lead, now)
            if self.counted and heard < self.heard + CLOSEST * period:
                return points, self.heard + CLOSEST * period
            self.jumped = False
            self.index += 1
            self.heard = heard
            self.last = due
            self.worst = max(self.worst, now - due)
            points.append(self._point(position, time, due, timeline))
        return points, now

    def restart(self) -> None:
        """Begin anew at the next point that is not past (after the clock was not locked)."""
        self.index = None

    def _point(self, position: Fraction, time: float, due: float, timeline: Timeline) -> GridPoint:
        place = timeline.place(max(1, math.floor(position)))
        return GridPoint(
            position,
            self.step,
            time,
            place.beat_in_bar,
            place.beats_per_bar,
            place.bar,
            place.phrase,
            timeline.tempo,
            timeline.locked,
            due,
        )
