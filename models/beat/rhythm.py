"""What needs no training: how strongly each part of a beat is struck, in three bands, beside the network's answer.

The network knows music like that it was trained on; that kicks and snares stand on beats, and that less happens
half-way and least in between, is true of nearly all music with a pulse. The rises of the spectrum are therefore
weighed a second time, as in :mod:`models.tempo.pulse`: the rise of each band is taken as exponential with the
mean that a hand-set pattern expects at the state's place, and enters the filter as a likelihood ratio against
"between".
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.beat.barpointer import CENTRE, NEAR, STEPS, BarPointer
from models.beat.features import PAIR, SAMPLE_RATE, centres
from models.beat.statespace import STEP
from models.dsp.flux import FLUX_SPEC
from models.dsp.logmel import BlockSpectrum
from realtime.hosting.plugin import Beside
from realtime.hosting.spectral import LogMelSpec

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

SPEC = LogMelSpec(SAMPLE_RATE, round(STEP * SAMPLE_RATE), 512, 60, 30.0, 11_000.0, 1000.0)
EACH = STEPS // PAIR
"""Spectra per frame of the network: one for each step of the filter."""
BESIDE = Beside(FLUX_SPEC, tuple(k * SPEC.hop // FLUX_SPEC.hop for k in reversed(range(STEPS))))
"""The same out of the spectrum that the host makes for onset, tempo and drums."""

PATTERN = {
    # expected rise in the low, middle and high band, against each other
    "kick": (3.2, 3.0, 3.0),
    "snare": (2.2, 4.2, 3.0),
    "half": (1.0, 1.0, 1.3),
    "quarter": (0.5, 0.5, 0.5),
    "between": (0.4, 0.4, 0.48),
}
EDGES = (150.0, 2000.0)
BANDS = np.array([1.0, 1.0, 0.7])
"""How far each band is believed."""
REACH = 1
"""Positions to either side of a quarter of the beat that count as near it."""
WIDTH = 0.7
SHIFT = -0.8
"""Positions by which an attack seems to lie away from where it is, after :data:`LAG`."""
LAG = 2
"""Steps by which the network's answer trails the rise of a sharp attack."""
_PEAK, _QUIETEST, _TAU = 300.0, 3.0, 10.0
_FIRST, _LEAST = 0.03, 0.004
_POWER, _CAP = 1.2, 16.0
_ZERO = np.zeros((), np.float32)


class Accents:
    """Rise of the low, middle and high band in every step, each against its own running mean.

    The rise is that of Böck and Widmer, "Maximum filter vibrato suppression for onset detection" (DAFx 2013), at
    an automatic gain. Owned by one thread.
    """

    def __init__(self) -> None:
        self._spectrum = BlockSpectrum(SPEC)
        member = (np.digitize(centres(SPEC), EDGES)[:, None] == np.arange(3)).astype(np.float32)
        self._sum = member / member.sum(0) * np.float32(1 / math.log(10.0))
        self._fall = math.exp(-STEP / _TAU)
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._peak = _PEAK / 10
        # Compressed levels of the step before, and of these; the edges beside them are never the larger neighbour.
        framed = np.full((STEPS + 1, SPEC.bands + 2), -np.inf, np.float32)
        self._levels = framed[:, 1:-1]
        self._levels[:] = 0.0
        self._around = np.ndarray((3, STEPS, SPEC.bands), np.float32, framed, strides=(4, framed.strides[0], 4))
        self._gains = np.zeros((STEPS, 1), np.float32)
        self._mean = [_FIRST] * 3
        self._heard = 0
        self._late = [[0.0] * 3 for _ in range(STEPS + LAG)]

    def step(self, block: F32, levels: F32 | None = None) -> F64:
        """Take the newest sound.

        Parameters
        ----------
        block : ndarray of float32, shape (n,), n >= 1232
            At 24 kHz, right-aligned, 960 samples further on than the last.
        levels : ndarray of float32, shape (4, 60), optional
            Its four spectra, where these are there already.

        Returns
        -------
        ndarray, shape (4, 3)
            Compressed rises of the steps of a move, aligned with the network's answer.
        """
        if levels is None:
            levels = self._spectrum.newest(block, STEPS, SPEC.hop)
        self._late = self._late[STEPS:] + [self._strength(r) for r in self._rises(levels)]
        return np.array(self._late[:STEPS])

    def _rises(self, levels: F32) -> list[list[float]]:
        """Mean rise of each band over the step before, its neighbours included, in powers of ten."""
        gains = []
        for loudest in np.maximum.reduce(levels, axis=1).tolist():
            self._peak = max(self._peak * self._fall, loudest, _QUIETEST)
            gains.append(_PEAK / self._peak)
        self._gains[:, 0] = gains
        heard = self._levels
        heard[0] = heard[-1]
        now = np.log1p(levels * self._gains, out=heard[1:])
        rise = now - np.maximum.reduce(self._around, axis=0)
        rises: list[list[float]] = np.maximum(rise, _ZERO, out=rise).dot(self._sum).tolist()
        return rises

    def _strength(self, rise: list[float]) -> list[float]:
        """Rises of one step against their running means, compressed."""
        self._heard += 1
        new = max(STEP / _TAU, 1 / (self._heard + 20))
        strength = []
        for band, value in enumerate(rise):
            mean = self._mean[band]
            strength.append(min(value / max(mean, _LEAST), _CAP) ** _POWER)
            self._mean[band] = mean + new * (value - mean)
        return strength


