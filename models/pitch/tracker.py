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
_KEEP = 0.5  # of the past, per hop
_MOVE = 0.02  # cost of moving by one grid step, the most that is possible per hop without a jump
_JUMP = 0.35
_SHARP = 0.01


class Estimate(NamedTuple):
    """Pitch in Hz and how periodic the sound is there, 0 to about 1."""

    pitch: float
    strength: float


class PitchTracker:
    """Weighs the windows by how clear each is, and follows the best pitch over time.

    Parameters
    ----------
    firsts : sequence of int
        For each window, the grid index of the lowest pitch it can judge.
    trust : sequence of float
        Weight of each window when all are equally clear.
    """

    def __init__(self, firsts: Sequence[int], trust: Sequence[float]) -> None:
        self._firsts, self._trust = list(firsts), list(trust)
        self._bonus = (np.arange(len(GRID)) * _OCTAVE / STEPS).astype(np.float32)
        self._best = np.zeros(len(GRID), np.float32)
        self._reach = np.zeros(len(GRID), np.float32)

    def process(self, curves: Sequence[F32]) -> Estimate:
        """Periodicity of each window from its first pitch on; returns the pitch now."""
        total, weight = np.zeros(len(GRID), np.float32), np.full(len(GRID), 1e-6, np.float32)
        for first, trust, curve in zip(self._firsts, self._trust, curves):
            clear = trust / (max(0.0, 1 - float(curve.max())) + _SHARP)
            last = first + len(curve)
            total[first:last] += np.float32(clear) * curve
            weight[first:last] += np.float32(clear)
        total /= weight
        past, reach = self._best, self._reach
        np.maximum(past, past.max() - np.float32(_JUMP), out=reach)
        np.maximum(reach[1:], past[:-1] - np.float32(_MOVE), out=reach[1:])
        np.maximum(reach[:-1], past[1:] - np.float32(_MOVE), out=reach[:-1])
        reach *= np.float32(_KEEP)
        reach += total
        reach += self._bonus
        self._best, self._reach = reach, past
        k = int(reach.argmax())
        low, high = max(0, k - 3), min(len(GRID), k + 4)
        at = low + int((total[low:high] + self._bonus[low:high]).argmax())
        return Estimate(_refined(total, at), float(total[at]))

    def reset(self) -> None:
        """Forget the past."""
        self._best[:] = 0.0


def _refined(curve: F32, k: int) -> float:
    """Peak between grid pitches, by a parabola."""
    if not 0 < k < len(GRID) - 1:
        return float(GRID[k])
    left, centre, right = (float(v) for v in curve[k - 1 : k + 2])
    bend = left - 2 * centre + right
    shift = 0.5 * (left - right) / bend if bend < -1e-9 else 0.0
    return float(GRID[k]) * 2 ** (max(-0.5, min(0.5, shift)) / STEPS)
