"""What frames have said since the belief last moved on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.beat.barpointer import Instant
from models.beat.features import PAIR

F64 = npt.NDArray[np.float64]


class Pending:
    """Gathers frames until the belief can move. Owned by the decoder's thread.

    Attributes
    ----------
    frames : int
        How many are waiting, :data:`PAIR` at most.
    instants : list of list of Instant
        What each of the network's answers says of the middle and the end of each of them.
    """

    def __init__(self, prior: float) -> None:
        self._prior = prior
        self.reset()

    def reset(self) -> None:
        """Nothing heard."""
        self._before: list[list[float]] = []
        self.clear()

    def clear(self) -> None:
        """Begin again: what was waiting has been taken in."""
        self.frames = 0
        self.instants: list[list[Instant]] = []
        self._rises: list[F64] = []

    @property
    def full(self) -> bool:
        """Whether the belief can move."""
        return self.frames == PAIR

    @property
    def rises(self) -> F64 | None:
        """Of the accents, shape ``(STEPS, 3)``; None if none were told."""
        return np.concatenate(self._rises) if self._rises else None

    def note(self, answers: list[list[float]], faith: float, rise: F64 | None) -> None:
        """Take a frame.

        Parameters
        ----------
        answers : list of [beat, downbeat]
            The network's, probabilities.
        faith : float
            0–1: how far to believe it where it says that there is no beat.
        rise : ndarray, shape (2, 3), optional
            From :class:`models.beat.rhythm.Accents`.
        """
        before, self._before = self._before or answers, answers
        if not self.instants:
            self.instants = [[] for _ in answers]
        for told, (beat, down), (old, old_down) in zip(self.instants, answers, before):
            half = 0.5 * (old + beat)
            told.append((half, 0.5 * (old_down + down), faith if half < self._prior else 1.0))
            told.append((beat, down, faith if beat < self._prior else 1.0))
        if rise is not None:
            self._rises.append(rise)
        self.frames += 1
