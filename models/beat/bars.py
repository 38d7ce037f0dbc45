"""The count of the bar: a filter over beats, fed by a network that hears whole beats.

The tracker's own filter places beats; which of them is the one it can tell only from what its network says at
each instant. Here every beat, once it is over, is described as a whole (:mod:`models.beat.beatwise`), a small
network says which beat of the bar it was, and a filter with one state a beat of every metre carries that on to the
beat to come.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.beat import beatwise
from models.beat.clicks import Clicks
from models.beat.features import FPS, LONG, SIZE
from models.beat.statespace import one_later, usual
from models.dsp.stepper import Stepper

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

WEIGHTS = Path(__file__).with_name("bars.onnx")
METRES = (3, 4)
"""Bars that the network knows, in the order of its answer."""
_KEPT = 256
"""Frames kept: five seconds, more than two of the slowest beats."""
_TRUST = 0.3
"""Exponent of the network's answer: it remembers, so that neighbouring ones are far from independent."""
_HINT = 0.3
"""Exponent of what the tracker's own filter makes of a beat: at first it knows more, for music begins on a one."""
_FLOOR = 0.02
_JUMP = 0.004
"""Probability per beat that the count begins anew."""
_CLICKS = 0.02
"""Likelihood of any other count than that of a click track's accent."""


class BarCounter:
    """Counts one stream's beats. Owned by one thread.

    Attributes
    ----------
    belief : ndarray, shape (7,)
        Probability of each beat of a bar of three, then of four, for the last beat told of.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._network = Stepper(weights, ("bar",))
        self._clicks = Clicks()
        self._later = one_later(METRES)
        self._usual = usual(METRES)
        self._frames = np.zeros((2 * _KEPT, SIZE), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._network.reset()
        self._clicks.reset()
        self.belief: F64 = self._usual.copy()
        self._filled = self._heard = 0
        self._ahead = 0.0
        self._chord = np.zeros(LONG.bands, np.float32)
        self._last: float | None = None

    def hear(self, frame: F32, end: float) -> None:
        """Keep a frame of features, shape (144,), that ends at stream second `end`."""
        frames = self._frames
        if self._filled == len(frames):
            frames[:_KEPT] = frames[_KEPT:]
            self._filled = _KEPT
        frames[self._filled] = frame
        self._filled += 1
        self._heard += 1
        self._ahead = end - self._heard / FPS

    def beat(self, time: float, lost: float = 0.0, hint: F64 | None = None) -> F64:
        """A beat is about to fall.

        Parameters
        ----------
        time : float
            Stream seconds, at the end of the newest frame or shortly after.
        lost : float
            Probability that this beat has nothing to do with the one before, as when the pulse has become another.
        hint : ndarray, shape (7,), optional
            What is thought of this beat elsewhere.

        Returns
        -------
        ndarray, shape (7,)
            Probability of each beat of a bar of three, then of four, for this beat.
        """
        if self._last is not None and time > self._last:
            begin, end = self._last - self._ahead, time - self._ahead  # as the frames count
            first = max(0, self._heard - _KEPT, int((begin - 0.2) * FPS))
            frames = self._frames[self._filled - (self._heard - first) : self._filled]
            row = beatwise.row(frames, first, begin, end, self._chord)
            self._chord = row[: LONG.bands].copy()
            (said,) = self._network.step(row)
            self.belief *= (said + _FLOOR) ** _TRUST
            if counted := self._clicks.beat(frames, first, begin, end):
                self.belief *= np.where(_same(*counted), 1.0, _CLICKS)
            self.belief /= self.belief.sum()
            jump = max(_JUMP, lost)
            self.belief = self.belief[self._later] * (1.0 - jump) + self._usual * jump
        if hint is not None:
            self.belief *= (hint + _FLOOR) ** _HINT
            self.belief /= self.belief.sum()
        self._last = time
        return self.belief


def _same(number: int, beats: int) -> npt.NDArray[np.bool_]:
    """Which of the beats of all bars is this one of a bar of so many."""
    return np.concatenate([(m == beats) & (np.arange(m) == number - 1) for m in METRES])
