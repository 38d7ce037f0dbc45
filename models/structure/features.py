"""What the structure network hears, ten times a second: colour and attacks of the last tenth of a second.

From the log-mel frames of the tags (``models.tags.features``): the mean of every four bands, the mean rise of
every eight, and a constant one, whose leaky mean tells how much has been heard.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.tags.features import BANDS, FRAMES

F32 = npt.NDArray[np.float32]

COLOURS, ATTACKS = BANDS // 4, BANDS // 8
SIZE = COLOURS + ATTACKS + 1
_COLOURS = np.repeat(
    np.eye(COLOURS, dtype=np.float32) / np.float32(BANDS // COLOURS * FRAMES), BANDS // COLOURS, 0
)
_ATTACKS = np.repeat(np.eye(ATTACKS, dtype=np.float32) / np.float32(BANDS // ATTACKS), BANDS // ATTACKS, 0)


def condense(frames: F32, before: F32) -> F32:
    """Features of steps of four frames.

    Parameters
    ----------
    frames : ndarray, shape (4 * steps, 80)
    before : ndarray, shape (80,)
        The frame before them.

    Returns
    -------
    ndarray of float32, shape (steps, 31)
    """
    steps = len(frames) // FRAMES
    frames = np.asarray(frames[: steps * FRAMES], np.float32)
    rise = np.empty_like(frames)
    np.subtract(frames[:1], before, rise[:1])
    np.subtract(frames[1:], frames[:-1], rise[1:])
    np.maximum(rise, 0, out=rise)
    out = np.ones((steps, SIZE), np.float32)
    out[:, :COLOURS] = np.add.reduce(frames.reshape(steps, FRAMES, BANDS), axis=1).dot(_COLOURS)
    out[:, COLOURS:-1] = np.add.reduce(rise.reshape(steps, FRAMES, BANDS), axis=1).dot(_ATTACKS)
    return out
