"""How periodic the newest sound is, at every pitch of a grid, in several windows.

Every window compares its samples with those a lag before, whatever the lag, so that a high pitch is judged by
little sound and a low one by as much as it takes. The products of a hop are formed once and added up for the
windows that hold it.

References
----------
A. de Cheveigné, H. Kawahara: YIN, a fundamental frequency estimator for speech and music. JASA 111(4), 2002
(windows of fixed length whose second part moves with the lag).
B. S. Atal: Automatic speaker recognition based on pitch contours. JASA 52(6), 1972 (normalised cross-correlation:
growing and fading sound is as periodic as steady sound, so that beginnings are heard at once).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

LOWEST, HIGHEST, STEPS = 48.0, 2100.0, 48
"""Range of the pitch grid in Hz, and its steps per octave (25 cents)."""

GRID: F64 = LOWEST * 2 ** (np.arange(int(np.log2(HIGHEST / LOWEST) * STEPS) + 1) / STEPS)
"""Pitches, Hz, rising."""

TAPS = 24
"""Samples that softening looks at: this much sound before a hop is needed."""

_SOFT = 3000.0  # Hz; above, noise outweighs what harmonics tell
_HALF = 8  # taps on each side of a lag that is read between whole ones
_LEAST = np.array(1e-18, np.float32)
_FALLEN = np.array(0.2, np.float32)


class Window(NamedTuple):
    """Hops that are compared with what a lag before them sounded; lowest and highest pitch judged, Hz.

    Half a hop is the shortest window there is, and at most one window has it, the first.
    """

    hops: float
    lowest: float = LOWEST
    highest: float = HIGHEST


class Periodicity:
    """Normalised cross-correlation of the newest sound with itself a lag before, read at the pitches of the grid.

    Parameters
    ----------
    rate : int
        Hz.
    hop : int
        Samples, even.
    windows : sequence of Window
        Rising; the first is half a hop.

    Attributes
    ----------
    curves : ndarray of float32, shape (windows, len(GRID))
        Periodicity, −1…1; 0 where `judged` is 0.
    judged : ndarray of float32, shape (windows, len(GRID))
        1 where a window judges a pitch.
    """

    def __init__(self, rate: int, hop: int, windows: Sequence[Window]) -> None:
        self._hop, size, many = hop, len(GRID), len(windows)
        lags = rate / GRID
        self._reach = reach = int(lags[0]) + _HALF + 2
        self._half = half = int(rate / windows[0].lowest) + _HALF + 2  # lags of the half hop
        self._taps = _lowpass(rate)[::-1].copy()
        self.judged = np.array([(w.lowest <= GRID) & (w.highest >= GRID) for w in windows], np.float32)
        self.curves = np.zeros((many, size), np.float32)
        self._soft = np.zeros(reach - 1 + hop, np.float32)
        self._energy = np.zeros(reach + hop, np.float32)
        # Rows of hops: products at falling lags, energy at falling lags, of the hop itself last.
        depth = max(int(w.hops) for w in windows)
        self._rows = np.zeros((depth, 2, reach), np.float32)
        newest = np.array([[k < w.hops for k in range(depth)] for w in windows[1:]], np.float32)
        self._sums = [newest[:, (at - np.arange(depth)) % depth].copy() for at in range(depth)]
        self._held = np.zeros((many, 2, reach), np.float32)
        self._similar = np.zeros((many, reach), np.float32)
        self._parts = [
            (self._similar[:, falling], matrix, self.curves[:, pitches])
            for falling, pitches, matrix in _reading(lags, reach)
        ]
        # The lobe around lag 0 goes on until similarity has fallen once: by lag, what of the grid lies beyond it.
        self._beyond = (lags[None] > np.arange(half)[:, None]).astype(np.float32)
        self._beyond[0] = 0.0  # it has not fallen at all
        self._at = 0
        self._short = slice(reach - half, reach)
        self._rising = self._similar[:, self._short][:, ::-1]  # by rising lag
        self._fallen = np.zeros(self._rising.shape, np.bool_)

    def process(self, block: F32) -> None:
        """Take a hop and renew the curves.

        Parameters
        ----------
        block : ndarray of float32, shape (TAPS - 1 + hop,) or more
            The newest samples; hops must follow each other.
        """
        hop, reach, soft, energy, held = self._hop, self._reach, self._soft, self._energy, self._held
        soft[:-hop] = soft[hop:]
        soft[-hop:] = np.correlate(block[1 - TAPS - hop :], self._taps, "valid")
        np.add.accumulate(np.square(soft), out=energy[1:])
        self._at = (self._at + 1) % len(self._rows)
        row = self._rows[self._at]
        row[0] = np.correlate(soft, soft[-hop:], "valid")
        np.subtract(energy[-reach:], energy[:reach], out=row[1])
        np.dot(self._sums[self._at], self._rows.reshape(len(self._rows), -1), out=held[1:].reshape(-1, 2 * reach))
        short, half = self._short, hop // 2
        held[0, 0, short] = np.correlate(soft[-half - self._half + 1 :], soft[-half:], "valid")
        np.subtract(energy[-self._half :], energy[-half - self._half : -half], out=held[0, 1, short])
        power = held[:, 1]
        similar = np.multiply(power, power[:, -1:], out=self._similar)
        np.maximum(similar, _LEAST, out=similar)
        np.sqrt(similar, out=similar)
        np.divide(held[:, 0], similar, out=similar)
        for found, matrix, curves in self._parts:
            np.matmul(found, matrix, out=curves)
        fallen = np.less(self._rising, _FALLEN, out=self._fallen).argmax(1)
        self.curves *= self._beyond.take(fallen, 0)
        self.curves *= self.judged

    def reset(self) -> None:
        """Forget all sound."""
        for array in (self.curves, self._soft, self._rows, self._held):
            array[:] = 0.0
        self._at = 0  # the order in which rows are summed decides the last bit


def _lowpass(rate: int) -> F32:
    """Impulse response of a second-order Butterworth low-pass, which is short and late by next to nothing."""
    w = np.tan(np.pi * _SOFT / rate)
    scale = 1 + 2**0.5 * w + w * w
    a1, a2 = 2 * (w * w - 1) / scale, (1 - 2**0.5 * w + w * w) / scale
    y = np.zeros(TAPS + 2)
    for n in range(TAPS):
        y[n + 2] = w * w / scale * (1, 2, 1)[n] if n < 3 else 0.0
        y[n + 2] -= a1 * y[n + 1] + a2 * y[n]
    return y[2:].astype(np.float32)


def _reading(lags: F64, reach: int) -> list[tuple[slice, slice, F32]]:
    """Matrices from similarities at whole, falling lags to those at the grid, in parts that leave out zeros."""
    matrix = np.zeros((reach, len(lags)))
    for k, lag in enumerate(lags):
        taps = int(lag) + np.arange(1 - _HALF, _HALF + 1)
        weights = np.sinc(lag - taps) * np.cos(0.5 * np.pi * (lag - taps) / _HALF) ** 2
        np.add.at(matrix[:, k], np.abs(taps), weights / weights.sum())  # similarity is even
    matrix = matrix[::-1]
    parts = []
    for first, last in itertools.pairwise((0, 36, 84, 132, len(lags))):
        used = np.flatnonzero(np.any(matrix[:, first:last], axis=1))
        rows = slice(int(used[0]), int(used[-1]) + 1)
        parts.append((rows, slice(first, last), np.ascontiguousarray(matrix[rows, first:last], np.float32)))
    return parts
