"""A bar-pointer filter: exact Bayesian tracking of tempo and position in a hand-set rhythm pattern.

References
----------
N. Whiteley, A. T. Cemgil, S. Godsill: Bayesian modelling of temporal structure in musical audio. ISMIR 2006.
F. Krebs, S. Böck, G. Widmer: An efficient state-space model for joint tempo and meter tracking. ISMIR 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

STEP = 0.01
"""Seconds per step of the filter."""

LOWEST, HIGHEST = 55.0, 215.0
"""Tempo range, BPM."""

_TEMPI = 70
_SHARPNESS = 100.0  # of tempo changes at a beat, against |log ratio|
_PRIOR = (100.0, 0.4)  # BPM, octaves
_PULL = 0.05  # of the prior, at each beat
_LEAK, _RESTART = 1e-5, 8  # share of belief that starts anew, every so many steps
_NORMALISE = 2  # steps; one takes some 8 orders of magnitude off at most
_SPREAD = 0.7  # steps around a grid point within which its onset counts
_NEAR = 3

BEATS = 2
"""Length of the rhythm pattern, in beats: kick and snare."""

_PATTERN = {
    # expected flux in the low, middle and high band, against each other
    "kick": (3.2, 3.0, 3.0),
    "snare": (2.2, 4.2, 3.0),
    "half": (1.0, 1.0, 1.3),
    "quarter": (0.5, 0.5, 0.5),
    "between": (0.4, 0.4, 0.48),
}
_BAND_WEIGHTS = np.array([1.0, 1.0, 0.7])
_TRUST = 0.1  # of the likelihood: flux frames are far from independent
_POWER, _CAP = 1.2, 16.0


class Reading(NamedTuple):
    """What the filter believes now: beat period (s), position in the pattern (beats), probability nearby."""

    period: float
    position: float
    mass: float


class PulseFilter:
    """Belief over (tempo, position in a pattern of two beats), updated every :data:`STEP`.

    A state is a whole number of steps into a pattern of a whole number of steps; each step moves every state by
    one, and at a beat the tempo may change a little. The flux of each band is taken as exponential,
    with the mean that the pattern expects at the state's place.
    """

    def __init__(self) -> None:
        spread = np.geomspace(60 / HIGHEST / STEP, 60 / LOWEST / STEP, _TEMPI) * BEATS
        self._bars = np.unique(np.round(spread).astype(np.intp))
        self._first = np.concatenate([[0], np.cumsum(self._bars)[:-1]]).astype(np.intp)
        size = int(self._bars.sum())
        steps = np.concatenate([np.arange(n) for n in self._bars])
        tempo = np.repeat(np.arange(len(self._bars)), self._bars)
        self._beat = (steps / (self._bars[tempo] / BEATS)).astype(np.float32)
        self._period = (self._bars[tempo] / BEATS).astype(np.float32)
        self._tempo = tempo
        self._class, self._mean = _places(self._beat, self._period, self._bars[tempo])
        # Log-likelihood of each place: this times the flux of the bands and a one.
        constant = np.log(self._mean) @ _BAND_WEIGHTS
        self._score = (-_TRUST * np.column_stack([_BAND_WEIGHTS / self._mean, constant])).astype(np.float32)
        self._flux = np.ones(_BAND_WEIGHTS.size + 1, np.float32)
        beat = np.arange(BEATS)
        starts = self._first[:, None] + np.ceil(beat * self._bars[:, None] / BEATS - 1e-9).astype(np.intp)
        lasts = np.hstack([self._first[:, None] + self._bars[:, None], starts[:, 1:]]) - 1
        self._starts, self._lasts = starts.T.copy(), lasts.T.copy()
        log = np.log(self._bars)
        change = np.exp(-_SHARPNESS * np.abs(log[:, None] - log[None, :]))
        octave = np.log2(60 / (self._bars / BEATS * STEP) / _PRIOR[0])
        prior = np.exp(-0.5 * (octave / _PRIOR[1]) ** 2)
        change *= (prior / prior.max()) ** _PULL / change.sum(1, keepdims=True)
        self._change = change.astype(np.float32)
        self._start = (prior / prior.sum() / self._bars)[tempo].astype(np.float32)
        self._renewal = self._start * np.float32(_LEAK)
        self._belief, self._next = self._start.copy(), np.zeros(size, np.float32)
        self._factor = np.zeros(size, np.float32)
        self._heard = 0

    def move(self) -> None:
        """One step of time without listening."""
        old, new = self._belief, self._next
        new[1:] = old[:-1]
        new[self._starts] = old[self._lasts] @ self._change
        self._belief, self._next = new, old

    def hear(self, flux: Sequence[float]) -> None:
        """Weigh the belief with what was heard.

        Parameters
        ----------
        flux : sequence of 3 floats
            Of the low, middle and high band, each divided by its own running mean.
        """
        self._flux[:-1] = [min(f, _CAP) ** _POWER for f in flux]
        score = self._score.dot(self._flux)
        best = score.argmax()
        likelihood = np.exp(score - score[best : best + 1])
        self._heard += 1
        if self._heard % _NORMALISE == 0:
            likelihood /= np.add.reduce(self._belief)
        likelihood.take(self._class, out=self._factor, mode="clip")
        self._belief *= self._factor
        if self._heard % _RESTART == 0:
            self._belief += self._renewal

    def read(self) -> Reading:
        """The most probable state, refined by the mean of its neighbourhood."""
        best = int(self._belief.argmax())
        tempo = int(self._tempo[best])
        low, high = max(0, tempo - 2), min(len(self._bars) - 1, tempo + 2)
        span = slice(int(self._first[low]), int(self._first[high] + self._bars[high]))
        distance = self._beat[span] - self._beat[best]
        distance -= BEATS * np.round(distance / BEATS)
        weight = np.where(np.abs(distance) < 0.2, self._belief[span], np.float32(0.0))
        mass = float(np.add.reduce(weight))
        period = float(weight @ self._period[span]) / mass * STEP
        position = float(self._beat[best]) + float(weight @ distance) / mass
        return Reading(period, position % BEATS, mass / float(np.add.reduce(self._belief)))

    def reset(self) -> None:
        """Know nothing but the tempo prior."""
        self._belief[:] = self._start
        self._heard = 0


def _places(beat: F32, period: F32, bar: Index) -> tuple[Index, F64]:
    """Class of each state, and mean flux of each class, shape (classes, 3); 1 on average over the states."""
    quarter = np.round(beat * 4).astype(np.intp)
    away = np.round(np.abs(beat * 4 - quarter) / 4 * period).astype(np.intp)
    kind = np.where(quarter % 4 == 0, quarter // 4 % BEATS, np.where(quarter % 4 == 2, BEATS, BEATS + 1))
    *places, between = (np.array(v) for v in _PATTERN.values())
    near = np.exp(-0.5 * (np.arange(_NEAR) / _SPREAD) ** 2)
    means = np.array([between + (p - between) * n for p in places for n in near] + [between])
    index = np.where(away < _NEAR, kind * _NEAR + np.minimum(away, _NEAR - 1), len(means) - 1)
    share = np.bincount(index, 1 / bar, minlength=len(means))
    means /= share @ means / share.sum()
    return index.astype(np.intp), means
