"""The untrained rival: chords by triad templates, keys by correlating chroma with key profiles.

Profiles: Krumhansl & Kessler, "Tracing the dynamic changes in perceived tonal organization in a spatial
representation of musical keys" (1982), and Temperley, "What's key for key?" (1999); correlation as in Krumhansl
(1990). For the bench: the plugin uses the trained network.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.key.features import FPS, OCTAVES

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

KRUMHANSL = (
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
)
TEMPERLEY = (
    (5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0),
    (5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0),
)
CHORD_SECONDS, KEY_SECONDS = 0.8, 20.0


def _rotations(major: F64, minor: F64) -> F64:
    rows = [np.roll(p, k) for p in (major, minor) for k in range(12)]
    out = np.stack(rows).astype(np.float64)
    out -= out.mean(axis=1, keepdims=True)
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True))


def _leaky(x: F64, seconds: float) -> F64:
    keep, state, out = math.exp(-1 / (FPS * seconds)), np.zeros(x.shape[1]), np.empty_like(x)
    for k, row in enumerate(x):
        state = keep * state + (1 - keep) * row
        out[k] = state
    return out


def _match(chroma: F64, bank: F64) -> F64:
    c = chroma - chroma.mean(axis=1, keepdims=True)
    return np.asarray(c @ bank.T / (np.linalg.norm(c, axis=1, keepdims=True) + 1e-9))


def chords(semitones: F32) -> npt.NDArray[np.int64]:
    """Best triad of each frame; ``none`` where no triad fits."""
    chroma = _leaky(semitones.reshape(len(semitones), OCTAVES, 12).sum(axis=1).astype(np.float64), CHORD_SECONDS)
    triads = np.zeros((2, 12))
    triads[0, [0, 4, 7]] = 1
    triads[1, [0, 3, 7]] = 1
    fit = _match(chroma, _rotations(triads[0], triads[1]))
    return np.where(fit.max(axis=1) > 0.35, fit.argmax(axis=1), 24)


def keys(semitones: F32, profiles: tuple[tuple[float, ...], tuple[float, ...]]) -> npt.NDArray[np.int64]:
    """Best key of each frame, from the chroma of the last twenty seconds."""
    chroma = _leaky(semitones.reshape(len(semitones), OCTAVES, 12).sum(axis=1).astype(np.float64), KEY_SECONDS)
    major, minor = (np.array(p) for p in profiles)
    return np.asarray(_match(chroma, _rotations(major, minor)).argmax(axis=1))
