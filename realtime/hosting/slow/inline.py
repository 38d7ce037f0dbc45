"""Event plugins without a worker, for runs over files: everything happens in order, nothing is left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from realtime.bus import Bus
from realtime.hosting.kindslots import EventCaller
from realtime.hosting.plugin import Feature, PluginFactory
from realtime.hosting.slow.ear import snippet

if TYPE_CHECKING:
    from realtime.hosting.slowlane import SlowLane

_MARGIN = 0.02
"""Seconds of sound that must have been heard beyond a snippet: more than any resampler delays it."""


class InlineEvents(EventCaller):
    """An event slot that looks for its events and its sound itself; ``attach`` it before it runs."""

    def __init__(
        self, factory: PluginFactory, parameters: dict[str, float], texts: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(factory, parameters, texts)
        self._waiting = deque()

    def attach(self, bus: Bus, side: SlowLane) -> None:
        """Where events and sound come from."""
        self._reader = bus.reader()
        self._side = side

    def ready(self, now: float) -> bool:
        """Whether there is an event whose sound has been heard."""
        for event in self._reader.poll():
            if self.enabled and self.wants(event):
                self.offer(event.name, event.time, event.value, event.label)
        return bool(self._waiting) and self._heard(self._waiting[0].time, now)

    def run(self, now: float) -> list[Feature]:
        """Call the plugin for each of them. Raises ``PluginError``."""
        results: list[Feature] = []
        sound = self._side.sound
        assert sound is not None
        while self._waiting and self._heard(self._waiting[0].time, now):
            happening = self._waiting[0]
            block = snippet(sound, self.spec, happening.time + self.descriptor.after)
            assert block is not None
            self.give(happening, *block)
            results += super().run(now)
        return results

    def _heard(self, event: float, now: float) -> bool:
        return event + self.descriptor.after + _MARGIN <= now
