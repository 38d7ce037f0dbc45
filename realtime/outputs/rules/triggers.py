"""When a rule fires."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from realtime.bus import Event, Value
from realtime.outputs.output import GridPoint
from realtime.outputs.rules.settings import (
    FINEST,
    OnBeat,
    OnBeats,
    OnCrossing,
    OnEuclid,
    OnEvent,
    OnLock,
    OnPhrase,
    OnSilence,
    OnTempo,
    When,
    fraction,
)
from realtime.outputs.rules.slots import number


def euclid(pulses: int, steps: int, rotate: int = 0) -> tuple[bool, ...]:
    """`pulses` spread over `steps`, one on the first step; rotated to the left."""
    return tuple((((k + rotate) % steps) * pulses) % steps < pulses for k in range(steps))


class Trigger:
    """Base: fires never (by hand only).

    Attributes
    ----------
    musical : bool
        Whether it needs points of the grid.
    """

    musical = False

    def scale(self, factor: float) -> None:
        """Twice or half as often, where that means something."""

    def settled(self, when: When) -> When:
        """`when`, of which this trigger was made, as it stands after scaling."""
        return when

    def grid(self, point: GridPoint, bar_in_phrase: int) -> bool:
        """Whether to fire at a point of the grid."""
        return False

    def event(self, event: Event) -> float | None:
        """The strength with which to fire at an event; None = not."""
        return None

    def values(self, values: Mapping[str, Value], now: float) -> bool:
        """Whether to fire by the newest values."""
        return False


class Beats(Trigger):
    """Every so many beats."""

    musical = True

    def __init__(self, when: OnBeats) -> None:
        self._period, self._offset = fraction(when.every), fraction(when.offset)

    def scale(self, factor: float) -> None:
        """Twice or half as often, as far as the grid and 256 beats go."""
        wanted = self._period / Fraction(factor).limit_denominator(16)
        if FINEST <= wanted <= 256 and (wanted / FINEST).denominator == 1:
            self._period = wanted

    def settled(self, when: When) -> When:
        """With the period of now."""
        assert isinstance(when, OnBeats)
        return (
            when
            if self._period == fraction(when.every)
            else when.model_copy(update={"every": float(self._period)})
        )

    def grid(self, point: GridPoint, bar_in_phrase: int) -> bool:
        """At each multiple."""
        return (point.position - 1 - self._offset) % self._period == 0


class Beat(Trigger):
    """On beat k of the bar."""

    musical = True

    def __init__(self, when: OnBeat) -> None:
        self._when = when

    def grid(self, point: GridPoint, bar_in_phrase: int) -> bool:
        """On that beat."""
        w = self._when
        return (
            point.position.denominator == 1
            and point.beat_in_bar == w.beat
            and (point.bar - 1) % w.every_bars == 0
            and bar_in_phrase >= w.from_bar
        )


class Phrase(Trigger):
    """At the start of each phrase."""

    musical = True

    def __init__(self, when: OnPhrase) -> None:
        self._every = when.every

    def grid(self, point: GridPoint, bar_in_phrase: int) -> bool:
        """On the first beat."""
        first = point.position.denominator == 1 and point.beat_in_bar == 1 and bar_in_phrase == 1
        return first and (point.phrase - 1) % self._every == 0


class Euclid(Trigger):
    """A euclidean pattern."""

    musical = True

    def __init__(self, when: OnEuclid) -> None:
        self._pattern = euclid(when.pulses, when.steps, when.rotate)
        self._step = fraction(when.step)

    def grid(self, point: GridPoint, bar_in_phrase: int) -> bool:
        """On its pulses."""
        place = (point.position - 1) / self._step
        return place.denominator == 1 and self._pattern[int(place) % len(self._pattern)]


class Happening(Trigger):
    """An event."""

    def __init__(self, when: OnEvent) -> None:
        self._when = when

    def event(self, event: Event) -> float | None:
        """If name, label and value fit."""
        w = self._when
        if event.name != w.source or (w.label and event.label != w.label):
            return None
        value = event.value[0] if isinstance(event.value, tuple) and event.value else event.value
        x = float(value) if isinstance(value, (int, float)) else 1.0
        if (w.at_least is not None and not x >= w.at_least) or (w.at_most is not None and not x <= w.at_most):
            return None
        return x


class Lock(Trigger):
    """The clock locks or unlocks."""

    def __init__(self, when: OnLock) -> None:
        self._name = f"transport.{when.on}ed"

    def event(self, event: Event) -> float | None:
        """At the transport's own event."""
        return 1.0 if event.name == self._name else None


class Crossing(Trigger):
    """A value crosses a level."""

    def __init__(self, when: OnCrossing) -> None:
        self._when = when
        self._above: bool | None = None

    def values(self, values: Mapping[str, Value], now: float) -> bool:
        """When it is on the other side; the side it starts on does not count."""
        w, x = self._when, number(values, self._when.source)
        if x is None:
            return False
        before = self._above
        if before is None:
            self._above = x >= w.level
        elif before and x < w.level - w.hysteresis:
            self._above = False
        elif not before and x >= w.level:
            self._above = True
        if before is None or before == self._above:
            return False
        return w.direction == "both" or (w.direction == "up") == self._above


class Tempo(Trigger):
    """The tempo has changed."""

    def __init__(self, when: OnTempo) -> None:
        self._by = when.by
        self._known: float | None = None

    def values(self, values: Mapping[str, Value], now: float) -> bool:
        """When it is far enough from the last."""
        bpm = number(values, "transport.bpm")
        if not bpm or not number(values, "transport.locked"):
            return False
        if self._known is None:
            self._known = bpm
        if abs(bpm - self._known) < self._by:
            return False
        self._known = bpm
        return True


class Silence(Trigger):
    """Nothing is to be heard."""

    def __init__(self, when: OnSilence) -> None:
        self._when = when
        self._since: float | None = None
        self._said = False

    def values(self, values: Mapping[str, Value], now: float) -> bool:
        """Once, when it has been quiet for long enough."""
        level = number(values, "level.rms")
        if level is None or level >= self._when.below:
            self._since, self._said = None, False
            return False
        self._since = now if self._since is None else self._since
        if self._said or now - self._since < self._when.seconds:
            return False
        self._said = True
        return True


def trigger(when: When) -> Trigger:
    """The trigger of a rule."""
    match when:
        case OnBeats():
            return Beats(when)
        case OnBeat():
            return Beat(when)
        case OnPhrase():
            return Phrase(when)
        case OnEuclid():
            return Euclid(when)
        case OnEvent():
            return Happening(when)
        case OnLock():
            return Lock(when)
        case OnCrossing():
            return Crossing(when)
        case OnTempo():
            return Tempo(when)
        case OnSilence():
            return Silence(when)
        case _:
            return Trigger()
