"""Sound made harmless: what a faulty sender or a broken file may hold must not reach any filter or model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

LOUDEST = 16.0
"""Samples beyond this magnitude (+24 dBFS) are clipped: they are a fault of the sender."""
SILENCE = 1e-20
"""A tick with no sample above this is taken as exact silence, which keeps denormals out of every filter."""
_AUDIBLE = 1e-12
"""Sum of squares of a tick that is surely not silent."""


def repair(heard: F32, tick: int) -> int:
    """Make whole ticks of sound harmless in place, each by itself; on the lane's thread.

    Parameters
    ----------
    heard : ndarray of float32, shape (ticks * tick, channels), contiguous
    tick : int
        Frames in each.

    Returns
    -------
    int
        Ticks that held what is no sound: NaN, infinity, or samples beyond :data:`LOUDEST`.
    """
    size = tick * heard.shape[1]
    flat = heard.reshape(-1)
    found = 0
    for at in range(0, len(flat), size):
        part = flat[at : at + size]
        if _AUDIBLE < np.vdot(part, part) <= LOUDEST**2:  # so is every single sample
            continue
        peak = float(np.abs(part).max())
        if peak < SILENCE:
            part[:] = 0.0
        elif not peak <= LOUDEST:
            found += 1
            np.nan_to_num(part, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
            np.clip(part, -LOUDEST, LOUDEST, out=part)
    return found
