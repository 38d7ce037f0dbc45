"""A virtual show for the musical clock: a true pulse, a tracker that hears it, and time in ticks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from realtime.follower import TransportEvent
from realtime.musical import Beat, BeatObservation
from realtime.preset import TransportSettings
from realtime.transport import Transport

TICK = 0.005


@dataclass
class Pulse:
    """A pulse whose position (in beats) is integrated from a tempo curve; beat 0 at `start`."""

    tempo: Callable[[float], float] = lambda t: 120.0
    start: float = 0.0
    metre: int = 4
    position: float = 0.0
    beats: list[float] = field(default_factory=lambda: [0.0])

    def go(self, time: float, seconds: float) -> None:
        rate = self.tempo(time) / 60.0
        before = self.position
        self.position += rate * seconds
        if math.floor(self.position) > math.floor(before):
            self.beats.append(time + (math.floor(self.position) - before) / rate)

    def heard(self, time: float, confidence: float = 0.9, **more: object) -> BeatObservation:
        """What a perfect tracker would say at `time`."""
        number = math.floor(self.position)
        given = {
            "time": time,
            "tempo": self.tempo(time),
            "phase": self.position - number,
            "beat_in_bar": number % self.metre + 1,
            "beats_per_bar": self.metre,
            "confidence": confidence,
            "downbeat_confidence": confidence,
            **more,
        }
        return BeatObservation(**given)  # type: ignore[arg-type]


@dataclass
class Show:
    """Runs a transport tick by tick and remembers all that came out."""

    transport: Transport
    pulse: Pulse = field(default_factory=Pulse)
    now: float = 0.0
    beats: list[Beat] = field(default_factory=list)
    events: list[TransportEvent] = field(default_factory=list)
    ear: Callable[[Pulse, float], BeatObservation | None] = lambda pulse, time: pulse.heard(time)
    every: int = 2
    watch: Callable[[Transport, float], None] | None = None

    def run(self, seconds: float) -> Show:
        for _ in range(round(seconds / TICK)):
            self.pulse.go(self.now, TICK)
            self.now += TICK
            if round(self.now / TICK) % self.every == 0:
                heard = self.ear(self.pulse, self.now)
                if heard is not None:
                    self.transport.observe(heard)
            self.beats += self.transport.advance(self.now)
            self.events += self.transport.events()
            if self.watch is not None:
                self.watch(self.transport, self.now)
        return self

    def act(self, name: str, **params: object) -> None:
        self.transport.act(name, params, self.now)

    def names(self) -> list[str]:
        return [e.name for e in self.events]

    def since(self, time: float) -> list[Beat]:
        return [b for b in self.beats if b.time >= time]


def deaf(pulse: Pulse, time: float) -> BeatObservation | None:
    """The tracker hears no pulse."""
    return pulse.heard(time, confidence=0.05, evidence=False)


def silent(pulse: Pulse, time: float) -> BeatObservation | None:
    """The tracker says nothing at all."""
    return None


def show(pulse: Pulse | None = None, **settings: object) -> Show:
    return Show(Transport(TransportSettings(**settings)), pulse or Pulse())  # type: ignore[arg-type]


def errors(beats: list, truth: list[float]) -> list[float]:
    return [min(abs(b.time - t) for t in truth) for b in beats]


def consecutive(s: Show) -> None:
    assert [b.number for b in s.beats] == list(range(1, len(s.beats) + 1))
