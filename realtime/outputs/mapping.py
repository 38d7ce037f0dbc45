"""Routes: any result of any plugin to any message.

A route takes numbers through these steps, in this order: ``low … high`` to 0 … 1, clamp, curve (or, with a
threshold, a gate), attack and release, invert, ``out_low … out_high``. Then it may wait for the next multiple of
so many beats, and for its rate. Pure: nothing here sends, sleeps or starts a thread.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from realtime.bus import Event, Value
from realtime.outputs.output import GridPoint, Message
from realtime.preset import RouteSettings

Routed = tuple[tuple[str, ...], Message]
"""A message and the names of the outputs it goes to; no names = all outputs that understand its address."""

_INDEX = re.compile(r"(?P<name>[^\[\]]+)(\[(?P<index>\d+)\])?\Z")

DIALECTS: Mapping[str, tuple[str, ...]] = {
    "osc": ("/",),
    "midi": ("note:", "cc:", "bend:", "pb", "pressure:", "program:"),
    "dmx": ("dmx:",),
    "os2l": ("btn:", "cmd:"),
}
"""Kind of output → how the addresses start that it understands."""


def understands(kind: str, address: str) -> bool:
    """Whether an output of this kind can send to `address`."""
    return address.startswith(DIALECTS.get(kind, ()))


def curve(kind: str, u: float) -> float:
    """The curve of a route over [0, 1]; its ends stay where they are, it never falls.

    ``exp`` rises late, ``log`` early (both by a factor of e³ in slope), ``s`` is a raised cosine. Beyond [0, 1]
    every curve goes on as a straight line of slope 1.
    """
    if kind == "linear" or not 0.0 < u < 1.0:
        return u
    if kind == "exp":
        return math.expm1(3.0 * u) / math.expm1(3.0)
    if kind == "log":
        return math.log1p(u * math.expm1(3.0)) / 3.0
    return 0.5 - 0.5 * math.cos(math.pi * u)


@dataclass(slots=True)
class Follower:
    """One-pole smoothing with its own time constant up and down.

    Parameters
    ----------
    attack, release : float
        Seconds after which 63 % of a step is done; 0 = at once.
    """

    attack: float
    release: float
    value: float | None = None

    def toward(self, target: float, seconds: float) -> float:
        """Move towards `target` for `seconds`; the first target is taken at once."""
        if self.value is None:
            self.value = target
            return target
        constant = self.attack if target > self.value else self.release
        if constant <= 0.0:
            self.value = target
        else:
            self.value += (target - self.value) * -math.expm1(-max(0.0, seconds) / constant)
        return self.value


class Route:
    """One route with its state.

    Parameters
    ----------
    settings : RouteSettings
        ``source`` may end in ``[n]``: component n of a vector (0 without).
    """

    def __init__(self, settings: RouteSettings) -> None:
        self.settings = settings
        match = _INDEX.match(settings.source)
        self.name = match["name"] if match else settings.source
        self._index = int(match["index"] or 0) if match else 0
        self.quantise = Fraction(settings.quantise).limit_denominator(192) if settings.quantise else None
        self._gate = False
        self._follower = Follower(settings.attack_ms / 1000.0, settings.release_ms / 1000.0)
        self._smooth = settings.attack_ms > 0.0 or settings.release_ms > 0.0
        self._falling = False
        self._moved = 0.0
        self._seen: Value | None = None
        self._waiting: tuple[float | str, ...] | None = None
        self._ripe = False
        self._last: tuple[float | str, ...] | None = None
        self._sent = -math.inf

    def shape(self, x: float) -> float:
        """A finite number through scale, clamp, curve or gate: what the follower aims at."""
        s = self.settings
        if s.threshold is not None:
            self._gate = x >= s.threshold if not self._gate else x >= s.threshold - s.hysteresis
            return 1.0 if self._gate else 0.0
        u = (x - s.low) / (s.high - s.low) if s.high != s.low else float(x >= s.low)
        if not math.isfinite(u):
            u = math.copysign(1e30, u) if not math.isnan(u) else 0.0
        if s.clamp:
            u = min(1.0, max(0.0, u))
        return curve(s.curve, u)

    def event(self, event: Event, now: float) -> None:
        """Take an event of this route's source."""
        s = self.settings
        if s.label and s.label != event.label:
            return
        if event.value is None and event.label is not None and not s.label:
            self._put((event.label,))
            return
        x = self._component(event.value) if event.value is not None else s.high
        if x is None:
            return
        u = self.shape(x)
        if s.release_ms > 0.0:
            # an event is over at once: its value falls back by the release
            left = self._follower.toward(0.0, now - self._moved) if self._falling else 0.0
            u = self._follower.value = max(u, left)
            self._falling, self._moved = True, now
        self._put((self._out(u),))

    def values(self, values: Mapping[str, Value], now: float) -> None:
        """Take the newest value of this route's source; lets smoothed numbers move on."""
        seconds, self._moved = now - self._moved, now
        if self._falling:
            u = self._follower.toward(0.0, seconds)
            if u < 1e-4:
                u, self._falling = 0.0, False
            self._offer((self._out(u),))
            return
        value = values.get(self.name)
        if value is None or (not self._smooth and value is self._seen):
            return
        self._seen = value
        if value.value is None:
            if value.label is not None:
                self._offer((value.label,))
            return
        x = self._component(value.value)
        if x is None:
            return
        u = self.shape(x)
        if self._smooth:
            u = self._follower.toward(u, seconds)
        self._offer((self._out(u),))

    def grid(self, point: GridPoint) -> None:
        """A point of the grid: what waited for it may go."""
        if (
            self.quantise is not None
            and self._waiting is not None
            and (point.position / self.quantise).denominator == 1
        ):
            self._ripe = True

    def take(self, now: float) -> Message | None:
        """The message that may go now, if there is one."""
        if self._waiting is None or (self.quantise is not None and not self._ripe):
            return None
        rate = self.settings.rate
        if rate and now - self._sent < 1.0 / rate:
            return None
        values, self._waiting, self._ripe = self._waiting, None, False
        self._last, self._sent = values, now
        return Message(self.settings.address, values)

    def _put(self, values: tuple[float | str, ...]) -> None:
        self._waiting = values

    def _offer(self, values: tuple[float | str, ...]) -> None:
        """As `_put`, but only what differs from what was sent last."""
        self._waiting = values if values != self._last else None

    def _out(self, u: float) -> float:
        s = self.settings
        u = 1.0 - u if s.invert else u
        out = s.out_low + u * (s.out_high - s.out_low)
        if s.clamp:
            out = min(max(s.out_low, s.out_high), max(min(s.out_low, s.out_high), out))
        return out

    def _component(self, value: float | tuple[float, ...]) -> float | None:
        if isinstance(value, tuple):
            if self._index >= len(value):
                return None
            value = value[self._index]
        return value if math.isfinite(value) else None


