"""What the structure network hears, ten times a second: colour and attacks of the last tenth of a second.

From the log-mel frames of the tags (``models.tags.features``): the mean of every four bands and their mean rise,
the largest rise of every sixteen (blows, where noise that swells has many small ones), and a constant one, whose
leaky mean tells how much has been heard.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.tags.features import BANDS, FRAMES

F32 = npt.NDArray[np.float32]

COLOURS = ATTACKS = BANDS // 4
BLOWS = BANDS // 16
SIZE = COLOURS + ATTACKS + BLOWS + 1
_GROUP = np.repeat(np.eye(COLOURS, dtype=np.float32), BANDS // COLOURS, 0)
_MEAN = _GROUP / np.float32(BANDS // COLOURS * FRAMES)
_WIDE = np.repeat(np.eye(BLOWS, dtype=np.float32), BANDS // BLOWS, 0) / np.float32(BANDS // BLOWS)


def condense(frames: F32, before: F32) -> F32:
    """Features of steps of four frames.

    Parameters
    ----------
    frames : ndarray, shape (4 * steps, 80)
    before : ndarray, shape (80,)
        The frame before them.

    Returns
    -------
    ndarray of float32, shape (steps, 46)
    """
    steps = len(frames) // FRAMES
    frames = np.asarray(frames[: steps * FRAMES], np.float32)
    rise = np.empty_like(frames)
    np.subtract(frames[:1], before, rise[:1])
    np.subtract(frames[1:], frames[:-1], rise[1:])
    np.maximum(rise, 0, out=rise)
    out = np.ones((steps, SIZE), np.float32)
    out[:, :COLOURS] = np.add.reduce(frames.reshape(steps, FRAMES, BANDS), axis=1).dot(_MEAN)
    out[:, COLOURS : COLOURS + ATTACKS] = np.add.reduce(rise.reshape(steps, FRAMES, BANDS), axis=1).dot(2 * _MEAN)
    blows = np.maximum.reduce(rise.dot(_WIDE).reshape(steps, FRAMES, BLOWS), axis=1)
    out[:, COLOURS + ATTACKS : -1] = blows
    return out
