"""A feed of made-up results at any speed: hours of it in a minute, to see that nothing grows."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gui.feed import Done, Number
from gui.model import BANDS
from realtime.bus import Event

PLUGINS = ("beat", "onset", "drums", "voice", "pitch", "level", "bands", "scope", "tags", "structure", "key")
PARTS = ("groove", "breakdown", "build", "drop")
CHORDS = ("Am", "F", "C", "G")
TAGS = ("silence", "speech", "singing", "music", "applause", "drums", "bass", "guitar", "keys", "strings")
_HOPS = 25


def packed(hop: int, numbers: np.ndarray) -> str:
    """As the scope writes it."""
    small = np.rint(numbers).clip(-128, 127).astype(np.int8)
    return base64.b64encode(hop.to_bytes(4, "little") + small.tobytes()).decode("ascii")


class Rehearsal:
    """A :class:`~gui.feed.Feed` whose time is set from outside.

    Parameters
    ----------
    bpm : float
    """

    connected, message, lives = True, "rehearsal", 1

    def __init__(self, bpm: float = 126.0) -> None:
        self._bpm = bpm
        self._now = 0.0
        self._beats = self._hops = 0
        self.snapshots = 0
        self._events: list[Event] = []
        self._packets: list[tuple[str, str]] = []
        self._values: dict[str, Number] = {}
        self._noise = np.random.default_rng(1)

    def advance(self, seconds: float) -> None:
        """Time passes, and things happen in it."""
        self._now += seconds
        self.snapshots += 1
        now, position = self._now, self._now * self._bpm / 60.0
        while self._beats < position:
            self._beats += 1
            at = self._beats * 60.0 / self._bpm
            self._say(at, "beat", "beat", float((self._beats - 1) % 4 + 1), None)
            self._say(now, "onset", "onset", 0.8, None)
            self._say(now, "drums", "hit", 0.9, ("kick", "snare")[(self._beats - 1) % 2])
            for k in range(2):
                self._say(now + 30.0 / self._bpm * k, "drums", "hit", 0.4 + 0.3 * k, "hihat")
            if self._beats % 32 == 1:
                self._say(now, "drums", "hit", 1.0, "cymbal")
            self._say(now, "voice", "active", float(self._beats % 2), None)
            if self._beats % 16 == 0:
                part = PARTS[self._beats // 16 % 4]
                event = "change" if part == "groove" else part
                self._say(now, "structure", event, 0.8, event)
            self._say(now, "host", "message", None, f"beat {self._beats}")
        while (self._hops + 2) * 0.02 < now:
            self._hops += 2
            outline = np.abs(self._noise.standard_normal(_HOPS * 4)) * 25
            spectrum = -60 + 20 * self._noise.standard_normal(_HOPS * BANDS)
            self._packets.append(("scope.waveform", packed(self._hops, np.stack([-outline, outline], 1))))
            self._packets.append(("scope.spectrum", packed(self._hops, spectrum)))
        self._values = self._made(now, position)

    def _made(self, now: float, position: float) -> dict[str, Number]:
        place = int(position) % 4
        made: dict[str, Number] = {
            "transport.state": "locked", "transport.bpm": self._bpm + math.sin(now), "transport.confidence": 0.9,
            "transport.beat": float(int(position)), "transport.beat_phase": position % 1,
            "transport.beat_in_bar": float(place + 1), "transport.beats_per_bar": 4.0,
            "transport.bar": float(int(position) // 4 + 1), "transport.phrase": float(int(position) // 16 + 1),
            "voice.probability": 0.5 + 0.5 * math.sin(now), "pitch.hz": 220.0 * 2 ** (0.5 * math.sin(0.7 * now)),
            "pitch.confidence": 0.9, "level.correlation": math.sin(0.2 * now), "host.load": 0.05,
        }  # fmt: skip
        for k, name in enumerate(("rms", "peak", "truepeak", "momentary", "shortterm", "integrated")):
            made[f"level.{name}"] = -14.0 + 4 * math.sin(now + k)
        for k, name in enumerate(TAGS):
            made[f"tags.{name}"] = 0.5 + 0.5 * math.sin(0.1 * now + k)
        made |= {
            "tags.sound": "music", "structure.section": PARTS[self._beats // 16 % 4],
            "structure.energy": 0.5 + 0.4 * math.sin(0.15 * now), "structure.buildup": (position / 16) % 1 * 0.9,
            "key.key": "A minor", "key.camelot": "8A", "key.confidence": 0.87, "key.tuning": -7.0,
            "key.chord": CHORDS[int(position) // 4 % 4], "key.chord_confidence": 0.7,
            "key.chroma": [max(0.05, math.cos(0.5 * k * now) ** 2) for k in range(12)],
        }  # fmt: skip
        return made

    def _say(self, at: float, plugin: str, output: str, value: float | None, label: str | None) -> None:
        self._events.append(Event(0, at, self._now, plugin, output, value, label))

    def now(self) -> float:
        """Stream seconds."""
        return self._now

    def values(self) -> Mapping[str, Number]:
        """Newest values."""
        return self._values

    def packets(self) -> list[tuple[str, str]]:
        """Outlines and spectra."""
        found, self._packets = self._packets, []
        return found

    def status(self) -> Mapping[str, Any]:
        """A host with everything on."""
        return {
            "plugins": [{"identifier": p, "enabled": True} for p in PLUGINS],
            "transport": {"source": "beat"}, "input": {"name": "rehearsal", "connected": True}, "outputs": [],
        }  # fmt: skip

    def events(self) -> list[Event]:
        """What happened."""
        found, self._events = self._events, []
        return found

    def call(self, method: str, params: Mapping[str, Any] | None = None, done: Done | None = None) -> None:
        """Nobody is there."""

    def poll(self) -> list[str]:
        """Nobody answers."""
        return []

    def close(self) -> None:
        """Nothing to let go of."""
