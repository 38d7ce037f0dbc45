"""A synthetic voice that speaks where a test wants it."""

from __future__ import annotations

import numpy as np

from models.training.synth.voice import Singer, Syllable, sing

RATE = 24_000


def spoken(seconds: float, *parts: tuple[float, float]) -> np.ndarray:
    """Syllables from and to the seconds of each part, over faint noise."""
    rng = np.random.default_rng(0)
    times = np.concatenate([np.arange(a, b, 0.27) for a, b in parts])
    texts = ("da", "mo", "si", "ke", "lu")
    syllables = [Syllable(float(t), 0.25, 50 + 3.0 * (k % 3), 0.9, texts[k % 5]) for k, t in enumerate(times)]
    x = sing(syllables, int(seconds * RATE), RATE, rng, Singer(breath=0.05))
    x = 0.2 * x / np.sqrt(np.mean(x[np.abs(x) > 1e-3] ** 2)) + 0.003 * rng.standard_normal(len(x))
    return x.astype(np.float32)
