"""OSC out: results to one target in the dialect of a profile.

Beats leave at their musical deadline, events at once, values at each line's rate when they change. Phases run from
the last beat that was sent, so they agree with the beats and share the output's offset.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from realtime.bus import Event, Value
from realtime.outputs import dialect
from realtime.outputs.dialect import GRID_SOURCES, PHASE_SOURCES, Line
from realtime.outputs.osc_wire import UdpTarget, bundles, message
from realtime.outputs.output import GridPoint, Host, Message, OutputPort, OutputSettings

BEAT = Fraction(1)


class OscSettings(OutputSettings):
    """Settings of an OSC target."""

    kind: Literal["osc"] = "osc"
    host: str = Field("127.0.0.1", min_length=1, max_length=253)
    port: int = Field(0, ge=0, le=65535, description="0 = the profile's usual port")
    profile: str = Field("generic", description="a shipped profile, or a path to a .toml file")
    prefix: str | None = Field(
        None, pattern=r"^(/[^\s#*,?\[\]{}]+)?$", description="empty or '/…'; unset = the profile's"
    )
    bundles: bool = Field(False, description="put messages of one moment into one bundle")
    ahead_ms: float = Field(
        0.0, ge=0.0, le=500.0, description="with bundles: send beats so much early, with the timetag of the beat"
    )
    rates: dict[str, Annotated[float, Field(ge=0.0, le=500.0)]] = Field(
        default_factory=dict, description="most messages a second by address (without prefix); 0 = never"
    )
    pulse_ms: float = Field(60.0, ge=5.0, le=1000.0, description="length of a 1 → 0 pulse")


class _Sender:
    """A line of the profile with what was last sent for it, by address."""

    __slots__ = ("interval", "last", "line", "next", "sent_at")

    def __init__(self, line: Line, rate: float) -> None:
        self.line = line
        self.interval = 1.0 / rate
        self.next = 0.0
        self.last: dict[str, float | str] = {}
        self.sent_at: dict[str, float] = {}

    def due(self, now: float) -> bool:
        """Whether the rate allows sending now; if so, the next slot is set."""
        if now < self.next:
            return False
        self.next = max(self.next + self.interval, now + 0.5 * self.interval)
        return True

    def changed(self, address: str, value: float | str, now: float) -> bool:
        """Whether `value` is worth sending: new, moved by the line's step, or old enough to be repeated."""
        before = self.last.get(address)
        if before is None:
            return True
        if self.line.refresh and now - self.sent_at[address] >= self.line.refresh:
            return True
        if isinstance(value, str) or isinstance(before, str):
            return value != before
        return value != before and abs(value - before) >= self.line.step

    def note(self, address: str, value: float | str, now: float) -> None:
        self.last[address] = value
        self.sent_at[address] = now


