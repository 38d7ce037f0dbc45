"""What sounded during a beat, as a row of fixed size whatever the tempo: chord and bass, and attacks by quarters.

Downbeats show in what changes from beat to beat (harmony, bass, the pattern of kick and snare), which is easier
to hear on the grid of beats than frame by frame (S. Durand et al., "Robust downbeat tracking using an ensemble of
convolutional networks", TASLP 2017; F. Krebs et al., "Downbeat tracking using beat-synchronous features and
recurrent neural networks", ISMIR 2016). The same function serves training and the live decoder.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.beat.features import FPS, LONG, SHORT

F32 = npt.NDArray[np.float32]

QUARTERS = 4
POOLED = 4
"""Bands of the short window that are taken as one."""
SIZE = 2 * LONG.bands + QUARTERS * SHORT.bands // POOLED
BEFORE, AFTER = 0.02, 0.08
"""Seconds around an instant within which frames that hear its attack end."""
_LATE = 0.12
"""Seconds into a beat from which the long window has mostly heard that beat."""


def row(frames: F32, first: int, start: float, end: float, last: F32) -> F32:
    """
    Describe one beat.

    Parameters
    ----------
    frames : ndarray of float32, shape (n, 144)
        Frames ``first … first + n - 1``; frame k ends at ``(k + 1) / 50`` s. Must reach from `start` − 0.06 s to
        `end` + 0.08 s; what is missing is left out.
    start, end : float
        Stream seconds of the beat and of the next.
    last : ndarray of float32, shape (64,)
        Chord of the beat before, as written to the first 64 values of its row.

    Returns
    -------
    ndarray of float32, shape (SIZE,)
        Long spectrum (64), its rise over the beat before (64), attacks of 20 bands in each quarter (80).
    """
    out = np.zeros(SIZE, np.float32)
    low, high = _span(frames, first, start + min(_LATE, 0.5 * (end - start)), end + 0.5 / FPS)
    if high > low:
        np.add.reduce(frames[low:high, SHORT.bands :], axis=0, out=out[: LONG.bands])
        out[: LONG.bands] /= high - low
    chord = out[: LONG.bands]
    np.maximum(chord - last, 0.0, out=out[LONG.bands : 2 * LONG.bands])
    short = frames[:, : SHORT.bands]
    rises = np.maximum(short[1:] - short[:-1], 0.0)
    strongest = np.zeros((QUARTERS, SHORT.bands), np.float32)
    for quarter in range(QUARTERS):
        at = start + quarter * (end - start) / QUARTERS
        low, high = _span(frames, first, at - BEFORE, at + AFTER)
        if high - low > 1:
            np.maximum.reduce(rises[low : high - 1], axis=0, out=strongest[quarter])
    np.add.reduce(strongest.reshape(-1, POOLED), axis=1, out=out[2 * LONG.bands :])
    out[2 * LONG.bands :] /= POOLED
    return out


def _span(frames: F32, first: int, start: float, end: float) -> tuple[int, int]:
    """Frames that end between two instants."""
    low = math.ceil(start * FPS - 1e-6) - 1 - first
    high = math.floor(end * FPS + 1e-6) - first
    return max(low, 0), min(max(high, 0), len(frames))
