"""All rules of a preset, driven by the outputs' thread as routes are."""

from __future__ import annotations

import math
import random
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from realtime.bus import Event, Value
from realtime.errors import UserError
from realtime.outputs.mapping import Routed
from realtime.outputs.output import GridPoint, Message
from realtime.outputs.rules.settings import FINEST, Fixed, Ramp, RuleSettings, Send, Then
from realtime.outputs.rules.slots import Draw, Values, drawer, number
from realtime.outputs.rules.triggers import trigger

RAMP_RATE = 40.0
_CLOCKLESS = ("lock", "unlock", "silence", "manual")
MOST_PENDING = 512
"""Follow-ups and ramps that may be under way; further ones are dropped and counted."""


class Rule:
    """One rule with its state."""

    def __init__(self, settings: RuleSettings) -> None:
        self.settings = settings
        self.chance = random.Random(settings.seed or zlib.crc32(settings.name.encode()))
        self.trigger = trigger(settings.when)
        self.muted = settings.muted
        self.fired = 0
        self.last = 0.0
        self.sends = [_Sender(s, self.chance) for s in settings.send]
        self.then = [(t, [_Sender(s, self.chance) for s in t.send]) for t in settings.then]

    def may(self, values: Values, locked: bool) -> bool:
        """Whether all conditions hold; chance is drawn last, so that it does not depend on the others' order."""
        c = self.settings.only_if
        if not (locked or c.unlocked or self.settings.when.on in _CLOCKLESS):
            return False
        if c.confidence and (number(values, "transport.confidence") or 0.0) < c.confidence:
            return False
        if c.bpm is not None and not c.bpm[0] <= (number(values, "transport.bpm") or 0.0) <= c.bpm[1]:
            return False
        if c.section:
            now = values.get("structure.section")
            if now is None or now.label not in c.section:
                return False
        for name, (low, high) in c.values.items():
            x = number(values, name)
            if x is None or not low <= x <= high:
                return False
        return c.probability >= 1.0 or self.chance.random() < c.probability


class _Sender:
    def __init__(self, send: Send, chance: random.Random) -> None:
        self.to, self.address = tuple(send.to), send.address
        self.draws: list[Draw] = [drawer(s, chance) for s in send.values]


@dataclass
class _Later:
    """Something that is due at a position of the grid, or at an instant."""

    rule: Rule
    senders: list[_Sender]
    other: str
    strength: float
    position: Fraction | None
    at: float


@dataclass
class _Ramping:
    rule: Rule
    sender: _Sender
    drawn: list[Fixed | Ramp]
    begin: float
    next: float = 0.0
    sent: tuple[float | str, ...] = field(default=())


