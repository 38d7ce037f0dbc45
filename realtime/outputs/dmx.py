"""Lights directly: DMX over sACN or Art-Net, whose channels are targets of routes.

A small patch table gives channels names. Routes and rules send to ``dmx:NAME`` or ``dmx:UNIVERSE/CHANNEL``,
numbers from 0 to 1. When the clock stops, on panic, and at the end everything goes dark.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from realtime.bus import Value
from realtime.outputs.dmx_wire import ARTNET_PORT, CHANNELS, SACN_PORT, artnet, sacn, sacn_multicast
from realtime.outputs.osc_wire import UdpTarget
from realtime.outputs.output import GridPoint, Host, Message, OutputPort, OutputSettings

_WIDTH = {"8bit": 1, "16bit": 2, "rgb": 3, "rgbw": 4}
_KEEP_ALIVE = 0.8  # E1.31, 6.6.2: at least one packet in 800–1000 ms while nothing changes
_REPEATS = 3  # … after three packets of the last state


class Fixture(BaseModel):
    """A line of the patch table."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    universe: int = Field(1, ge=0, le=63999)
    address: int = Field(ge=1, le=CHANNELS, description="first channel")
    mode: Literal["8bit", "16bit", "rgb", "rgbw"] = "8bit"

    @model_validator(mode="after")
    def _fits(self) -> Fixture:
        if self.address + _WIDTH[self.mode] - 1 > CHANNELS:
            raise ValueError(f"{self.mode} at channel {self.address} does not fit into {CHANNELS} channels")
        return self


class DmxSettings(OutputSettings):
    """Settings of a DMX sender."""

    kind: Literal["dmx"] = "dmx"
    protocol: Literal["sacn", "artnet"] = "sacn"
    host: str = Field("127.0.0.1", min_length=1, max_length=253, description="receiver; sACN also 'multicast'")
    port: int = Field(0, ge=0, le=65535, description="0 = the protocol's own")
    universe: int = Field(1, ge=0, le=63999, description="of ``dmx:CHANNEL`` without a universe")
    priority: int = Field(100, ge=0, le=200, description="of sACN, against other senders")
    rate: float = Field(40.0, ge=1.0, le=44.0, description="most packets a second and universe")
    fixtures: list[Fixture] = Field(default_factory=list, max_length=512)

    @model_validator(mode="after")
    def _patch(self) -> DmxSettings:
        names = [f.name for f in self.fixtures]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two fixtures are called '{name}'")
        lowest, highest = (1, 63999) if self.protocol == "sacn" else (0, 32767)
        for universe in (self.universe, *(f.universe for f in self.fixtures)):
            if not lowest <= universe <= highest:
                raise ValueError(f"universe {universe}: {self.protocol} has {lowest} to {highest}")
        if self.host == "multicast" and self.protocol != "sacn":
            raise ValueError("host 'multicast' is for sACN; Art-Net takes a receiver's address")
        return self


class _Universe:
    """Channels of one universe, and how they get on the wire."""

    __slots__ = ("channels", "fresh", "number", "sent_at", "sequence", "target")

    def __init__(self, number: int, target: UdpTarget) -> None:
        self.number, self.target = number, target
        self.channels = bytearray(CHANNELS)
        self.sequence = 0
        self.sent_at = -math.inf
        self.fresh = _REPEATS


