"""Sounds to check plugins with: something like music, and what no musician plays. Seeded, made on the spot."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]


def music(rate: int, samples: int, channels: int = 1, seed: int = 0) -> F32:
    """Beats at 120 BPM, a melody, chords and noise; a pause of 2.4 s in every 6.

    Parameters
    ----------
    rate : int
        Hz.
    samples, channels : int
    seed : int
        Another seed is other music.

    Returns
    -------
    ndarray of float32, shape (samples,) or (2, samples)
        Peaks below 1.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / rate
    step = np.floor(t * 4).astype(np.int64)
    notes = rng.integers(0, 12, size=int(step[-1]) + 1 if samples else 1)
    frequency = 110.0 * 2.0 ** ((notes[step] + 12.0) / 12.0)
    phase = 2 * np.pi * np.cumsum(frequency) / rate
    tone = sum(np.sin(k * phase) / k for k in (1, 2, 3))
    chord = sum(np.sin(2 * np.pi * f * t) for f in (220.0, 277.2, 329.6))
    gate = (t % 6.0 < 2.2) | (t % 6.0 > 4.6)  # a pause, so that things begin and end
    drum = rng.standard_normal(samples) * np.exp(-(t % 0.5) / 0.03)
    mono = gate * (0.15 * tone + 0.05 * chord + 0.25 * drum) + 0.002 * rng.standard_normal(samples)
    left: F32 = np.clip(mono, -1, 1).astype(np.float32)
    return left if channels == 1 else np.stack([left, np.roll(left, 7) * np.float32(0.8)])


def hostile(rate: int, samples: int, channels: int = 1) -> F32:
    """Silence, denormals, full scale, 24 dB above it, a constant, single clicks; `samples` in all."""
    rng = np.random.default_rng(3)
    part = max(1, samples // 7)
    clicks = np.zeros(part)
    clicks[:: max(1, rate // 50)] = 1.0
    parts = [
        np.zeros(part),
        np.full(part, 1e-42),
        np.ones(part),
        16.0 * rng.choice([-1.0, 1.0], part),
        np.zeros(part),
        clicks,
        16.0 * np.sin(np.pi * np.arange(part)),
    ]
    mono = np.resize(np.concatenate(parts), samples).astype(np.float32)
    return mono if channels == 1 else np.stack([mono, -mono])