class Rhythm:
    """The pattern laid over the states of a :class:`~models.beat.barpointer.BarPointer`.

    Parameters
    ----------
    trust : float
        Exponent of the likelihood: neighbouring steps are far from independent.
    """

    def __init__(self, pointer: BarPointer, trust: float) -> None:
        self._pointer = pointer
        periods = pointer.periods
        mean = {k: np.array(v) for k, v in PATTERN.items()}
        base = mean["between"]
        near = sum(math.exp(-0.5 * (k / WIDTH) ** 2) for k in range(-REACH, REACH + 1)) / 60.0
        strikes = 0.5 * (mean["kick"] + mean["snare"]) + mean["half"] + 2 * mean["quarter"] - 4 * base
        self._total = base + near * strikes
        self._trust = trust
        shares = self._rows()
        told = [self._told(mean[name], shares, base) for name in ("snare", "kick")]
        strong: list[float] = []
        for r in pointer.rows:
            n = r.stop - r.start
            strong += [1.0, 0.0] * (n // 2) if n in (2, 4) else [1.0] + [0.5] * (n - 1)
        kick = np.array(strong, np.float32)
        self._shares = np.stack([1 - kick, kick])
        self._places, shares, half = self._between(periods)
        told.append(self._told(np.where(half[..., None], mean["half"], mean["quarter"]), shares, base))
        # The constants go with a rise that is always 1.
        self._terms = np.concatenate([np.vstack([i, c]) for c, i in told], axis=1)
        self._rise = np.ones(len(self._terms), np.float32)
        self._likely = np.ones(self._terms.shape[1], np.float32)
        self._on_beats = self._likely[: 2 * NEAR].reshape(2, NEAR).T
        self._off_beats = self._likely[2 * NEAR :]

    @staticmethod
    def _rows() -> F64:
        """Nearness to the beat at each step of a move, of the rows in which it is observed."""
        left = np.subtract.outer(-np.arange(STEPS), -np.arange(NEAR))  # steps before the row passes on
        near = np.abs(left - round(CENTRE - SHIFT)) <= REACH
        return np.where(near, np.exp(-0.5 * ((left - (CENTRE - SHIFT)) / WIDTH) ** 2), 0.0)

    def _between(self, periods: F64) -> tuple[I64, F64, Bool]:
        """Places near the other quarters of the beat; how near each was at every step, and whether to the half."""
        left = np.arange(self._pointer.ring)[:, None]  # once the move is over
        shares = np.zeros((STEPS, *(left + periods).shape))
        half = np.zeros(shares.shape, bool)
        for q in (1, 2, 3):
            centre = periods * (1 - q / 4.0) + CENTRE - SHIFT
            for step in range(STEPS):
                then = left + STEPS - 1 - step
                close = np.abs(then - np.round(centre)) <= np.minimum(REACH, periods / 8.0)
                shares[step] += np.where(close, np.exp(-0.5 * ((then - centre) / WIDTH) ** 2), 0.0)
                half[step] |= close & (q == 2)
        place, chain = np.nonzero(shares.any(0))
        return self._pointer.places(place, chain), shares[:, place, chain], half[:, place, chain]

    def _told(self, struck: F64, shares: F64, base: F64) -> tuple[F32, F32]:
        """``constant + rise @ inverse`` is the log likelihood ratio against "between" of all steps' rises."""
        between = base / self._total
        mean = (base + (struck - base) * shares[..., None]) / self._total
        constant = ((np.log(between) - np.log(mean)) @ BANDS).sum(0)
        inverse = (BANDS / between - BANDS / mean).transpose(0, 2, 1).reshape(-1, shares.shape[1])
        return (self._trust * constant).astype(np.float32), (self._trust * inverse).astype(np.float32)

    def beats(self, rise: F64) -> F32:
        """Likelihood of each beat of the bar from the rises during a move, for ``BarPointer.advance``.

        Its :meth:`between` is to follow the advance.

        Parameters
        ----------
        rise : ndarray, shape (STEPS, 3)
            From :class:`Accents`.

        Returns
        -------
        ndarray of float32, shape (NEAR, beats)
        """
        self._rise[:-1] = rise.reshape(-1)
        likely = self._rise.dot(self._terms, self._likely)
        np.exp(likely, out=likely)
        found: F32 = self._on_beats.dot(self._shares)
        return found

    def between(self) -> None:
        """Weigh what lies between beats by the same rises."""
        self._pointer.accent(self._places, self._off_beats)
