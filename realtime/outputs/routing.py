"""What decides which messages go where: a preset's routes and rules, as one router for the outputs' thread."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction

from realtime.bus import Event, Value
from realtime.errors import UserError
from realtime.outputs.mapping import Mapper, Routed
from realtime.outputs.output import GridPoint
from realtime.outputs.rules.book import RuleBook
from realtime.preset import Preset


class Routing:
    """Routes and rules of a preset (see :class:`realtime.outputs.runner.Router`).

    Raises
    ------
    UserError
        Rules that cannot be: two of a name, or a follow-up that is not there.
    """

    def __init__(self, preset: Preset) -> None:
        self.rules = RuleBook(preset.rules, preset.transport.phrase_bars)
        self._routers = (Mapper(preset.routes), self.rules)

    @property
    def grids(self) -> tuple[Fraction, ...]:
        """All grids that are needed, each once."""
        return tuple(sorted({g for r in self._routers for g in r.grids}))

    def on_events(self, events: Sequence[Event]) -> list[Routed]:
        """Messages that new events make."""
        return [m for r in self._routers for m in r.on_events(events)]

    def on_values(self, values: Mapping[str, Value], now: float) -> list[Routed]:
        """Messages that the newest values make."""
        return [m for r in self._routers for m in r.on_values(values, now)]

    def on_grid(self, point: GridPoint) -> list[Routed]:
        """Messages of those who asked for this grid."""
        return [m for r in self._routers if point.step in r.grids for m in r.on_grid(point)]


def check(preset: Preset, results: Collection[str], outputs: Collection[str]) -> None:
    """Whether everything that routes and rules hear and send to is there.

    Parameters
    ----------
    results : collection of str
        ``plugin.output`` of all that the preset's plugins and clock publish.
    outputs : collection of str
        Names of the preset's outputs.

    Raises
    ------
    UserError
        One line that names the route or rule, what is missing, and the nearest that is there.
    """
    for route in preset.routes:
        _heard(f"route to '{route.address}'", route.source.split("[")[0], results)
        _there(f"route from '{route.source}'", route.to, outputs)
    for rule in preset.rules:
        source = getattr(rule.when, "source", None)
        for name in [*([source] if source else []), *rule.only_if.values]:
            _heard(f"rule '{rule.name}'", name, results)
        for send in [*rule.send, *(s for then in rule.then for s in then.send)]:
            _there(f"rule '{rule.name}'", send.to, outputs)
    RuleBook(preset.rules)


_ALWAYS = ("input.", "host.", "cost.")
_CLOCK_EVENTS = ("transport.locked", "transport.unlocked", "transport.relocated")


def _heard(who: str, name: str, results: Collection[str]) -> None:
    if name not in results and name not in _CLOCK_EVENTS and not name.startswith(_ALWAYS):
        raise UserError(f"{who}: there is no result '{name}' in this preset{_nearest(name, results)}")


def _there(who: str, names: Collection[str], outputs: Collection[str]) -> None:
    for name in names:
        if name not in outputs:
            raise UserError(f"{who}: there is no output '{name}'{_nearest(name, outputs)}")


def _nearest(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.4)
    return f"; did you mean '{near[0]}'?" if near else ""