class OscOutput(OutputPort):
    """One OSC target. Route messages are sent as they are: the address, then the numbers as floats."""

    Settings: ClassVar[type[OutputSettings]] = OscSettings
    grids: Sequence[Fraction] = (BEAT,)

    MOST_ADDRESSES = 512
    """Addresses a wildcard line may create; more are dropped and counted."""

    def __init__(self, settings: OutputSettings, host: Host) -> None:
        super().__init__(settings, host)
        assert isinstance(settings, OscSettings)
        self._settings = settings
        self._target: UdpTarget | None = None
        self._pulses: dict[str, float] = {}
        self._point: GridPoint | None = None
        self._grid: list[_Sender] = []
        self._phases: list[_Sender] = []
        self._values: list[_Sender] = []
        self._events: dict[str, list[_Sender]] = {}
        self._wild: list[tuple[str, _Sender]] = []
        self._queue: list[bytes] = []
        self._last: tuple[str, tuple[float | int | str, ...]] = ("", ())

    def open(self) -> None:
        """Read the profile and resolve the target."""
        profile = dialect.load(self._settings.profile)
        prefix = profile.prefix if self._settings.prefix is None else self._settings.prefix
        for line in profile.send:
            rate = self._settings.rates.get(line.address, line.rate)
            if rate > 0.0:
                self._sort(_Sender(line.model_copy(update={"address": prefix + line.address}), rate))
        fastest = max((1.0 / s.interval for s in [*self._phases, *self._values]), default=0.0)
        self.values_rate = max(fastest, 50.0)  # pulses end in time, too
        self._target = UdpTarget(self._settings.host, self._settings.port or profile.port)
        # bundles carry the beat's own time, so they may leave before it
        self.lead = self._settings.ahead_ms / 1000.0 if self._settings.bundles else 0.0

    def on_grid(self, point: GridPoint) -> None:
        """Send what belongs to a beat."""
        if point.step != BEAT:
            return
        before, self._point = self._point, point
        for sender in self._grid:
            value = _grid_value(sender.line.source, point, before)
            if value is not None:
                self._put(sender, sender.line.address, value, point.due)
        timetag = 0.0
        if self._settings.bundles and self.lead:
            timetag = time.time() + point.due + self.lead - time.monotonic()
        self._flush(timetag)

    def on_events(self, events: Sequence[Event]) -> None:
        """Send events at once."""
        now = time.monotonic()
        for event in events:
            name = f"{event.plugin}.{event.output}"
            senders = self._events.get(name, ())
            for sender in senders:
                self._event(sender, event, now)
            for start, sender in self._wild:
                if name.startswith(start):
                    self._event(sender, event, now)
        self._flush()

    def on_values(self, values: Mapping[str, Value]) -> None:
        """Send phases and changed values whose rate allows it, and end pulses."""
        now = time.monotonic()
        for address in [a for a, end in self._pulses.items() if end <= now]:
            del self._pulses[address]
            self._encode(address, (0.0,))
        for sender in self._phases:
            if sender.due(now) and (phase := self._phase(sender.line.source, values, now)) is not None:
                self._value(sender, sender.line.address, phase, now)
        for sender in self._values:
            if sender.due(now) and self._may(sender.line.source, values):
                self._bus_values(sender, values, now)
        self._flush()

    def send(self, message: Message) -> None:
        """Send a route's message."""
        if not message.address.startswith("/"):
            self.status.dropped += 1
            return
        self._encode(message.address, tuple(v if isinstance(v, str) else float(v) for v in message.values))
        self._flush()

    def on_test(self, point: GridPoint) -> None:
        """Send the pulses of a beat that is none."""
        for sender in self._grid:
            if sender.line.source == "grid.beat":
                self._put(sender, sender.line.address, 1.0, point.due)
        self._flush()

    def on_stop(self) -> None:
        """End all pulses; phases rest until the next beat."""
        self._point = None
        for address in self._pulses:
            self._encode(address, (0.0,))
        self._pulses.clear()
        self._flush()

    def close(self) -> None:
        """Release the socket."""
        if self._target is not None:
            self._target.close()
            self._target = None

    def _sort(self, sender: _Sender) -> None:
        source = sender.line.source
        if source in GRID_SOURCES:
            self._grid.append(sender)
        elif source in PHASE_SOURCES:
            self._phases.append(sender)
        else:
            self._values.append(sender)
            if source.endswith(".*"):
                self._wild.append((source[:-1], sender))
            else:
                self._events.setdefault(source, []).append(sender)

    def _event(self, sender: _Sender, event: Event, now: float) -> None:
        line = sender.line
        if line.label and line.label != event.label:
            return
        value: float | str | None = event.value[0] if isinstance(event.value, tuple) and event.value else None
        if isinstance(event.value, (int, float)):
            value = float(event.value)
        if line.type == "s":
            value = event.label if event.label is not None else None if value is None else f"{value:g}"
        elif value is None:
            value = 1.0  # an event without a number still happened
        if value is not None:
            self._put(sender, dialect.fill(line.address, event.output, event.label), value, now)

    def _bus_values(self, sender: _Sender, values: Mapping[str, Value], now: float) -> None:
        line = sender.line
        if not line.source.endswith(".*"):
            if (value := values.get(line.source)) is not None:
                self._value(
                    sender, dialect.fill(line.address, line.source.split(".", 1)[1], value.label), value, now
                )
            return
        start = line.source[:-1]
        for name, value in values.items():
            if name.startswith(start) and not isinstance(value.value, tuple):  # a vector is no one number
                self._value(sender, dialect.fill(line.address, name[len(start) :], value.label), value, now)

    def _value(self, sender: _Sender, address: str, value: Value | float, now: float) -> None:
        number: float | str | None
        if isinstance(value, Value):
            raw = value.value[0] if isinstance(value.value, tuple) and value.value else value.value
            number = value.label if sender.line.type == "s" else raw if isinstance(raw, (int, float)) else None
        else:
            number = value
        if number is not None:
            self._put(sender, address, number, now, only_changes=True)

    def _put(
        self, sender: _Sender, address: str, value: float | str, now: float, only_changes: bool = False
    ) -> None:
        line = sender.line
        if isinstance(value, float | int):
            converted = line.number(float(value)) if math.isfinite(value) else None
            if converted is None:
                return
            value = round(converted) if line.type == "i" else converted
        if address not in sender.last and len(sender.last) >= self.MOST_ADDRESSES:
            self.status.dropped += 1
            return
        if only_changes and not sender.changed(address, value, now):
            return
        sender.note(address, value, now)
        self._encode(address, (value,))
        if line.pulse:
            self._pulses[address] = now + self.lead + self._settings.pulse_ms / 1000.0

    def _phase(self, source: str, values: Mapping[str, Value], now: float) -> float | None:
        """Phase since the beat that was sent last; None before the first and long after the last."""
        bpm, point = _number(values.get("transport.bpm")), self._point
        if point is None or not bpm:
            return None
        elapsed = (now - point.due - self.lead) * bpm / 60.0
        if not -1.0 <= elapsed < 2.0:
            return None
        number, in_bar, per_bar = int(point.position), point.beat_in_bar - 1, max(1, point.beats_per_bar)
        if elapsed < 0.0:  # a bundle left ahead of its beat
            elapsed, number, in_bar = elapsed + 1.0, number - 1, (in_bar - 1) % per_bar
        beat = min(elapsed, 1.0 - 1e-6)  # the next beat starts the next cycle, no earlier
        if source == "phase.beat":
            return beat
        if source == "phase.bar":
            return (in_bar + beat) / per_bar
        if source == "phase.total":
            return number + beat
        if source == "phase.beats4" and per_bar == 4:
            return (in_bar + beat) / 4
        cycle = 2 if source == "phase.beats2" else 4
        return ((number - 1) % cycle + beat) / cycle

    def _may(self, source: str, values: Mapping[str, Value]) -> bool:
        """Whether a value may be sent: no tempo before the clock is locked, unless beats are sent all the same."""
        if source != "transport.bpm" or (self._point is not None and not self._point.locked):
            return True
        return _number(values.get("transport.locked")) != 0.0

    def _encode(self, address: str, arguments: tuple[float | int | str, ...]) -> None:
        try:
            self._queue.append(message(address, *arguments))
        except ValueError as e:
            self.status.errors += 1
            self.status.message = str(e)
            return
        self._last = (address, arguments)

    def _flush(self, timetag: float = 0.0) -> None:
        queue = self._queue
        if not queue:
            return
        target = self._target
        if target is None:
            queue.clear()
            return
        together = self._settings.bundles and (len(queue) > 1 or timetag)
        packets = bundles(queue, timetag) if together else queue
        left = sum(target.send(data) for data in packets)
        if left:
            address, arguments = self._last
            text = " ".join(a if isinstance(a, str) else f"{a:.4g}" for a in arguments)
            self.sent(f"{address} {text}", len(queue) if together else left)
        queue.clear()
        self.status.errors, self.status.dropped = target.errors, max(self.status.dropped, target.dropped)
        self.status.message = target.fault


def _number(value: Value | None) -> float | None:
    return float(value.value) if value is not None and isinstance(value.value, (int, float)) else None


def _grid_value(source: str, point: GridPoint, before: GridPoint | None) -> float | None:
    """What a grid line sends at `point`, the beat after `before`; None = nothing."""
    match source:
        case "grid.beat":
            return 1.0
        case "grid.downbeat":
            return 1.0 if point.beat_in_bar == 1 else None
        case "grid.phrase":
            return 1.0 if before is not None and point.phrase != before.phrase else None
        case "grid.beat_number":
            return float(int(point.position))
        case "grid.beat_in_bar":
            return float(point.beat_in_bar)
        case "grid.bar_number":
            return float(point.bar)
        case "grid.phrase_number":
            return float(point.phrase)
        case _:
            return point.tempo
