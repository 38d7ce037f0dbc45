"""Building the timeline: corrections slew, jumps are deliberate, what has been committed is never bent."""

from __future__ import annotations

from realtime.timeline import Segment

EASE = 0.5
"""Beats over which a small correction is spread; larger ones take as long as the slew bound asks."""
HURRY, SETTLE, FASTEST = 50.0, 4.0, 0.5
"""How fast a clock is corrected that has just jumped (:func:`slew_after`)."""
HISTORY = 1.6
"""Seconds of past course that are kept, for outputs that are set to leave late."""


def wrap(beats: float) -> float:
    """A phase difference in [-0.5, 0.5)."""
    return (beats + 0.5) % 1.0 - 0.5


def fold(tempo: float, low: float, high: float, present: float = 1.0) -> float:
    """Factor (a power of two) that brings `tempo` into [low, high]; stays at `present` within 3 % of the edges."""
    if low / 1.03 <= tempo * present <= high * 1.03:
        return present
    factor = 1.0
    while tempo * factor < low:
        factor *= 2.0
    while tempo * factor > high:
        factor *= 0.5
    if tempo * factor < low:  # a window too narrow for this tempo: the nearer side
        above = tempo * factor * 2.0 / high
        factor *= 2.0 if above < low / (tempo * factor) else 1.0
    return factor


def slew_after(beats: float, most: float) -> float:
    """How fast a clock may be corrected that has jumped a while ago.

    Nobody has got used to such a pulse yet, so it slews up to 12 times as fast as later: the gain of a loop that
    acquires its phase falls as 1/n (F. Gardner, "Phaselock Techniques", 2005).

    Parameters
    ----------
    beats : float
        Beats since the jump, 0 and more.
    most : float
        Bound from 46 beats on, as a part of the tempo.

    Returns
    -------
    float
        Largest deviation, as a part of the tempo; never above .5.
    """
    return min(FASTEST, most * max(1.0, HURRY / (SETTLE + beats)))


def aligned(beats: float, factor: float, position: float) -> float:
    """How far a pulse is ahead of `position`, in beats within ±0.5.

    Parameters
    ----------
    beats : float
        Phase of the tracked pulse, in its own beats.
    factor : float
        Power of two: 2 counts each tracked beat twice. Below 1 several tracked beats make one, and of the ways to
        group them the one nearest to `position` is meant.
    """
    if factor >= 1.0:
        return wrap(beats * factor - position)
    ways = max(1, round(1.0 / factor))
    return min((wrap((beats + j) * factor - position) for j in range(ways)), key=abs)


class Course:
    """The segments of the timeline and the straight line that they strive for."""

    def __init__(self) -> None:
        self.segments: tuple[Segment, ...] = (Segment(0.0, 0.0, 0.0),)
        self.target = Segment(0.0, 0.0, 0.0)
        self.switch: tuple[int, float] | None = None
        self._jumped: list[float] = []

    @property
    def rate(self) -> float:
        """Beats per second that are striven for."""
        return self.target.rate

    @property
    def broken(self) -> bool:
        """Whether a jump lies within the segments."""
        return bool(self._jumped)

    def at(self, time: float) -> float:
        """Position at `time`; quick for times near the newest knots."""
        segments = self.segments  # one snapshot: displays ask from other threads
        i = len(segments) - 1
        while i > 0 and segments[i].time > time:
            i -= 1
        knot, position, rate = segments[i]
        return position + (time - knot) * rate

    def when(self, position: float, start: float) -> float:
        """Time at which `position` is reached; none of the course before `start` is considered."""
        segments = self.segments
        i = len(segments) - 1
        while i > 0 and segments[i].time > start and segments[i].position > position + 1e-9:
            i -= 1
        return max(start, segments[i].when(position))

    def steer(self, start: float, target: Segment, slew: float) -> bool:
        """From `start` on approach `target`, deviating from its tempo by `slew` at most.

        The caller has chosen `target` so that it is less than a beat away. A change of tempo by a factor that is
        due at a coming beat (`switch`) is kept. Returns False if the course was already there.
        """
        here = self.at(start)
        error = target.at(start) - here
        rate = target.rate
        newest = self.segments[-1]
        settled = abs(error) < 1e-7 and self.switch is None and newest.time <= start
        if settled and abs(newest.rate - rate) <= 1e-9 * rate:
            self.target = target
            return False
        pieces: list[Segment] = []
        if abs(error) >= 1e-7 and rate > 0.0:
            deviation = max(-slew, min(slew, error / EASE))
            lasting = error / (deviation * rate)
            pieces.append(Segment(start, here, rate * (1.0 + deviation)))
            pieces.append(Segment(start + lasting, target.at(start + lasting), rate))
        else:
            pieces.append(Segment(start, here, rate))
        if self.switch is not None:
            pieces = _switched(pieces, self.switch[0], rate * self.switch[1])
        self.segments = (*self._past(start), *pieces)
        self.target = target
        return True

    def jump(self, start: float, target: Segment, keep: bool) -> None:
        """Be on `target` from `start` on; the past is kept if something of it may still have to be sent."""
        past = self._past(start) if keep else ()
        self._jumped = [*(t for t in self._jumped if past and t > past[0].time), start] if keep else []
        self.switch = None
        self.target = target
        self.segments = (*past, Segment(start, target.at(start), target.rate))

    def pass_switch(self, start: float) -> float | None:
        """If the course at `start` has reached the beat of a change of factor: the factor, now in force."""
        if self.switch is None or self.at(start) < self.switch[0] - 1e-9:
            return None
        number, factor = self.switch
        self.switch = None
        time = self.target.when(number)
        self.target = Segment(time, number, self.target.rate * factor)
        return factor

    def renumber(self, missed: int) -> None:
        """Take `missed` beats off all positions from now on (they went by unsent)."""
        self.segments = tuple(s._replace(position=s.position - missed) for s in self.segments)
        self.target = self.target._replace(position=self.target.position - missed)
        if self.switch is not None:
            self.switch = (self.switch[0] - missed, self.switch[1])

    def _past(self, start: float) -> tuple[Segment, ...]:
        segments = self.segments
        end = len(segments)
        while end > 0 and segments[end - 1].time >= start:
            end -= 1
        begin = 0
        while begin + 1 < end and segments[begin + 1].time < start - HISTORY:
            begin += 1
        if self._jumped and begin < end:
            self._jumped = [t for t in self._jumped if t > segments[begin].time]
        return segments[begin:end]


def _switched(pieces: list[Segment], number: int, rate: float) -> list[Segment]:
    """`pieces` up to beat `number`, then straight on at `rate`."""
    kept: list[Segment] = []
    for i, piece in enumerate(pieces):
        kept.append(piece)
        time = piece.when(number)
        if i + 1 == len(pieces) or time < pieces[i + 1].time:
            return [*kept, Segment(max(time, piece.time), float(number), rate)]
    return kept
