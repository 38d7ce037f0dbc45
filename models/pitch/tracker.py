"""One pitch out of several windows: short ones answer fast, long ones hear through noise.

References
----------
P. Boersma: Accurate short-term analysis of the fundamental frequency. IFA Proceedings 17, 1993 (octave and jump
costs, here in a forward pass with decay instead of a search over the whole recording).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.pitch.periodicity import GRID, STEPS

F32 = npt.NDArray[np.float32]

_OCTAVE = 0.07  # advantage of each octave up: a period's multiples fit as well as the period
_LEAN, _DOUBT = 0.2, 5.0  # of a network's share at perfect periodicity, and more of it below
# Arrays without axes: numpy takes them much more quickly than numbers.
_KEPT = np.array(0.5, np.float32)  # of the past, per hop
_STEP = np.array(0.02, np.float32)  # cost of moving by one grid step, the most per hop without a jump
_FALL = np.array(0.2, np.float32)  # cost of a jump
_SHARP = 0.01
_LEAST = np.array(1e-6, np.float32)

CLEAR = 0.95
"""Periodicity that accompaniments and noise hardly ever reach: something sounds alone."""

TRUST = (2.0, 2.0, 1.5, 1.0)
"""Weight of windows of ½, 1, 2 and 5 hops when all are equally clear."""


class Estimate(NamedTuple):
    """Pitch in Hz, how periodic the sound is there, 0 to about 1, and how much the network counted."""

    pitch: float
    strength: float
    share: float


class PitchTracker:
    """Weighs the windows by how clear each is, and follows the best pitch over time.

    Parameters
    ----------
    judged : ndarray of float32, shape (windows, len(GRID))
        1 where a window can judge a pitch, else 0.
    trust : sequence of float
        Weight of each window when all are equally clear.
    """

    def __init__(self, judged: F32, trust: Sequence[float]) -> None:
        self._judged, self._trust = judged, list(trust)
        self._bonus = (np.arange(len(GRID)) * _OCTAVE / STEPS).astype(np.float32)
        self._clear = np.zeros(len(judged), np.float32)
        self._best, self._reach, self._total, self._work = np.zeros((4, len(GRID)), np.float32)
        self._jump, self._network, self._rest = (np.zeros((), np.float32) for _ in range(3))
        self.reset()

    def process(self, curves: F32, likely: F32 | None = None, share: float = 0.0) -> Estimate:
        """Follow the pitch for a hop.

        Parameters
        ----------
        curves : ndarray of float32, shape (windows, len(GRID))
            Periodicity in each window.
        likely : ndarray of float32, shape (len(GRID),), optional
            What a network makes of each pitch, 0 to 1.
        share : float
            How much that counts where periodicity is unclear, 0 to 1.

        Returns
        -------
        Estimate
            The pitch now, and its periodicity.
        """
        total, work, clear = self._total, self._work, self._clear
        tops = np.maximum.reduce(curves, axis=1).tolist()
        clear[:] = [trust / (max(0.0, 1 - top) + _SHARP) for trust, top in zip(self._trust, tops)]
        np.dot(clear, curves, out=total)
        np.dot(clear, self._judged, out=work)
        work += _LEAST
        total /= work
        past, reach = self._best, self._reach
        np.maximum(past, self._jump, out=reach)
        past -= _STEP
        np.maximum(reach[1:], past[:-1], out=reach[1:])
        np.maximum(reach[:-1], past[1:], out=reach[:-1])
        reach *= _KEPT
        np.add(total, self._bonus, out=work)
        if likely is not None:
            share *= min(1.0, _LEAN + _DOUBT * (1 - float(total[total.argmax()])))
            self._network[()], self._rest[()] = share, 1 - share
            work *= self._rest
            work += np.multiply(likely, self._network, out=past)
        reach += work
        self._best, self._reach = reach, past
        k = int(reach.argmax())
        np.subtract(reach[k], _FALL, out=self._jump)
        low = max(0, k - 3)
        at = low + int(work[low : k + 4].argmax())
        fine = _peak(total, at)
        pitch = _refined(work, at) if fine is None else _refined(total, fine)
        return Estimate(pitch, float(total[at if fine is None else fine]), share)

    def reset(self) -> None:
        """Forget the past."""
        self._best[:] = 0.0
        self._jump[()] = -_FALL


def _peak(curve: F32, k: int) -> int | None:
    """Where periodicity, finer than a network, peaks: within a step of `k`, or within three where it is clear."""
    low = max(1, k - 3)
    at = low + int(curve[low : k + 4].argmax())
    near = (at, k) if curve[at] > CLEAR else (k,)
    for found in (*near, k - 1, k + 1):
        if 0 < found < len(GRID) - 1 and curve[found - 1] < curve[found] > curve[found + 1]:
            return found
    return None


def _refined(curve: F32, k: int) -> float:
    """Peak between grid pitches, by a parabola."""
    if not 0 < k < len(GRID) - 1:
        return float(GRID[k])
    left, centre, right = curve[k - 1 : k + 2].tolist()
    bend = left - 2 * centre + right
    shift = 0.5 * (left - right) / bend if bend < -1e-9 else 0.0
    return float(GRID[k]) * 2 ** (max(-0.5, min(0.5, shift)) / STEPS)
