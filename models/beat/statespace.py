"""The states of the filter: tempi, metres, what is told of them, and how far each source of it is trusted.

After F. Krebs, S. Böck and G. Widmer, "An efficient state-space model for joint tempo and meter tracking" (ISMIR
2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

STEP = 0.010
"""Seconds per position."""
SLOW = 100.0
"""BPM below which tempi may lie further apart."""
_TOLERANCE = 0.03
"""Of the logarithm: how near to an octave a tempo has to be."""
_FOUR = 9.0
"""How many times as common bars of four beats are as those of each other metre."""


@dataclass(frozen=True)
class Trust:
    """What one of the beliefs goes by.

    Attributes
    ----------
    evidence : float
        Factor of :attr:`FilterConfig.evidence`.
    tempo : float
        Exponent of the likelihood that :meth:`BarPointer.renew` is told.
    accents : bool
        Whether it hears what :meth:`BarPointer.advance` and :meth:`BarPointer.accent` are told of these.
    answer : int
        Which of the network's answers it goes by: index of what :meth:`BarPointer.evidence` is told.
    """

    evidence: float = 1.0
    tempo: float = 1.0
    accents: bool = True
    answer: int = 0

    @property
    def hears(self) -> tuple[float, bool, int]:
        """What decides how it hears beats."""
        return self.evidence, self.accents, self.answer


@dataclass(frozen=True)
class FilterConfig:
    """Constants of the filter.

    Attributes
    ----------
    metres : tuple of int
        Beats per bar that are considered.
    low, high : float
        Tempo range, BPM.
    per_octave : tuple of int
        Tempi to an octave, fast and slow ones (:func:`intervals`).
    spread : float
        Lambda: how unlikely a change of tempo is.
    octave_change : float
        How likely twice and half the tempo are at a beat, against the same one.
    restart : float
        Probability per step that the music is cut and everything starts anew.
    metre_change : float
        Probability per bar of another metre.
    evidence : tuple of float
        Exponents of the likelihood ratio at the positions before, at and after the beat.
    beat_prior, downbeat_prior : float
        Class priors that the network's probabilities are divided by.
    octave_centre, octave_width : float
        How readily a tempo is felt as the beat (:func:`felt`), BPM and octaves: its prior at (re)start, and what
        decides where beliefs differ by an octave.
    beliefs : tuple of Trust
        Those that go side by side.
    """

    metres: tuple[int, ...] = (3, 4)
    low: float = 40.0
    high: float = 280.0
    per_octave: tuple[int, int] = (36, 28)
    spread: float = 100.0
    octave_change: float = 1e-3
    restart: float = 1e-5
    metre_change: float = 1e-3
    evidence: tuple[float, float, float] = (0.25, 0.5, 0.25)
    beat_prior: float = 0.10
    downbeat_prior: float = 0.27
    floor: float = 0.02
    octave_centre: float = 120.0
    octave_width: float = 0.85
    beliefs: tuple[Trust, ...] = (
        Trust(tempo=2.0, answer=2),
        Trust(evidence=2.0, accents=False),
        Trust(tempo=0.0, answer=1),
    )


def intervals(low: float, high: float, per_octave: tuple[int, int]) -> F64:
    """Beat periods in positions, shortest first, from `high` BPM as far as `low`; most are not whole.

    Whole ones alone lie 5 % apart at 280 BPM and 2.7 at 160, and fit one octave better than another: a click of
    160 was followed at 80, whose period is whole, one of 170 at its own tempo.

    Parameters
    ----------
    low, high : float
        BPM.
    per_octave : (int, int)
        Periods to an octave from :data:`SLOW` on and below it.
    """
    fast, slow = (2.0 ** (1 / n) for n in per_octave)
    out = [60.0 / high / STEP]
    while True:
        following = out[-1] * (fast if out[-1] * fast * STEP * SLOW <= 60.0 else slow)
        if following * STEP * low > 60.0:
            return np.array(out)
        out.append(following)


def felt(tempi: npt.NDArray[np.floating], most: float, width: float) -> F64:
    """How readily each tempo is felt as the beat.

    Log-normal, after L. van Noorden and D. Moelants, "Resonance in the perception of musical pulse" (1999).

    Parameters
    ----------
    tempi : ndarray
        BPM.
    most : float
        BPM at which it is 1.
    width : float
        Standard deviation, octaves.
    """
    out: F64 = np.exp(-0.5 * (np.log2(tempi / most) / width) ** 2)
    return out


def octaves(ratio: F64) -> F64:
    """1 where the ratio of two periods is nearest to a half or to two.

    Parameters
    ----------
    ratio : ndarray, shape (from, to)

    Returns
    -------
    ndarray, shape (from, to)
        At most two ones a row; none for an octave that is not there.
    """
    off = [np.abs(np.log(ratio / octave)) for octave in (0.5, 2.0)]
    return sum(((o == o.min(1, keepdims=True)) & (o < _TOLERANCE)).astype(np.float64) for o in off)


def one_later(metres: tuple[int, ...]) -> I64:
    """``bar[one_later(metres)]`` is `bar`, one value a beat of every metre, as seen one beat later."""
    ends = np.cumsum(metres)
    return np.concatenate([np.roll(np.arange(e - m, e), 1) for e, m in zip(ends, metres)])


def succession(metres: tuple[int, ...], change: float) -> F64:
    """Probability of each beat of every metre, if the beat before is known.

    Parameters
    ----------
    metres : tuple of int
        Beats per bar.
    change : float
        Probability per bar that the next one is of another metre.

    Returns
    -------
    ndarray, shape (to, from)
        Beats as in :func:`usual`; columns sum to 1.
    """
    ends = np.cumsum(metres)
    first, last = ends - np.array(metres), ends - 1
    out = np.eye(ends[-1], k=-1)
    out[:, last] = 0.0
    others = len(metres) - 1
    change = change if others else 0.0
    out[np.ix_(first, last)] = change / max(others, 1)
    out[first, last] = 1.0 - change
    return out


def usual(metres: tuple[int, ...]) -> F64:
    """Probability of each beat of every metre when nothing is known; shape ``(sum(metres),)``."""
    weights = [_FOUR if m == 4 else 1.0 for m in metres]
    return np.concatenate([np.full(m, w / (m * sum(weights))) for m, w in zip(metres, weights)])