class Mapper:
    """All routes of a preset, driven by the outputs' thread.

    Parameters
    ----------
    routes : sequence of RouteSettings
        Disabled ones are left out.
    clock : callable
        Monotonic seconds, for rate limits between calls that carry no time.
    """

    def __init__(self, routes: Sequence[RouteSettings], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._routes = [Route(r) for r in routes if r.enabled]
        self._by_source: dict[str, list[Route]] = {}
        for route in self._routes:
            self._by_source.setdefault(route.name, []).append(route)

    @property
    def grids(self) -> tuple[Fraction, ...]:
        """Grids that must be fed to `on_grid`, as spacings in beats; empty without quantised routes."""
        return tuple(sorted({r.quantise for r in self._routes if r.quantise is not None}))

    def on_events(self, events: Sequence[Event]) -> list[Routed]:
        """Messages that new events make at once."""
        now, found = self._clock(), []
        for event in events:
            for route in self._by_source.get(f"{event.plugin}.{event.output}", ()):
                route.event(event, now)
                if (message := route.take(now)) is not None:
                    found.append((tuple(route.settings.to), message))
        return found

    def on_values(self, values: Mapping[str, Value], now: float) -> list[Routed]:
        """Messages of changed values, of falling envelopes, and of those whose rate now allows them."""
        found = []
        for route in self._routes:
            route.values(values, now)
            if (message := route.take(now)) is not None:
                found.append((tuple(route.settings.to), message))
        return found

    def on_grid(self, point: GridPoint) -> list[Routed]:
        """Messages that have waited for this point."""
        now, found = self._clock(), []
        for route in self._routes:
            route.grid(point)
            if (message := route.take(now)) is not None:
                found.append((tuple(route.settings.to), message))
        return found
