"""Beats of music whose rows are known: tracker modules (:mod:`models.training.modules`).

How many rows a beat has no module says; networks say it, by the tempo that they find. Where beats lie is told by
the patterns: bars begin where these begin.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.beat import smooth
from models.beat.features import FPS, LABEL_DELAY

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

STEPS = (2, 3, 4, 6, 8, 12, 16, 24)
"""Rows of a beat."""
NEAR = 0.04
"""Relative difference up to which a tempo is the one that was found."""
WHOLE = 0.9
"""Share of the rows that must lie in patterns of whole beats, or of whole bars."""


def gain(times: npt.NDArray[np.floating], beat: F32) -> F64:
    """Nats that a beat at each of some times adds, from the networks' logits."""
    bonus = smooth.bonus(beat)
    at = np.round(((np.asarray(times) + LABEL_DELAY) * FPS - 1) * smooth.FINE).astype(int)
    return np.asarray(bonus[np.clip(at, 0, len(bonus) - 1)], float)


def beats(rows: F64, found: npt.NDArray[np.floating], beat: F32) -> F64 | None:
    """Beats on rows, at the tempo of those that networks found; None where no count of rows gives that tempo.

    Parameters
    ----------
    rows : ndarray, shape (m, 3)
        Of each row: time in s, its number in the pattern, the pattern's number of rows.
    found : ndarray, shape (n,)
        Times in s of the networks' beats.
    beat : ndarray, shape (frames,)
        Their logits of a beat.

    Returns
    -------
    ndarray, shape (k, 3)
        Time in s, beat in bar (0 unknown), beats per bar.
    """
    period = float(np.median(np.diff(found)))
    _, number, length = rows.T
    best: tuple[float, int] | None = None
    for step in STEPS:
        times = rows[number % step == 0, 0]
        if len(times) < 2 or (length % step == 0).mean() < WHOLE:
            continue
        if abs(np.median(np.diff(times)) / period - 1) <= NEAR:
            best = max(best or (-np.inf, 0), (float(gain(times, beat).mean()), step))
    if best is None:
        return None
    step = best[1]
    bars = [m for m in (3, 4) if (length % (m * step) == 0).mean() >= WHOLE]
    on = number % step == 0
    out = np.zeros((int(on.sum()), 3))
    out[:, 0] = rows[on, 0]
    if len(bars) == 1:
        out[:, 1], out[:, 2] = number[on] / step % bars[0] + 1, bars[0]
    return out
