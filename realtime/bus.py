"""The bus: results of plugins and of the transport, for whoever polls.

Events are reliable and ordered, kept in a bounded log; a reader that falls further behind than the log is
long loses the oldest and is told how many. Values are latest-wins. Nobody calls back into the fast lane:
consumers hold a :class:`Reader` and poll, or wait for the signal that new events are there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


class Event(NamedTuple):
    """One thing that happened.

    Attributes
    ----------
    sequence : int
        Position in the bus's log, from 0, without holes.
    time : float
        Stream seconds at which it happened or will happen in the sound.
    emitted : float
        Stream seconds at which the host knew (committed) it.
    plugin, output : str
        Who says so; ``host`` and ``transport`` speak for the host itself.
    value : float, tuple of float or None
    label : str or None
    """

    sequence: int
    time: float
    emitted: float
    plugin: str
    output: str
    value: float | tuple[float, ...] | None
    label: str | None

    @property
    def name(self) -> str:
        """``plugin.output``."""
        return f"{self.plugin}.{self.output}"


class Value(NamedTuple):
    """Newest value of a continuous output: stream time, number or vector, label."""

    time: float
    value: float | tuple[float, ...] | None
    label: str | None


_new = tuple.__new__  # values are made a thousand times a second: past the named tuple's slower own way


@dataclass(slots=True)
class Reader:
    """A consumer's own place in the event log. Used by one thread at a time.

    Attributes
    ----------
    missed : int
        Events lost because this reader was slower than the log is long.
    """

    bus: Bus
    position: int
    missed: int = 0

    def poll(self, most: int = 1024) -> list[Event]:
        """New events in order, at most `most`; empty if there are none. Never blocks for long."""
        events, self.position, lost = self.bus._since(self.position, most)
        self.missed += lost
        return events

    def wait(self, timeout: float) -> bool:
        """Wait until there is something to poll; False when `timeout` seconds have passed."""
        return self.bus._wait(self.position, timeout)


class Tap(Protocol):
    """Takes every event and every value of a bus as it is published."""

    def event(self, event: Event) -> None:
        """An event was published."""

    def value(self, name: str, value: Value) -> None:
        """A value was replaced."""


class Bus:
    """Bounded log of events and table of newest values.

    Parameters
    ----------
    capacity : int
        Events kept; when full, the oldest are overwritten and slow readers count what they missed.
    tap : Tap, optional
        Is handed everything at once, on the writer's thread: for runs over files, where nothing may be missed
        and nobody waits.

    Notes
    -----
    One writer (the fast lane; others hand their events to it), any number of readers on any thread.
    """

    def __init__(self, capacity: int = 8192, tap: Tap | None = None) -> None:
        self._tap = tap
        self._log: deque[Event] = deque(maxlen=capacity)
        self._next = 0
        self._changed = threading.Condition(threading.Lock())
        self._values: dict[str, Value] = {}
        self._drops = 0

    def publish(
        self,
        time: float,
        emitted: float,
        plugin: str,
        output: str,
        value: float | tuple[float, ...] | None = None,
        label: str | None = None,
    ) -> None:
        """Append an event."""
        with self._changed:
            event = Event(self._next, time, emitted, plugin, output, value, label)
            self._log.append(event)
            self._next += 1
            self._changed.notify_all()
        if self._tap is not None:
            self._tap.event(event)

    def set(
        self, name: str, time: float, value: float | tuple[float, ...] | None, label: str | None = None
    ) -> None:
        """Replace the newest value of ``plugin.output``."""
        self._values[name] = newest = _new(Value, (time, value, label))
        if self._tap is not None:
            self._tap.value(name, newest)

    def put(self, names: Iterable[str], time: float, numbers: Iterable[float]) -> None:
        """Replace the newest values of several ``plugin.output`` by numbers."""
        values, tap = self._values, self._tap
        for name, number in zip(names, numbers):
            values[name] = newest = _new(Value, (time, float(number), None))
            if tap is not None:
                tap.value(name, newest)

    def take(self, names: Mapping[str, str], results: Iterable[tuple[str, float, Any, str | None]]) -> list[Any]:
        """Replace the newest values of one plugin's outputs.

        Parameters
        ----------
        names : mapping
            Output to ``plugin.output``.
        results : iterable of (output, time, value, label)

        Returns
        -------
        list
            The results of outputs that have no name there.
        """
        rest, values, tap = [], self._values, self._tap
        for result in results:
            output, time, value, label = result
            name = names.get(output)
            if name is None:
                rest.append(result)
                continue
            values[name] = newest = _new(Value, (time, value, label))
            if tap is not None:
                tap.value(name, newest)
        return rest

    def values(self) -> dict[str, Value]:
        """A copy of all newest values."""
        return self._values.copy()

    @property
    def counted(self) -> tuple[int, int]:
        """Another one than before whenever there may be other names of values."""
        return len(self._values), self._drops

    def value(self, name: str) -> Value | None:
        """The newest value of one output, or None."""
        return self._values.get(name)

    def mirror(self, event: Event) -> None:
        """Append an event of another bus (the engine's, seen from the front process), renumbered here."""
        self.publish(event.time, event.emitted, event.plugin, event.output, event.value, event.label)

    def drop(self, plugin: str) -> None:
        """Forget the values of a plugin that is gone."""
        self._drops += 1
        for name in [n for n in self._values.copy() if n.startswith(plugin + ".")]:
            self._values.pop(name, None)

    def reader(self) -> Reader:
        """A reader that starts at the next event."""
        with self._changed:
            return Reader(self, self._next)

    def _since(self, position: int, most: int) -> tuple[list[Event], int, int]:
        if position == self._next:  # most polls find nothing
            return [], position, 0
        with self._changed:
            log = self._log
            first = self._next - len(log)
            lost = max(0, first - position)
            start = position + lost
            end = min(start + most, self._next)
            # One by one: a deque finds what is near its ends at once, where a slice would go through it all.
            return [log[at] for at in range(start - first, end - first)], max(start, end), lost

    def _wait(self, position: int, timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._next > position, timeout)


def plain(value: Any) -> float | tuple[float, ...] | None:
    """A plugin's value as plain Python numbers (what the bus carries)."""
    if value is None:
        return None
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return tuple(float(v) for v in value)
    return float(value)
