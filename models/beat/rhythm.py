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

from models.beat.barpointer import CENTRE, STEP, BarPointer
from models.beat.features import SAMPLE_RATE, centres
from models.dsp.logmel import BlockSpectrum
from realtime.hosting.spectral import LogMelSpec

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

SPEC = LogMelSpec(SAMPLE_RATE, round(STEP * SAMPLE_RATE), 512, 60, 30.0, 11_000.0, 1000.0)
EACH = 2
"""Spectra per frame of the network: one for each step of the filter."""
SPAN = SPEC.window + (EACH - 1) * SPEC.hop

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


class Accents:
    """Rise of the low, middle and high band in every step, each against its own running mean.

    The rise is that of Böck and Widmer, "Maximum filter vibrato suppression for onset detection" (DAFx 2013), at
    an automatic gain. Owned by one thread.
    """

    def __init__(self) -> None:
        self._spectrum = BlockSpectrum(SPEC)
        member = (np.digitize(centres(SPEC), EDGES)[:, None] == np.arange(3)).astype(np.float32)
        self._sum = member / member.sum(0)
        self._fall = math.exp(-STEP / _TAU)
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._peak = _PEAK / 10
        self._ceiling = np.zeros(SPEC.bands, np.float32)
        self._mean = np.full(3, _FIRST)
        self._heard = 0
        self._late = np.zeros((EACH + LAG, 3))

    def step(self, block: F32) -> F64:
        """Take the newest sound.

        Parameters
        ----------
        block : ndarray of float32, shape (n,), n >= 752
            At 24 kHz, right-aligned, 480 samples further on than the last.

        Returns
        -------
        ndarray, shape (2, 3)
            Compressed rises of two steps, aligned with the network's answer; valid until the next call.
        """
        spans = np.lib.stride_tricks.sliding_window_view(block[-SPAN:], SPEC.window)[:: SPEC.hop]
        levels = self._spectrum.levels(spans)
        self._late[:-EACH] = self._late[EACH:]
        for k in range(EACH):
            self._late[LAG + k] = self._rise(levels[k])
        return self._late[:EACH]

    def _rise(self, level: F32) -> F64:
        self._peak = max(self._peak * self._fall, float(level.max()), _QUIETEST)
        now = np.log1p(level * np.float32(_PEAK / self._peak))
        rise = (np.maximum(now - self._ceiling, 0.0) @ self._sum).astype(float) / math.log(10.0)
        self._ceiling[:] = now
        np.maximum(self._ceiling[1:], now[:-1], out=self._ceiling[1:])
        np.maximum(self._ceiling[:-1], now[1:], out=self._ceiling[:-1])
        relative = rise / np.maximum(self._mean, _LEAST)
        self._heard += 1
        self._mean += max(STEP / _TAU, 1 / (self._heard + 20)) * (rise - self._mean)
        strength: F64 = np.minimum(relative, _CAP) ** _POWER
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
        chain, place, shares, quarter = self._places(periods)
        names = np.array(["kick", "quarter", "half", "quarter"])
        rows = np.array([mean[n] for n in names[quarter]])
        self._beats = n = int((quarter == 0).sum())
        self._first = self._told(rows, shares, base)
        self._snare = self._told(np.tile(mean["snare"], (n, 1)), shares[:, :n], base)
        kick: list[float] = []
        for r in pointer.rows:
            n = r.stop - r.start
            kick += [1.0, 0.0] * (n // 2) if n in (2, 4) else [1.0] + [0.5] * (n - 1)
        self._kick = np.array(kick, np.float32)
        self._chains, self._slots = chain, place
        self._periods, self._starts = periods[chain], pointer.offsets[chain]

    @staticmethod
    def _places(periods: I64) -> tuple[I64, I64, F64, I64]:
        """Chain, position, nearness at each of the two steps and quarter of every place; the beat's own first.

        What is at a position now was one before it a step ago, so the places of the two steps overlap.
        """
        chain, position, shares, quarter = [], [], [], []
        for q in range(4):
            centre = CENTRE + q * periods / 4.0 + SHIFT
            middle = np.round(centre).astype(int)
            for k in range(-REACH, REACH + EACH):
                inside = np.flatnonzero(abs(k) <= np.maximum(periods / 8.0, REACH))
                then = []
                for ago in reversed(range(EACH)):
                    share = np.exp(-0.5 * ((middle + k - ago - centre) / WIDTH) ** 2)
                    then.append(
                        np.where((abs(k - ago) <= REACH) & (abs(k - ago) <= periods / 8.0), share, 0.0)[inside]
                    )
                chain.append(inside)
                position.append(((middle + k) % periods)[inside])
                shares.append(np.stack(then))
                quarter.append(np.full(len(inside), q))
        joined = np.concatenate
        return joined(chain), joined(position), np.concatenate(shares, axis=1), joined(quarter)

    def _told(self, struck: F64, shares: F64, base: F64) -> tuple[F32, F32]:
        """``constant + rise @ inverse`` is the log likelihood ratio against "between" of both steps' rises."""
        between = base / self._total
        constant = np.zeros(len(struck))
        inverse = []
        for share in shares:
            mean = (base + (struck - base) * share[:, None]) / self._total
            constant -= (np.log(mean) - np.log(between)) @ BANDS
            inverse.append((BANDS / between - BANDS / mean).T)
        return (self._trust * constant).astype(np.float32), (self._trust * np.concatenate(inverse)).astype(
            np.float32
        )

    def hear(self, rise: F64) -> None:
        """Weigh the belief with the rises of the last two steps, shape (2, 3), from :class:`Accents`."""
        f, n = self._pointer, self._beats
        flat = rise.reshape(-1).astype(np.float32)
        first = np.exp(self._first[0] + flat @ self._first[1])
        snare = np.exp(self._snare[0] + flat @ self._snare[1])
        slots = f.heads[self._chains]
        slots += self._slots
        slots -= (slots >= self._periods) * self._periods
        slots += self._starts
        f.belief[slots[:n]] *= snare[:, None] + (first[:n] - snare)[:, None] * self._kick
        f.belief[slots[n:]] *= first[n:, None]