class DmxOutput(OutputPort):
    """A DMX sender."""

    Settings: ClassVar[type[OutputSettings]] = DmxSettings
    MOST_UNIVERSES = 64
    """Universes that routes may open; further ones are dropped and counted."""

    def __init__(self, settings: OutputSettings, host: Host) -> None:
        super().__init__(settings, host)
        assert isinstance(settings, DmxSettings)
        self._settings = settings
        self._fixtures = {f.name: f for f in settings.fixtures}
        self._universes: dict[int, _Universe] = {}
        self._cid = uuid.uuid4()
        self._interval = 1.0 / settings.rate
        self._flash_until = 0.0

    def open(self) -> None:
        """Resolve the receiver and open the universes of the patch."""
        for number in {self._settings.universe, *(f.universe for f in self._settings.fixtures)}:
            self._open_universe(number)
        self.values_rate = max(50.0, self._settings.rate)

    def send(self, message: Message) -> None:
        """Set channels; a packet leaves at once if the rate allows it, else with the next round."""
        place = self._place(message.address)
        numbers = [v for v in message.values if not isinstance(v, str) and math.isfinite(v)]
        if place is None or not numbers:
            self.status.dropped += 1
            self.status.message = f"{message.address}: no such fixture or channel"
            return
        universe, channel, mode = place
        self._set(universe, channel, mode, numbers)
        self._round(universe, time.monotonic())

    def on_values(self, values: Mapping[str, Value]) -> None:
        """Send what has changed, and keep streams alive."""
        now = time.monotonic()
        if self._flash_until and now >= self._flash_until:
            self._flash_until = 0.0
            self._dark()
        for universe in [*self._universes.values()]:
            self._round(universe, now)

    def on_test(self, point: GridPoint) -> None:
        """All fixtures full for a third of a second."""
        for fixture in self._fixtures.values():
            universe = self._universes[fixture.universe]
            self._set(universe, fixture.address, fixture.mode, [1.0] * _WIDTH[fixture.mode])
        self._flash_until = time.monotonic() + 0.33

    def on_stop(self) -> None:
        """Blackout, now."""
        self._dark()
        for universe in self._universes.values():
            self._packet(universe, time.monotonic())

    def close(self) -> None:
        """Blackout, tell sACN receivers that the stream ends, release the sockets."""
        self._dark()
        for universe in self._universes.values():
            for _ in range(_REPEATS):  # E1.31, 6.2.6
                self._packet(universe, time.monotonic(), last=True)
            universe.target.close()
        self._universes.clear()

    def _open_universe(self, number: int) -> _Universe | None:
        found = self._universes.get(number)
        if found is None:
            if len(self._universes) >= self.MOST_UNIVERSES:
                return None
            s = self._settings
            host = sacn_multicast(number) if s.host == "multicast" else s.host
            target = UdpTarget(host, s.port or (SACN_PORT if s.protocol == "sacn" else ARTNET_PORT))
            found = self._universes[number] = _Universe(number, target)
        return found

    def _place(self, address: str) -> tuple[_Universe, int, str] | None:
        """``dmx:NAME``, ``dmx:CHANNEL`` or ``dmx:UNIVERSE/CHANNEL``."""
        if not address.startswith("dmx:"):
            return None
        name = address.removeprefix("dmx:")
        fixture = self._fixtures.get(name)
        if fixture is not None:
            universe = self._universes.get(fixture.universe)
            return None if universe is None else (universe, fixture.address, fixture.mode)
        first, _, second = name.partition("/")
        numbers = [int(t) if t.isascii() and t.isdigit() and len(t) < 6 else -1 for t in (first, second) if t]
        if not numbers or "/" in second:
            return None
        channel, number = numbers[-1], numbers[0] if len(numbers) == 2 else self._settings.universe
        lowest, highest = (1, 63999) if self._settings.protocol == "sacn" else (0, 32767)
        if not (1 <= channel <= CHANNELS and lowest <= number <= highest):
            return None
        found = self._open_universe(number)
        return None if found is None else (found, channel, "8bit")

    def _set(self, universe: _Universe, channel: int, mode: str, numbers: list[float]) -> None:
        shares = [min(1.0, max(0.0, n)) for n in numbers]
        if mode == "16bit":
            data = round(shares[0] * 65535).to_bytes(2, "big")
        else:
            width = _WIDTH[mode]
            # one number for a colour: all its channels
            data = bytes(round(255 * s) for s in (shares * width if len(shares) == 1 else shares)[:width])
        start = channel - 1
        if universe.channels[start : start + len(data)] != data:
            universe.channels[start : start + len(data)] = data
            universe.fresh = _REPEATS

    def _dark(self) -> None:
        for universe in self._universes.values():
            universe.channels[:] = bytes(CHANNELS)
            universe.fresh = _REPEATS

    def _round(self, universe: _Universe, now: float) -> None:
        waited = now - universe.sent_at
        if waited >= _KEEP_ALIVE or (universe.fresh and waited >= self._interval):
            self._packet(universe, now)

    def _packet(self, universe: _Universe, now: float, last: bool = False) -> None:
        s, data = self._settings, bytes(universe.channels)
        if s.protocol == "sacn":
            name = f"Sidechain {s.name}".strip()
            packet = sacn(self._cid, name, universe.number, universe.sequence, data, s.priority, last)
        else:
            packet = artnet(universe.number, universe.sequence, data)
        universe.sequence += 1
        universe.sent_at = now
        universe.fresh = max(0, universe.fresh - 1)
        if universe.target.send(packet):
            lit = sum(1 for c in data if c)
            self.sent(f"universe {universe.number}: {lit} channels lit")
        targets: list[Any] = [u.target for u in self._universes.values()]
        self.status.errors = sum(t.errors for t in targets)
        self.status.message = universe.target.fault
