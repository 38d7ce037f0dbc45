"""How periodic a window of sound is, at every pitch of a grid.

References
----------
P. McLeod, G. Wyvill: A smarter way to find pitch. ICMC 2005 (the normalised square difference function).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

LOWEST, HIGHEST, STEPS = 48.0, 2100.0, 48
"""Range of the pitch grid in Hz, and its steps per octave (25 cents)."""

_SOFT = 3000.0  # Hz; above, noise outweighs what harmonics tell

GRID: F64 = LOWEST * 2 ** (np.arange(int(np.log2(HIGHEST / LOWEST) * STEPS) + 1) / STEPS)
"""Pitches, Hz, rising."""


class Periodicity:
    """Normalised square difference of the newest `window` samples, read at the pitches of the grid.

    Parameters
    ----------
    rate : int
        Hz.
    window : int
        Samples. Pitches with fewer than two periods in it are left out.
    block : int
        Samples in the blocks that are given, `window` or more.
    up : int
        How much finer than the samples the lags are made, for high pitches.
    highest : float
        Hz; higher pitches are left out.
    """

    def __init__(self, rate: int, window: int, block: int, up: int = 1, highest: float = HIGHEST) -> None:
        self.first = int(np.searchsorted(GRID, 2 * rate / window))
        last = int(np.searchsorted(GRID, highest, side="right"))
        lag = rate / GRID[self.first : last]
        fine = np.floor(up * lag).astype(np.intp)
        t = up * lag - fine
        self._index = fine + np.arange(-1, 3)[:, None]
        weights = [-t * (1 - t) ** 2, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**2 * (t - 1)]
        self._weights = np.stack(weights).astype(np.float32)  # cubic, times 2: the 2 of 2 r / m
        whole = np.round(lag).astype(np.intp)
        self._start, self._end = block - window, block
        self._early, self._late = block - whole, block - window + whole
        self._fine = -fine
        self._size = 2 ** int(np.ceil(np.log2(window + whole[0] + 3)))
        self._reach = up * int(whole[0])
        frequency = np.arange(self._size // 2 + 1) * rate / self._size
        self._gain = (up / (1 + (frequency / _SOFT) ** 4)).astype(np.float32)
        self._up = up
        self._spectrum = np.zeros(up * self._size // 2 + 1, np.complex64)

    def process(self, block: F32, energy: F32) -> F32:
        """Periodicity at the grid from ``GRID[first]`` on, about −1…1.

        Parameters
        ----------
        block : ndarray of float32, shape (block,)
            The newest samples.
        energy : ndarray of float32, shape (block + 1,)
            Running sum of their squares, starting with 0.
        """
        bins = np.fft.rfft(block[self._start :], self._size)
        power = bins.real**2
        power += bins.imag**2
        whole = float(power.sum())
        power *= self._gain
        kept = float(power.sum()) / (self._up * (whole + 1e-12))
        self._spectrum.real[: len(power)] = power
        similar = np.fft.irfft(self._spectrum, self._up * self._size)
        norm = energy[self._early]
        norm -= energy[self._late]
        norm += energy[self._end] - energy[self._start]
        norm *= np.float32(kept)
        norm += np.float32(1e-9)
        found = np.einsum("kn,kn->n", similar[self._index], self._weights)
        found /= norm
        fallen = int((similar[: self._reach] < 0.2 * similar[0]).argmax()) or self._reach
        found[int(self._fine.searchsorted(-fallen)) :] = 0.0
        return found
