"""From the network's curves to hits: at once, once per hit.

A hit of a class is told at the first frame whose probability reaches the class's threshold, and not again until
the curve has fallen below half of it and the refractory time has passed. There are two sets of thresholds, for
drums alone and for drums under a band: real drums alone sound fuller than the kits of the training, so a snare
looks like a kick as well unless more is asked for, while under a band a kick shows only faintly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    alone, band : sequence of float
        Thresholds without and with a band, one per curve.
    refractory : int
        Frames from one hit of a curve to the next at the least.
    """

    def __init__(self, alone: Sequence[float], band: Sequence[float], refractory: int) -> None:
        self._base = np.array([alone, band], np.float64)
        self.refractory = refractory
        self.sensitivity(0.5)
        self.reset()

    def sensitivity(self, value: float) -> None:
        """0.5 takes the thresholds as they are; towards 1 they fall, towards 0 they rise (in log odds, by 3)."""
        odds = np.log(self._base / (1 - self._base)) + 6.0 * (0.5 - value)
        alone, band = ([1 / (1 + math.exp(-x)) for x in row] for row in odds.tolist())
        self._limits = [(a, b - a) for a, b in zip(alone, band)]

    def step(self, curves: F32, band: float) -> list[Hit]:
        """Hits that this frame shows; `band` is how surely a band plays, 0 to 1."""
        found = []
        for k, (value, (alone, more)) in enumerate(zip(curves.tolist(), self._limits)):
            limit = alone + band * more
            self._since[k] += 1
            if self._armed[k]:
                if value >= limit and self._since[k] >= self.refractory:
                    self._armed[k], self._since[k] = False, 0
                    found.append(Hit(k, value))
            elif value < 0.5 * limit:
                self._armed[k] = True
        return found

    def reset(self) -> None:
        """Forget the past."""
        self._armed = [True] * self._base.shape[1]
        self._since = [1 << 20] * self._base.shape[1]
