"""What other plugins have said, as it goes along with a job: newest values and newest events of its sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from realtime.bus import Bus, Reader
from realtime.hosting.kinds import Latest
from realtime.hosting.kindslots import matches

if TYPE_CHECKING:
    from realtime.hosting.slow.slot import SlowSlot

Heard = dict[str, tuple[float, Any, str | None, float]]
"""By ``plugin.output``: time, value, label, age, as :class:`~realtime.hosting.kinds.Latest`."""

MOST_RESULTS = 64
"""Results that go along with a job."""

MOST_VALUES = 128
"""Longest vector that goes along."""

MOST_LABEL = 2000

_EVENTS = 2048
"""Newest events that are looked through."""


def snapshot(bus: Bus, slot: SlowSlot, now: float) -> Heard:
    """The newest result of each output that a job reads. From any thread.

    Parameters
    ----------
    bus : Bus
    slot : SlowSlot
        Of the job; its own results are left out.
    now : float
        Stream seconds that ages are counted from.
    """
    if not slot.sources:
        return {}
    end = bus.reader().position
    events = Reader(bus, max(0, end - _EVENTS)).poll(_EVENTS)
    values = bus.values()
    found: dict[str, Latest] = {}
    for event in events:
        found[event.name] = Latest(event.time, event.value, event.label, max(0.0, now - event.time))
    for name, v in values.items():
        found[name] = Latest(v.time, v.value, v.label, max(0.0, now - v.time))
    own = slot.identifier + "."
    told: Heard = {}
    for name in sorted(found):
        if len(told) < MOST_RESULTS and not name.startswith(own) and matches(name, slot.sources):
            time, value, label, age = found[name]
            if not (isinstance(value, tuple) and len(value) > MOST_VALUES):
                told[name] = (time, value, label[:MOST_LABEL] if label else label, age)
    return told


def received(heard: Mapping[str, Any]) -> dict[str, Latest]:
    """The same, at the other end of the pipe."""
    return {
        name: Latest(time, tuple(value) if isinstance(value, list) else value, label, age)
        for name, (time, value, label, age) in heard.items()
    }
