"""A piece of music before it sounds: tempo map, bars, notes, drum hits, chords, sections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

DRUM_CLASS = {
    "kick": "kick",
    "snare": "snare",
    "clap": "snare",
    "rim": "snare",
    "hat": "hihat",
    "open_hat": "hihat",
    "pedal_hat": "hihat",
    "ride": "cymbal",
    "crash": "cymbal",
    "tom_hi": "tom",
    "tom_mid": "tom",
    "tom_lo": "tom",
    "shaker": "perc",
    "tamb": "perc",
    "cowbell": "perc",
    "clave": "perc",
    "conga_hi": "perc",
    "conga_lo": "perc",
}


class Note(NamedTuple):
    """One pitched note; `beat` and `length` in beats, `pitch` in MIDI numbers, `velocity` 0-1."""

    beat: float
    length: float
    pitch: float
    velocity: float


class Hit(NamedTuple):
    """One drum hit; `voice` is a key of `DRUM_CLASS`."""

    beat: float
    voice: str
    velocity: float


class Effect(NamedTuple):
    """A transition effect over a span of beats: riser, fall, impact, filter_up, filter_down, duck, choke."""

    kind: str
    beat: float
    end: float


@dataclass
class Track:
    """Notes of one part. `role` is bass, chords, pad, arp, lead, vocal; `program` a General MIDI hint."""

    role: str
    notes: list[Note] = field(default_factory=list)
    program: int | None = None


@dataclass
class Piece:
    """
    A composed or imported piece.

    Attributes
    ----------
    beat_times : numpy.ndarray
        Seconds of the integer beats 0..N (the tempo map, linear between beats).
    bars : list of (int, int)
        First beat and number of beats of each bar; the last bar may be cut by the end of the piece.
    valid : list of (float, float)
        Spans of beats with a defined pulse.
    tame : bool
        Mixed with taste: usual balance, no tricks, no interjections.
    """

    style: str
    source: str
    beat_times: np.ndarray
    bars: list[tuple[int, int]]
    tracks: list[Track] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    chords: list[tuple[float, float, str]] = field(default_factory=list)
    key: list[tuple[float, float, str]] = field(default_factory=list)
    sections: list[tuple[float, str]] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    valid: list[tuple[float, float]] = field(default_factory=list)
    electronic: float = 0.5
    human: float = 0.0
    licences: list[str] = field(default_factory=list)
    tame: bool = False

    @property
    def beats(self) -> int:
        """Number of whole beats that the tempo map spans."""
        return len(self.beat_times) - 1

    @property
    def duration(self) -> float:
        """Seconds from beat 0 to the end of the tempo map."""
        return float(self.beat_times[-1] - self.beat_times[0])

    def time(self, beat: float | np.ndarray) -> np.ndarray:
        """Seconds of one or many (fractional) beat positions, extrapolated with the outer tempos."""
        grid, times = np.arange(len(self.beat_times)), self.beat_times
        pos = np.asarray(beat, dtype=float)
        inside = np.interp(pos, grid, times)
        below = times[0] + pos * (times[1] - times[0])
        above = times[-1] + (pos - grid[-1]) * (times[-1] - times[-2])
        return np.where(pos < 0, below, np.where(pos > grid[-1], above, inside))

    def beat(self, time: float | np.ndarray) -> np.ndarray:
        """Beat position of one or many instants (inverse of `time`)."""
        grid, times = np.arange(len(self.beat_times)), self.beat_times
        t = np.asarray(time, dtype=float)
        inside = np.interp(t, times, grid)
        below = (t - times[0]) / (times[1] - times[0])
        above = grid[-1] + (t - times[-1]) / (times[-1] - times[-2])
        return np.where(t < times[0], below, np.where(t > times[-1], above, inside))

    def numbering(self) -> list[tuple[float, int, int]]:
        """``(time, beat in bar from 1, beats per bar)`` of every beat; 0, 0 outside the bars."""
        number = np.zeros((self.beats + 1, 2), dtype=int)
        for start, length in self.bars:
            for i in range(length):
                if 0 <= start + i <= self.beats:
                    number[start + i] = (i + 1, length)
        return [(float(t), int(n[0]), int(n[1])) for t, n in zip(self.beat_times, number, strict=True)]


def tempo_map(bpm: np.ndarray, start: float = 0.0) -> np.ndarray:
    """Seconds of the beats 0..N from the tempo (beats per minute) that holds after each of N beats."""
    return start + np.concatenate([[0.0], np.cumsum(60.0 / np.asarray(bpm, dtype=float))])
