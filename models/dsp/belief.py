"""A belief over classes that mostly stay what they are, and a choice that does not flicker."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_OVER = 0.02  # share of its belief that a class keeps which is said to be over


class Belief:
    """A forward filter of a hidden Markov model whose every class is left for any other equally often.

    Parameters
    ----------
    classes : int
    rate : float
        Steps a second.
    stay : float
        Mean seconds that a class lasts.
    temper : float
        Exponent of the answers, whose steps are not independent.
    sure : float
        Belief from which another class is chosen, above 0.5.

    Attributes
    ----------
    belief : ndarray, shape (classes,)
    chosen : int
        -1 until there is one.
    """

    def __init__(self, classes: int, rate: float, stay: float, temper: float, sure: float) -> None:
        self._leave = 1 - math.exp(-1 / (rate * stay))
        self._temper, self._sure, self._classes = temper, sure, classes
        self.reset()

    def reset(self) -> None:
        """Know nothing."""
        self.belief = np.full(self._classes, 1.0 / self._classes)
        self.chosen = -1

    def doubt(self) -> None:
        """Know nothing any more; what has been chosen stays until something else is."""
        self.belief[:] = 1.0 / self._classes

    def step(self, answer: npt.NDArray[np.float32]) -> bool:
        """Take one step's probabilities; whether another class has been chosen."""
        b = (1 - self._leave) * self.belief + self._leave / self._classes
        b *= np.maximum(answer, 1e-4) ** self._temper
        b /= np.add.reduce(b)
        self.belief = b
        best = int(b.argmax())
        if best != self.chosen and b[best] >= self._sure:
            self.chosen = best
            return True
        return False

    def leave(self, classes: Sequence[int]) -> None:
        """Take it for nearly certain that these are over; if one of them was chosen, the likeliest other is.

        Parameters
        ----------
        classes : sequence of int
            Their numbers, 0 … classes - 1.
        """
        self.belief[list(classes)] *= _OVER
        self.belief /= np.add.reduce(self.belief)
        if self.chosen in classes:
            self.chosen = int(self.belief.argmax())

    @property
    def confidence(self) -> float:
        """Belief in the chosen class, 0–1."""
        return float(self.belief[self.chosen]) if self.chosen >= 0 else 0.0
