"""An output among the others: how far its grids have come, and what went wrong with it."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from typing import Any

from realtime.outputs.output import OutputPort
from realtime.outputs.scheduler import Cursor


class OutputSlot:
    """One output as the outputs' thread keeps it."""

    def __init__(self, port: OutputPort) -> None:
        self.port = port
        self.cursors = [Cursor(Fraction(step), counted=step in port.counted) for step in port.grids]
        self.enabled = port.settings.enabled
        self.strikes = 0
        self.paused_until = 0.0
        self.next_values = 0.0

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.port.settings.name or self.port.settings.kind

    def set_delay(self, latency: float) -> None:
        """Tell the cursors when points are due, after the musical instant."""
        for cursor in self.cursors:
            cursor.delay = self.port.settings.offset_ms / 1000.0 - self.port.lead - latency
            cursor.lead = self.port.lead

    def ready(self, now: float) -> bool:
        """Whether it may be called: switched on, and not resting after a failure."""
        return self.enabled and now >= self.paused_until

    def settings(self) -> dict[str, Any]:
        """Its settings as they stand, as a preset has them."""
        own = {"kind": self.port.settings.kind, "name": self.name}
        return self.port.settings.model_dump(exclude_defaults=True) | own

    def describe(self) -> dict[str, Any]:
        """What a person sees of it, as plain data."""
        return {
            "name": self.name,
            "kind": self.port.settings.kind,
            "enabled": self.enabled,
            "offset_ms": self.port.settings.offset_ms,
            **asdict(self.port.status),
            "late": sum(c.late for c in self.cursors),
            "skipped": sum(c.skipped for c in self.cursors),
            "worst_ms": 1000.0 * max((c.worst for c in self.cursors), default=0.0),
        }
