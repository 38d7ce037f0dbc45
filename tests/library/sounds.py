"""Small pieces of music for a library, each of its own kind, and an index file with what a test wants in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 24_000


def piece(seed: int, seconds: float = 12.0) -> np.ndarray:
    """A melody of its own with its own timbre; every third piece has drums."""
    rng, t = np.random.default_rng(seed), np.arange(int(seconds * RATE)) / RATE
    notes = 110 * 2 ** (rng.integers(0, 30, int(seconds * 4) + 1) / 12)
    phase = 2 * np.pi * np.cumsum(np.repeat(notes, RATE // 4)[: len(t)]) / RATE
    tone = sum(np.sin(h * phase) * rng.uniform(0, 1) / h for h in range(1, 9))
    drums = rng.standard_normal(len(t)) * np.exp(-(t % 0.5) / 0.03) * (seed % 3 == 0)
    return (0.1 * tone + 0.3 * drums).astype(np.float32)


def folder_of(place: Path, count: int, seconds: float = 12.0) -> Path:
    """A folder with `count` pieces, ``0.flac`` and so on."""
    place.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        soundfile.write(place / f"{k}.flac", piece(k, seconds), RATE)
    return place
