"""From the network's curves to hits: at once, once per hit.

A hit of a class is told at the first frame whose probability reaches the class's threshold, and not again until
the curve has fallen below half of it and the refractory time has passed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]


class Hit(NamedTuple):
    """Which curve, and its value at that frame."""

    curve: int
    value: float


class Picker:
    """One stream's picker. One thread.

    Parameters
    ----------
    thresholds : sequence of float
        One per curve.
    refractory : int
        Frames from one hit of a curve to the next at the least.
    """

    def __init__(self, thresholds: tuple[float, ...], refractory: int) -> None:
        self._base = np.array(thresholds, np.float64)
        self.refractory = refractory
        self.sensitivity(0.5)
        self.reset()

    def sensitivity(self, value: float) -> None:
        """0.5 takes the thresholds as they are; towards 1 they fall, towards 0 they rise (in log odds, by 3)."""
        odds = np.log(self._base / (1 - self._base)) + 6.0 * (0.5 - value)
        self._limits = [1 / (1 + math.exp(-x)) for x in odds.tolist()]

    def step(self, curves: F32) -> list[Hit]:
        """Hits that this frame shows."""
        found = []
        for k, value in enumerate(curves.tolist()):
            self._since[k] += 1
            if self._armed[k]:
                if value >= self._limits[k] and self._since[k] >= self.refractory:
                    self._armed[k], self._since[k] = False, 0
                    found.append(Hit(k, value))
            elif value < 0.5 * self._limits[k]:
                self._armed[k] = True
        return found

    def reset(self) -> None:
        """Forget the past."""
        self._armed = [True] * len(self._base)
        self._since = [1 << 20] * len(self._base)
