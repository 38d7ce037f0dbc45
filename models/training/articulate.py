"""How players and producers play notes: strums, rolled chords, sung syllables, spoken interjections."""

from __future__ import annotations

import numpy as np

from models.training.rng import chance, pick
from models.training.synth.voice import Singer, Syllable, sing

Timed = tuple[float, float, float, float]
ONSETS = ("", "", "d", "n", "l", "m", "b", "t", "k", "s", "h", "f", "g", "p")
NUCLEI = ("a", "e", "i", "o", "u", "ai", "ou", "au", "ei", "y")


def strum(rng: np.random.Generator, notes: list[Timed]) -> list[Timed]:
    """Spread the notes of each chord by a few milliseconds, up or down; alternate strokes lose force."""
    width, alternate = float(rng.uniform(0.002, 0.018)), chance(rng, 0.5)
    groups: dict[float, list[Timed]] = {}
    for note in sorted(notes):
        groups.setdefault(round(note[0], 2), []).append(note)
    out: list[Timed] = []
    for i, group in enumerate(groups.values()):
        down = not alternate or i % 2 == 0
        for j, (t, d, p, v) in enumerate(sorted(group, key=lambda n: n[2] if down else -n[2])):
            out.append((t + j * width, max(d - j * width, 0.03), p, v * (1.0 if down else 0.75)))
    return out


def shorten(rng: np.random.Generator, notes: list[Timed]) -> list[Timed]:
    """Palm mutes: most notes very short, some held."""
    share, length = rng.uniform(0.4, 1), float(rng.uniform(0.04, 0.12))
    return [(t, min(d, length) if rng.random() < share else d, p, v) for t, d, p, v in notes]


def random_singer(rng: np.random.Generator) -> Singer:
    """A random voice."""
    return Singer(
        size=float(rng.uniform(0.85, 1.25)),
        vibrato=float(rng.uniform(0, 60)),
        rate=float(rng.uniform(4.8, 6.8)),
        breath=float(rng.uniform(0.01, 0.15)),
        tilt=float(rng.uniform(0.7, 1.6)),
        glide=float(rng.uniform(0.015, 0.08)),
        jitter=float(rng.uniform(3, 20)),
        fall=float(rng.uniform(0, 1.5)) if chance(rng, 0.3) else 0.0,
    )


def vocalise(rng: np.random.Generator, notes: list[Timed], count: int, rate: float) -> np.ndarray:
    """Sing (or rap) a melody with random syllables; only one voice at a time."""
    rap = chance(rng, 0.25)
    base, onsets = float(rng.uniform(44, 58)), [pick(rng, ONSETS) for _ in range(6)]
    syllables: list[Syllable] = []
    for t, d, p, v in sorted(notes):
        if syllables and t < syllables[-1].start + 0.06:
            continue
        if syllables and syllables[-1].start + syllables[-1].length > t - 0.01:
            syllables[-1] = syllables[-1]._replace(length=max(0.04, t - 0.01 - syllables[-1].start))
        pitch = base + float(rng.normal(0, 2)) if rap else p
        text = pick(rng, onsets) + pick(rng, NUCLEI)
        syllables.append(Syllable(t, min(d, 0.25) if rap else d, pitch, v, text))
    return sing(syllables, count, rate, rng, random_singer(rng))


def speech(rng: np.random.Generator, start: float, seconds: float, count: int, rate: float) -> np.ndarray:
    """A spoken interjection in no relation to the beat."""
    syllables, at, base = [], start, float(rng.uniform(42, 60))
    while at < start + seconds:
        length = float(rng.uniform(0.08, 0.25))
        syllables.append(
            Syllable(
                at,
                length,
                base + float(rng.normal(0, 2.5)),
                float(rng.uniform(0.5, 1)),
                pick(rng, ONSETS) + pick(rng, NUCLEI),
            )
        )
        at += length + (0.02 if chance(rng, 0.85) else float(rng.uniform(0.2, 0.6)))
    return sing(syllables, count, rate, rng, random_singer(rng))
