"""What the decoder reads out of its belief, and what it sends."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_LINES = ((17, 0.0065), (13, 0.005), (9, 0.004), (7, 0.004), (5, 0.004))
"""So many beats are taken for a line if they lie within so many seconds of it (r.m.s.): the more there are, the
less each moves it."""


class PredictedBeat(NamedTuple):
    """A beat the decoder has committed to.

    Attributes
    ----------
    time : float
        Stream seconds at which it falls; never before `emitted`.
    emitted : float
        End of the sound that had been heard.
    number : int
        Beat in bar, 1 = downbeat.
    per_bar : int
    """

    time: float
    emitted: float
    number: int
    per_bar: int


class Reading(NamedTuple):
    """What the belief says at one frame.

    Attributes
    ----------
    time : float
        Stream seconds at which `phase` holds (label delay and offset taken into account).
    phase : float
        Of the beat, [0, 1).
    period : float
        Seconds per beat.
    mass : float
        Probability of the chosen tempo and phase.
    """

    time: float
    phase: float
    period: float
    mass: float


class Window(NamedTuple):
    """What stays as it is while one chain is followed.

    Attributes
    ----------
    chain : int
    phase : ndarray of float32
        Of the states about it, contiguous.
    bins : ndarray of int
        Of a histogram of these phases, flat.
    """

    chain: int
    phase: npt.NDArray[np.float32]
    bins: npt.NDArray[np.int64]

    @classmethod
    def of(cls, chain: int, phase: npt.NDArray[np.float32], bins: int) -> Window:
        """For the phases that the filter gives, and so many bins."""
        return cls(chain, phase.copy(), (phase * np.float32(bins)).astype(np.int64).ravel())


def tempo_of(beats: Collection[tuple[int, float]], period: float) -> float:
    """BPM: a line through as many of the last beats as lie on one, else the belief's own mean.

    Parameters
    ----------
    beats : collection of (int, float)
        Number of each, and when it fell, s; the newest last.
    period : float
        The belief's mean, seconds per beat.
    """
    recent = np.array(beats)
    for count, most in _LINES:
        if len(recent) < count:
            continue
        n, t = recent[-count:].T
        n, t = n - n.mean(), t - t.mean()
        slope = float(n @ t) / float(n @ n)
        error = t - slope * n
        if abs(slope / period - 1) < 0.06 and float(np.sqrt(np.mean(error**2))) < most:
            return 60.0 / slope
    return 60.0 / period