class RuleBook:
    """A router (see :class:`realtime.outputs.runner.Router`) for rules.

    Parameters
    ----------
    rules : sequence of RuleSettings
    phrase_bars : int
        Bars of a phrase, to know the place in it before the first change of phrase.
    clock : callable
        Monotonic seconds.

    Notes
    -----
    `fire`, `mute`, `scale`, `enable` and `panic` may be called from any thread; what they send leaves with the
    next round of the outputs' thread (10 ms). `settings` and `status` may be read from any thread, and tell what
    was called before. Everything else belongs to the outputs' thread.
    """

    def __init__(
        self, rules: Sequence[RuleSettings], phrase_bars: int = 4, clock: Callable[[], float] = time.monotonic
    ) -> None:
        names = [r.name for r in rules]
        for name in names:
            if names.count(name) > 1:
                raise UserError(f"two rules are called '{name}'; give one another name")
        for settings in rules:
            for then in settings.then:
                if then.rule and then.rule not in names:
                    raise UserError(f"rule '{settings.name}': there is no rule '{then.rule}' to follow up with")
        self._clock = clock
        self._phrase_bars = phrase_bars
        self.rules = [Rule(r) for r in rules]
        self._by_name = {r.settings.name: r for r in self.rules}
        self._enabled = {r.settings.name for r in self.rules if r.settings.enabled}
        self._later: list[_Later] = []
        self._ramps: list[_Ramping] = []
        self._values: Values = {}
        self._point: GridPoint | None = None
        self._seen = -math.inf
        self._first_bar = 0
        self._orders: deque[Callable[[], list[Routed]]] = deque(maxlen=256)
        self.dropped = 0

    # -- from any thread ----------------------------------------------------------------------------------

    def fire(self, name: str) -> None:
        """Fire a rule by hand, whatever its conditions are (``rule.fire``; a test, too)."""
        rule = self._find(name)
        self._orders.append(lambda: self._run(rule, 1.0, self._clock()))

    def mute(self, name: str, on: bool) -> None:
        """Let a rule keep time and send nothing."""
        self._find(name).muted = on

    def enable(self, name: str, on: bool) -> None:
        """Switch a rule on or off."""
        self._find(name)
        self._enabled = self._enabled | {name} if on else self._enabled - {name}

    def scale(self, name: str, factor: float) -> None:
        """Twice (2) or half (0.5) as often, for rules of beats."""
        if factor not in (0.5, 2.0):
            raise UserError(f"rule '{name}': factor must be 2 or 0.5 (given {factor:g})")
        self._find(name).trigger.scale(factor)

    def panic(self) -> None:
        """Forget all follow-ups and ramps; outputs let go by themselves."""
        self._orders.append(self._forget)

    def settings(self) -> list[RuleSettings]:
        """The rules as they stand, as a preset has them: switched on or off, muted, scaled."""
        return [
            r.settings.model_copy(
                update={
                    "enabled": r.settings.name in self._enabled,
                    "muted": r.muted,
                    "when": r.trigger.settled(r.settings.when),
                }
            )
            for r in self.rules
        ]

    def status(self) -> list[dict[str, Any]]:
        """What a person sees of each rule, as plain data."""
        return [
            {
                "name": r.settings.name,
                "when": r.settings.when.on,
                "enabled": r.settings.name in self._enabled,
                "muted": r.muted,
                "fired": r.fired,
                "last": r.last,
            }
            for r in self.rules
        ]

    # -- the outputs' thread ------------------------------------------------------------------------------

    @property
    def grids(self) -> tuple[Fraction, ...]:
        """One grid that serves all rules: as fine as follow-ups, ramps and halving may ask for."""
        musical = any(r.trigger.musical or self._follows(r.settings.then) for r in self.rules)
        return (FINEST,) if musical else ()

    def on_events(self, events: Sequence[Event]) -> list[Routed]:
        """Messages of rules that events fire."""
        now, found = self._clock(), []
        for rule in self._active():
            for event in events:
                strength = rule.trigger.event(event)
                if strength is not None and math.isfinite(strength):
                    found += self._try(rule, strength, now)
        return found

    def on_values(self, values: Mapping[str, Value], now: float) -> list[Routed]:
        """Messages of rules that values fire, of orders, of follow-ups after milliseconds, and of ramps."""
        self._values = values
        found: list[Routed] = []
        while self._orders:
            found += self._orders.popleft()()
        for rule in self._active():
            if rule.trigger.values(values, now):
                found += self._try(rule, 1.0, now)
        for item in [x for x in self._later if now >= x.at]:
            self._later.remove(item)
            found += self._follow(item, now)
        return found + self._ramp(now)

    def on_grid(self, point: GridPoint) -> list[Routed]:
        """Messages of rules and follow-ups that are due at this point."""
        now, before = self._clock(), self._point
        if before is None:
            self._first_bar = point.bar - (point.bar - 1) % self._phrase_bars
        elif point.phrase != before.phrase or point.bar < self._first_bar:
            self._first_bar = point.bar
        self._point, self._seen = point, now
        found: list[Routed] = []
        for item in [x for x in self._later if x.position is not None and point.position >= x.position]:
            self._later.remove(item)
            found += self._follow(item, now)
        for rule in self._active():
            if rule.trigger.musical and rule.trigger.grid(point, point.bar - self._first_bar + 1):
                found += self._try(rule, 1.0, now, on_grid=True)
        return found

    # -- inside -------------------------------------------------------------------------------------------

    def _active(self) -> list[Rule]:
        return [r for r in self.rules if r.settings.name in self._enabled]

    def _find(self, name: str) -> Rule:
        if name not in self._by_name:
            raise UserError(f"there is no rule '{name}' ({', '.join(self._by_name) or 'this preset has none'})")
        return self._by_name[name]

    @staticmethod
    def _follows(then: Sequence[Then]) -> bool:
        return any(t.after_beats or t.after_bars for t in then)

    def _try(self, rule: Rule, strength: float, now: float, on_grid: bool = False) -> list[Routed]:
        # points of the grid come only while the clock may be followed; values say it some ms later
        locked = on_grid or bool(number(self._values, "transport.locked"))
        return self._run(rule, strength, now) if rule.may(self._values, locked) else []

    def _run(self, rule: Rule, strength: float, now: float) -> list[Routed]:
        rule.fired += 1
        rule.last = now
        found = self._send(rule, rule.sends, strength, now)
        for then, senders in rule.then:
            if len(self._later) + len(self._ramps) >= MOST_PENDING:
                self.dropped += 1
                continue
            self._later.append(self._due(rule, then, senders, strength, now))
        return found

    def _due(self, rule: Rule, then: Then, senders: list[_Sender], strength: float, now: float) -> _Later:
        if then.after_ms:
            return _Later(rule, senders, then.rule, strength, None, now + then.after_ms / 1000.0)
        point = self._point
        per_bar = point.beats_per_bar if point is not None else 4
        beats = then.after_beats or then.after_bars * per_bar
        bpm = number(self._values, "transport.bpm") or 120.0
        # the grid is the finest there is, so its last point is where the music is
        running = point is not None and now - self._seen < 0.5
        position = point.position + Fraction(round(beats * 24), 24) if running and point is not None else None
        # where the clock stops meanwhile, the follow-up still comes: what it may end must not stay for ever
        patience = 1.5 if position is not None else 1.0
        return _Later(rule, senders, then.rule, strength, position, now + patience * beats * 60.0 / bpm)

    def _follow(self, item: _Later, now: float) -> list[Routed]:
        if item.other:
            return self._run(self._by_name[item.other], item.strength, now)
        return self._send(item.rule, item.senders, item.strength, now)

    def _send(self, rule: Rule, senders: Sequence[_Sender], strength: float, now: float) -> list[Routed]:
        found: list[Routed] = []
        for sender in senders:
            drawn = [draw(strength, self._values) for draw in sender.draws]
            if rule.muted:
                continue
            self._ramps = [
                r for r in self._ramps if (r.sender.address, r.sender.to) != (sender.address, sender.to)
            ]
            if any(isinstance(d, Ramp) for d in drawn):
                self._ramps.append(_Ramping(rule, sender, drawn, now))
            else:
                fixed = tuple(d for d in drawn if not isinstance(d, Ramp))
                found.append((sender.to, Message(sender.address, fixed)))
        return found + self._ramp(now)

    def _ramp(self, now: float) -> list[Routed]:
        """Ramps run on the tempo of the moment; the last value is exact."""
        found: list[Routed] = []
        bpm = number(self._values, "transport.bpm") or 120.0
        for ramp in [*self._ramps]:
            beats = (now - ramp.begin) * bpm / 60.0
            ended = all(beats >= d.beats for d in ramp.drawn if isinstance(d, Ramp))
            if ended:
                self._ramps.remove(ramp)
            if now < ramp.next and not ended:
                continue
            ramp.next = now + 1.0 / RAMP_RATE
            values = tuple(
                d.ramp[0] + min(1.0, beats / d.beats) * (d.ramp[1] - d.ramp[0]) if isinstance(d, Ramp) else d
                for d in ramp.drawn
            )
            if values != ramp.sent and not ramp.rule.muted:
                ramp.sent = values
                found.append((ramp.sender.to, Message(ramp.sender.address, values)))
        return found

    def _forget(self) -> list[Routed]:
        self._later.clear()
        self._ramps.clear()
        return []
