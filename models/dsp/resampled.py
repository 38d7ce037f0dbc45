"""A whole piece of sound at another sample rate: for models that want one which their window does not have."""

from __future__ import annotations

import math

import numpy as np

from realtime.audio.resample import StreamResampler
from realtime.hosting.plugin import Array


def resampled(sound: Array, source: int, target: int) -> Array:
    """The same piece at another rate, the resampler's delay taken off.

    Parameters
    ----------
    sound : ndarray of float32, shape (n,)
    source, target : int
        Hz.

    Returns
    -------
    ndarray of float32, shape (ceil(n * target / source),)
    """
    if source == target:
        return sound
    resampler = StreamResampler(source, target)
    tail = np.zeros(math.ceil(resampler.delay * source) + 1, np.float32)
    made = resampler.process(np.concatenate([sound, tail]))
    first = round(resampler.delay * target)
    return made[first : first + math.ceil(len(sound) * target / source)]
