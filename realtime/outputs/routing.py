"""What decides which messages go where: a preset's routes and rules, as one router for the outputs' thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from realtime.bus import Event, Value
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
