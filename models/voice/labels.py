"""Which frames of dry speech are speech: by energy, with short gaps closed.

A frame is 10 ms. The truth that detectors are judged by calls the closures and short pauses inside an utterance
speech; so does this.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.training.spans import runs

F32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
RATE = 24_000
FRAME = RATE // 100
BELOW_DB = 36.0
"""How far below the loud frames (95th percentile) speech may be."""
SHORTEST, GAP = 3, 25


def speech_frames(dry: F32, gap: int = 6) -> Bools:
    """Activity of dry speech at 24 kHz, one value for 10 ms; gaps of up to `gap` frames are closed.

    Returns all False where the recording's own noise is so loud that speech and pauses cannot be told apart.
    """
    count = len(dry) // FRAME
    if not count:
        return np.zeros(0, np.bool_)
    level = 10 * np.log10((dry[: count * FRAME].reshape(count, FRAME) ** 2).mean(axis=1) + 1e-10)
    loud, floor = np.percentile(level, 95), np.percentile(level, 5)
    if count > 60 and loud - floor < 18:
        return np.zeros(count, np.bool_)
    active = level > max(loud - BELOW_DB, min(floor + 8, loud - 15))
    return close_gaps(_drop_short(active, SHORTEST), gap)


def close_gaps(active: Bools, gap: int = GAP) -> Bools:
    """`active` with pauses of up to `gap` frames between two active stretches closed."""
    out = active.copy()
    for begin, end in runs(~active):
        if begin and end < len(active) and end - begin <= gap:
            out[begin:end] = True
    return out


def _drop_short(active: Bools, shortest: int) -> Bools:
    out = active.copy()
    for begin, end in runs(active):
        if end - begin < shortest:
            out[begin:end] = False
    return out
