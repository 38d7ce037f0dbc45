"""What the network thinks of a hop: how likely each pitch of the grid is, and whether anything is voiced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.dsp.stepper import Stepper
from models.pitch.features import OCTAVE, PITCHES
from models.pitch.periodicity import GRID, STEPS

F32 = npt.NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("pitch.onnx")
_REACH = 6.0  # natural units of log-probability from 1 down to 0
_ONE, _ZERO = np.ones((), np.float32), np.zeros((), np.float32)
_ODDS = 0.2  # of the voicing: in training something sounds most of the time


class Opinion:
    """One stream's network.

    Attributes
    ----------
    likely : ndarray of float32, shape (len(GRID),)
        0 to 1: log-probability from very unlikely to certain.
    voiced : float
        Probability that a single voice sounds.

    Raises
    ------
    UserError
        If the weights are missing.
    """

    def __init__(self) -> None:
        self._network = Stepper(WEIGHTS, ("pitch", "voiced"))
        at = np.arange(len(GRID)) * (OCTAVE / STEPS)
        self._below = np.minimum(at.astype(np.intp), PITCHES - 2)
        self._share = ((at - self._below) / _REACH).astype(np.float32)
        self._whole = np.float32(1 / _REACH) - self._share
        self.likely = np.zeros(len(GRID), np.float32)
        self.voiced = 0.0

    def process(self, frame: F32) -> None:
        """Take the features of a hop."""
        pitch, voiced = self._network.step(frame)
        said = float(voiced[0])
        self.voiced = said * _ODDS / (1 + said * (_ODDS - 1))
        likely = self.likely
        np.multiply(pitch.take(self._below), self._whole, out=likely)
        likely += pitch[1:].take(self._below) * self._share
        likely += _ONE
        np.maximum(likely, _ZERO, out=likely)

    def reset(self) -> None:
        """Forget all sound."""
        self._network.reset()
        self.likely[:] = 0.0
        self.voiced = 0.0
