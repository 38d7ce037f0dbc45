"""How periodic a window of sound is, at every pitch of a grid.

References
----------
P. McLeod, G. Wyvill: A smarter way to find pitch. ICMC 2005 (the normalised square difference function).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

LOWEST, HIGHEST, STEPS = 48.0, 2100.0, 48
"""Range of the pitch grid in Hz, and its steps per octave (25 cents)."""

_SOFT = 3000.0  # Hz; above, noise outweighs what harmonics tell
_TAPS, _BEFORE = 32, 15  # of the filter that does so; taps before the middle one

_LEAST = np.float32(1e-9)
_FALLEN = np.float32(0.2)

GRID: F64 = LOWEST * 2 ** (np.arange(int(np.log2(HIGHEST / LOWEST) * STEPS) + 1) / STEPS)
"""Pitches, Hz, rising."""


class Window(NamedTuple):
    """Samples; how much finer than these the lags are made, for high pitches; highest pitch judged, Hz."""

    length: int
    up: int = 1
    highest: float = HIGHEST


class Periodicity:
    """Normalised square difference of the newest sound in several windows, read at the pitches of the grid.

    The autocorrelation is taken at whole lags, its treble softened and its lags refined by short filters, and read
    at the grid by a cubic; what can be done for all windows at once is.

    Parameters
    ----------
    rate : int
        Hz.
    windows : sequence of Window
        Rising; pitches with fewer than two periods in a window are left out there.
    block : int
        Samples in the blocks that are given: those of the longest window or more.

    Attributes
    ----------
    curves : ndarray of float32, shape (windows, len(GRID))
        Periodicity, about −1…1; 0 where `judged` is 0.
    judged : ndarray of float32, shape (windows, len(GRID))
        1 where a window can judge a pitch.
    """

    def __init__(self, rate: int, windows: Sequence[Window], block: int) -> None:
        many, size = len(windows), len(GRID)
        lag = rate / GRID
        whole = np.round(lag).astype(np.intp)
        self.curves = np.zeros((many, size), np.float32)
        self.judged = np.zeros((many, size), np.float32)
        self._early, self._late = np.zeros((2, many, size), np.intp)
        self._at = np.zeros((4, many, size), np.intp)
        self._weights = np.zeros((4, many, size), np.float32)
        self._lags: list[_Lags] = []
        starts, start = [], 0
        for i, window in enumerate(windows):
            first, last = np.searchsorted(GRID, (2 * rate / window.length, window.highest)).tolist()
            held, up = slice(first, last), window.up
            self.judged[i, held] = 1.0
            self._early[i, held] = block - whole[held]
            self._late[i, held] = block - window.length + whole[held]
            fine = np.floor(up * lag[held]).astype(np.intp)
            t = up * lag[held] - fine
            cubic = [-t * (1 - t) ** 2, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**2 * (t - 1)]
            self._weights[:, i, held] = cubic  # times 2: the 2 of 2 r / m
            self._at[:, i, held] = start + fine + np.arange(-1, 3)[:, None]
            self._lags.append(_Lags(rate, window, int(whole[first]) + 3, slice(first, last), fine))
            starts.append(start)
            start += len(self._lags[-1].fine)
        self._fine = np.zeros(start, np.float32)
        for lags, part in zip(self._lags, np.split(self._fine, starts[1:])):
            lags.fine = part
        self._energy = np.zeros(block + 1, np.float32)
        self._kept = np.zeros((many, 1), np.float32)
        self._loud = np.zeros((many, 1), np.float32)

    def process(self, block: F32, most: int) -> None:
        """Renew the curves of the first `most` windows.

        Parameters
        ----------
        block : ndarray of float32, shape (block,)
            The newest samples, not all of them 0.
        """
        energy, kept, loud = self._energy, self._kept[:most], self._loud[:most]
        np.cumsum(np.square(block), out=energy[1:])
        lobes = []
        for i in range(most):
            lags = self._lags[i]
            kept[i] = lags.process(block)
            loud[i] = energy[-1] - energy[-1 - lags.length]
            lobes.append(lags.lobe())
        norm = energy.take(self._early[:most])
        norm -= energy.take(self._late[:most])
        norm += loud
        norm *= kept
        norm += _LEAST
        similar = self._fine.take(self._at[:, :most])
        similar *= self._weights[:, :most]
        curves = np.add.reduce(similar, axis=0, out=self.curves[:most])
        curves /= norm
        for i, lobe in enumerate(lobes):
            curves[i, lobe:] = 0.0


class _Lags:
    """Softened autocorrelation of one window at fine lags."""

    def __init__(self, rate: int, window: Window, reach: int, held: slice, fine: Index) -> None:
        self.length, self._up = window.length, window.up
        self.fine = np.zeros(window.up * (reach + 1), np.float32)
        self._padded = np.zeros(window.length + reach + _TAPS - _BEFORE - 1, np.float32)
        self._products = np.zeros(_BEFORE + reach + _TAPS - _BEFORE, np.float32)
        self._filters = _softening(rate, window.up)
        self._shortest = int(fine[0]) + 1
        # Of each end of the lobe, the first pitch of the grid that lies in it.
        ends = np.arange(self._shortest + 1)
        self._lobes = (held.start + np.searchsorted(-fine, -ends)).tolist()

    def process(self, block: F32) -> float:
        """Take the newest samples; returns the share of their power that softening leaves."""
        padded, products, before = self._padded, self._products, _BEFORE
        padded[: self.length] = block[-self.length :]
        products[before:] = np.correlate(padded, padded[: self.length], "valid")
        products[:before] = products[2 * before : before : -1]
        for i, soft in enumerate(self._filters):
            self.fine[i :: self._up] = np.correlate(products, soft, "valid")
        return float(self.fine[0]) / (float(products[before]) + 1e-12)

    def lobe(self) -> int:
        """First pitch of the grid in the lobe around lag 0, which goes on until similarity has fallen once."""
        similar = self.fine[: self._shortest]
        fallen = int((similar < _FALLEN * similar[0]).argmax()) or self._shortest
        return self._lobes[fallen]


def _softening(rate: int, up: int) -> list[F32]:
    """Filters that take products at whole lags to softened ones at lags 0, 1 / up … after a whole one."""
    size = 4096
    gain = np.zeros(up * size // 2 + 1)
    gain[: size // 2 + 1] = up / (1 + (np.arange(size // 2 + 1) * rate / size / _SOFT) ** 4)
    response = np.fft.irfft(gain)
    taps = up * (np.arange(_TAPS) - _BEFORE)
    return [response[i - taps].astype(np.float32) for i in range(up)]
