"""Keys, progressions, voicings, melodies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training.rng import chance, pick

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
QUALITIES: dict[tuple[int, ...], str] = {(4, 7): "maj", (3, 7): "min", (3, 6): "dim", (4, 8): "aug"}
SEVENTHS: dict[tuple[int, ...], str] = {
    (4, 7, 11): "maj7",
    (4, 7, 10): "7",
    (3, 7, 10): "min7",
    (3, 6, 10): "hdim7",
    (3, 7, 11): "minmaj7",
}

MAJOR_LOOPS = (
    (0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 4, 3), (0, 3, 0, 4), (1, 4, 0, 0), (0, 2, 3, 4), (3, 4, 5, 0),
    (0, 4, 1, 3), (3, 0, 4, 5), (0, 0, 3, 0, 4, 3, 0, 4), (3, 4, 2, 5), (0,), (0, 3), (0, 6, 3, 0),
)  # fmt: skip
MINOR_LOOPS = (
    (0, 5, 2, 6), (0, 6, 5, 6), (0, 3, 5, 4), (0, 5, 3, 4), (0, 2, 6, 5), (5, 6, 0, 0), (0, 0, 5, 6), (0, 3), (0,),
    (0, 6), (0, 5), (0, 3, 6, 2, 5, 1, 4, 4), (5, 6, 4, 0), (0, 4, 0, 6), (0, 0, 0, 5),
)  # fmt: skip


@dataclass(frozen=True)
class Chord:
    """A chord over a span of beats; `tones` are semitones above `root` (a pitch class 0-11)."""

    start: float
    end: float
    root: int
    tones: tuple[int, ...]
    label: str


@dataclass(frozen=True)
class Key:
    """A key: tonic pitch class and mode."""

    tonic: int
    minor: bool

    @property
    def scale(self) -> tuple[int, ...]:
        """Semitones of the scale above the tonic."""
        return MINOR if self.minor else MAJOR

    @property
    def label(self) -> str:
        """Name such as ``A:min``."""
        return f"{NAMES[self.tonic]}:{'min' if self.minor else 'maj'}"

    def chord(self, degree: int, start: float, end: float, seventh: bool, dominant: bool = False) -> Chord:
        """Diatonic triad or seventh chord on a degree; `dominant` raises the third of a minor key's fifth."""
        steps = [self.scale[(degree + 2 * i) % 7] + 12 * ((degree + 2 * i) // 7) for i in range(4)]
        tones = tuple(s - steps[0] for s in steps)
        if dominant and degree == 4:
            tones = (0, 4, 7, 10)
        root = (self.tonic + steps[0]) % 12
        triad = QUALITIES.get(tones[1:3], "maj")
        label = SEVENTHS.get(tones[1:4], triad) if seventh else triad
        return Chord(start, end, root, tones if seventh else tones[:3], f"{NAMES[root]}:{label}")


def progression(rng: np.random.Generator, key: Key) -> tuple[int, ...]:
    """Degrees of a loop."""
    return pick(rng, MINOR_LOOPS if key.minor else MAJOR_LOOPS)


def voicing(seed: int, chord: Chord, centre: float, size: int) -> list[int]:
    """MIDI pitches of a chord near `centre`, close position, always the same for the same arguments."""
    rng = np.random.default_rng((seed, chord.root, len(chord.tones)))
    shift = int(rng.integers(-4, 5))
    pitches = []
    for i in range(size):
        tone = chord.tones[i % len(chord.tones)]
        pitch = chord.root + tone
        low = centre + shift - 6
        pitch += 12 * int(np.ceil((low - pitch) / 12)) + 12 * (i // len(chord.tones))
        pitches.append(pitch)
    return sorted(set(pitches))


def motif(
    rng: np.random.Generator, beats: int, steps: int, density: float, syncopation: float
) -> list[tuple[float, float]]:
    """A rhythm: ``(start, length)`` in beats over `beats` beats, denser on strong positions."""
    grid = np.arange(beats * steps)
    strong = np.where(grid % steps == 0, 1.0, np.where(grid % steps == steps // 2, 0.75, 0.4))
    p = density * ((1 - syncopation) * strong + syncopation * (1.2 - strong))
    on = grid[rng.random(len(grid)) < p]
    out = []
    for i, g in enumerate(on):
        until = on[i + 1] if i + 1 < len(on) else beats * steps
        hold = (until - g) if chance(rng, 0.6) else max(1, (until - g) / 2)
        out.append((g / steps, min(float(hold) / steps, 3.0)))
    return out


def melody(
    rng: np.random.Generator,
    rhythm: list[tuple[float, float]],
    chords: list[Chord],
    offset: float,
    key: Key,
    state: int,
) -> tuple[list[tuple[float, float, int]], int]:
    """Pitches for a rhythm: chord tones on strong places, scale steps between; returns notes and last pitch."""
    scale = sorted((key.tonic + s) % 12 for s in key.scale)
    notes = []
    for start, length in rhythm:
        at = offset + start
        chord = next((c for c in chords if c.start <= at + 1e-6 < c.end), chords[-1])
        state += int(pick(rng, (-5, -3, -2, -1, 0, 1, 2, 3, 5), (1, 1, 3, 3, 2, 3, 3, 1, 1)))
        wanted = [(chord.root + t) % 12 for t in chord.tones] if start % 1 == 0 or chance(rng, 0.3) else scale
        state = min(range(state - 6, state + 7), key=lambda p: (p % 12 not in wanted, abs(p - state)))
        notes.append((at, length, state))
    return notes, state
