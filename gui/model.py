"""What the views draw: filled once a frame from the feed, read by all of them."""

from __future__ import annotations

import base64
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gui.feed import Feed, Number
from gui.history import Columns, Series
from realtime.bus import Event

COLUMN = 0.005
"""Seconds of a waveform column."""

FRAME = 0.02
"""Seconds of a spectrum."""

BANDS = 96
FLOOR = -100.0
LOWEST, HIGHEST = 30.0, 18_000.0
DRUMS = ("kick", "snare", "hihat", "tom", "cymbal")
LONGEST = 32.0
"""Seconds that scrolling views can look back."""

_MOST_TAGS = 24
_SAME = 1.0
"""Seconds within which two changes of part are the same one."""


def unpack(text: str) -> tuple[int, npt.NDArray[np.int8]]:
    """A text of the scope: number of the newest hop (−1 if it is none), and the numbers (see the scope's card)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if len(raw) < 4:
        return -1, np.zeros(0, np.int8)
    return int.from_bytes(raw[:4], "little"), np.frombuffer(raw, np.int8, offset=4)


class Clock(NamedTuple):
    """The musical clock as it is shown now."""

    state: str = ""
    bpm: float = 0.0
    confidence: float = 0.0
    beat: int = 0
    beat_phase: float = 0.0
    beat_in_bar: int = 0
    beats_per_bar: int = 4
    bar: int = 0
    phrase: int = 0

    @property
    def bar_phase(self) -> float:
        """Position in the bar, 0–1."""
        return (max(1, self.beat_in_bar) - 1 + self.beat_phase) / max(1, self.beats_per_bar)


class Section(NamedTuple):
    """Something began that lasts until the next of its kind: a part of the piece, a chord."""

    time: float
    label: str


@dataclass
class Tag:
    """One tag and its past, sampled four times a second."""

    value: float = 0.0
    past: Series = field(default_factory=lambda: Series(256, 2))


class Model:
    """State of the views. One thread, the window's.

    Parameters
    ----------
    feed : Feed
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.values: Mapping[str, Number] = {}
        self.status: Mapping[str, Any] = {}
        self._on: tuple[Mapping[str, Any] | None, frozenset[Any]] = (None, frozenset())
        self.clock = Clock()
        self.now = 0.0
        self.waveform = Columns(8192, 2, 0.0)
        self.spectra = Columns(2048, BANDS, FLOOR)
        self.beats = Series(1024, 2)
        self.onsets = Series(2048, 2)
        self.drums = Series(2048, 3)
        self.voice = Series(4096, 2)
        self.pitch = Series(4096, 3)
        self.tempo = Series(2048, 3)
        self.loudness = Series(2048, 3)
        self.energy = Series(2048, 3)
        self.sections: deque[Section] = deque(maxlen=64)
        self.parts: deque[Section] = deque(maxlen=64)
        self.chords: deque[Section] = deque(maxlen=256)
        self.tags: dict[str, Tag] = {}
        self.log: deque[tuple[float, str]] = deque(maxlen=200)
        self.key = ""
        self.note = ""
        self.active = False
        self.events_seen = 0
        self.fresh: list[Event] = []
        """Events of this frame."""
        self.flash = (0, -math.inf)
        """Beat in bar of the last beat that has come, and when (stream seconds)."""
        self.serial = 0
        """Rises when the histories begin anew; views that keep pictures throw them away."""
        self._lives = self._snapshots = -1
        self._slow = -math.inf

    # -- once a frame ---------------------------------------------------------------------------------------

    def tick(self) -> list[str]:
        """Take in what is new; returns refusals to be shown."""
        feed = self.feed
        loud = feed.poll()
        if feed.lives != self._lives:
            self._lives = feed.lives
            self.clear()
        self.status = feed.status()
        now = feed.now()
        if now < self.now - 2.0:
            self.clear()
        self.now = now
        self.fresh = feed.events()
        for event in self.fresh:
            self._take(event)
        if feed.snapshots != self._snapshots:
            self._snapshots = feed.snapshots
            self.values = feed.values()
            self._sample()
        elif not feed.connected:
            self.values = {}
        self.clock = self._clock()
        return loud

    def follow(self, feed: Feed) -> Feed:
        """Show another feed from now on; returns the one of before."""
        before, self.feed = self.feed, feed
        self._lives = self._snapshots = -1
        return before

    def clear(self) -> None:
        """Forget the stream of before."""
        for ring in (self.waveform, self.spectra, self.beats, self.onsets, self.drums, self.voice, self.pitch,
                     self.tempo, self.loudness, self.energy):  # fmt: skip
            ring.clear()
        for past in (self.sections, self.parts, self.chords):
            past.clear()
        self.tags.clear()
        self.key = self.note = ""
        self.active = False
        self.flash = (0, -math.inf)
        self.now, self._slow = 0.0, -math.inf
        self.serial += 1

    # -- values by name -------------------------------------------------------------------------------------

    def number(self, name: str, default: float = math.nan) -> float:
        """A value as a number, or `default`."""
        value = self.values.get(name)
        return float(value) if isinstance(value, (int, float)) else default

    def word(self, name: str) -> str:
        """A value that is a word, or an empty text."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def has(self, plugin: str) -> bool:
        """Whether the host runs this plugin, switched on."""
        if self._on[0] is not self.status:
            listed = self.status.get("plugins", ())
            self._on = self.status, frozenset(p.get("identifier") for p in listed if p.get("enabled"))
        return plugin in self._on[1]

    @property
    def structure(self) -> str:
        """Plugin whose parts are shown: the one that puts them on bar lines, where it is on."""
        return "structure-bar" if self.has("structure-bar") else "structure"

    @property
    def source(self) -> str:
        """Plugin that the clock follows."""
        return str(self.status.get("transport", {}).get("source", "beat"))

    # -- details --------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        self.events_seen += 1
        value = event.value if isinstance(event.value, (int, float)) else 0.0
        at = event.time
        if event.output == "beat" and event.plugin == self.source:
            self.beats.add(at, value)
        elif event.plugin == "onset":
            self.onsets.add(at, value)
        elif event.plugin == "drums" and event.label in DRUMS:
            self.drums.add(at, DRUMS.index(event.label), value)
        elif event.plugin == "voice" and event.output == "active":
            self.active = value > 0
        elif event.plugin == self.structure and event.label:
            self._section(Section(at, event.label))
        elif event.plugin == "key" and event.output in ("key", "key_change") and event.label:
            self.key = event.label
        elif event.plugin in ("host", "transport"):
            said = _said(event)
            if said:
                self.log.append((at, " ".join(said.split())))

    def _section(self, new: Section) -> None:
        """A change of any kind says less than what it is a change to."""
        near = [s for s in self.sections if abs(s.time - new.time) < _SAME]
        if new.label == "change" and near:
            return
        for old in near:
            if old.label in ("change", new.label):
                self.sections.remove(old)
        self.sections.append(new)

    def _words(self, now: float) -> None:
        """Words that hold until they change, with the time of the change."""
        names = (f"{self.structure}.section", self.parts), ("key.chord", self.chords)
        for name, past in names:
            if name in self.values:
                word = self.word(name).replace("N", "") if name == "key.chord" else self.word(name)
                if word != (past[-1].label if past else ""):
                    past.append(Section(now, word))
        energy = self.number("structure.energy")
        if not math.isnan(energy):
            self.energy.add(now, energy, self.number("structure.buildup", 0.0))
        key = self.values.get("key.key")
        if isinstance(key, str):
            self.key = key

    def _sample(self) -> None:
        now = self.now
        self._scope()
        probability = self.number("voice.probability")
        if not math.isnan(probability):
            self.voice.add(now, probability)
        hertz = self.number("pitch.hz")
        if not math.isnan(hertz):
            midi = 69 + 12 * math.log2(hertz / 440.0) if hertz > 0 else math.nan
            self.pitch.add(now, midi, self.number("pitch.confidence", 1.0))
        self._words(now)
        if now - self._slow >= 0.25:
            self._slow = now
            known = self.values.get("transport.state") in ("locked", "coasting", "held")
            bpm = self.number("transport.bpm", 0.0) if known else 0.0
            self.tempo.add(now, bpm, self.number("transport.confidence", 0.0))
            self.loudness.add(now, self.number("level.momentary"), self.number("level.shortterm"))
            self._sample_tags(now)

    def _sample_tags(self, now: float) -> None:
        for name, value in self.values.items():
            if name.startswith("tags.") and isinstance(value, (int, float)):
                tag = self.tags.get(name[5:])
                if tag is None:
                    if len(self.tags) >= _MOST_TAGS:
                        continue
                    tag = self.tags[name[5:]] = Tag()
                tag.value = float(value)
                tag.past.add(now, tag.value)

    def _scope(self) -> None:
        for name, packed in self.feed.packets():
            wave = name == "scope.waveform"
            columns, each = (self.waveform, round(FRAME / COLUMN)) if wave else (self.spectra, 1)
            hop, data = unpack(packed)
            if hop >= 0 and len(data) % columns.width == 0:
                columns.put(hop * each, data.reshape(-1, columns.width) * (1 / 127 if wave else 1.0))

    def _clock(self) -> Clock:
        state = self.values.get("transport.state")
        if not isinstance(state, str):
            return Clock()
        bpm = self.number("transport.bpm", 0.0)
        per_bar = max(1, int(self.number("transport.beats_per_bar", 4.0)))
        self._flash()
        return Clock(
            state,
            bpm,
            self.number("transport.confidence", 0.0),
            int(self.number("transport.beat", 0.0)),
            self.number("transport.beat_phase", 0.0),
            int(self.number("transport.beat_in_bar", 0.0)),
            per_bar,
            int(self.number("transport.bar", 0.0)),
            int(self.number("transport.phrase", 0.0)),
        )

    def _flash(self) -> None:
        """Move the flash to the last beat whose instant has come."""
        rows = self.beats.rows()
        come = rows[: int(np.searchsorted(rows[:, 0], self.now, side="right"))]
        if len(come) and come[-1, 0] > self.flash[1]:
            self.flash = (int(come[-1, 1]), float(come[-1, 0]))


def _said(event: Event) -> str:
    if event.plugin == "transport":
        return f"clock {event.output}"
    if event.output == "gap":
        return f"gap in the sound: {1000 * event.value:.0f} ms" if isinstance(event.value, float) else "gap"
    if event.output in ("device_lost", "device_back"):
        return f"sound input {'lost' if event.output == 'device_lost' else 'is back'}: {event.label or ''}"
    return event.label or ""
