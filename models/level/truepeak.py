"""True peak by four-times oversampling (ITU-R BS.1770-4, annex 2), with an own interpolation filter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
_TAPS = 16
_SUB = 16


def _phases() -> F32:
    """Kaiser-windowed sinc, shape (taps, 3): the three points between two samples."""
    at = np.arange(_TAPS) - (_TAPS // 2 - 1)
    columns = []
    for fraction in (0.25, 0.5, 0.75):
        t = fraction - at
        inside = np.sqrt(np.maximum(0.0, 1 - (t / (_TAPS / 2)) ** 2))
        h = np.sinc(t) * np.i0(5.0 * inside)
        columns.append(h / h.sum())
    return np.stack(columns, 1).astype(np.float32)


class TruePeak:
    """Largest magnitude between the samples of a piece of sound.

    Parameters
    ----------
    channels, hop : int
        `hop` is a multiple of 16.
    """

    before = _TAPS - 1
    """Samples that are needed before the piece."""

    def __init__(self, channels: int, hop: int) -> None:
        phases = _phases()
        self._most = float(np.abs(phases).sum(0).max())
        self._line = np.zeros((channels, hop + self.before), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(self._line, _SUB + self.before, axis=1)
        self._windows = windows[:, ::_SUB]
        # One product of matrices makes the points between of 16 samples at once.
        self._filter = np.zeros((_SUB + self.before, _SUB * 3), np.float32)
        for i in range(_SUB):
            self._filter[i : i + _TAPS, 3 * i : 3 * i + 3] = phases
        self._rows = np.zeros((channels, hop // _SUB, _SUB + self.before), np.float32)
        self._between = np.zeros((channels * (hop // _SUB), _SUB * 3), np.float32)

    def process(self, block: F32, least: float = 0.0) -> float:
        """Peak of the piece, samples and points between; 8 samples late.

        Parameters
        ----------
        block : ndarray of float32, shape (channels, before + hop)
        least : float
            Smaller peaks are of no interest: where none can be larger, the points between are not computed and
            the peak of the samples is returned.
        """
        self._line[...] = block
        peak = float(np.maximum.reduce(np.abs(self._line), axis=None))
        if peak * self._most <= least:
            return peak
        self._rows[...] = self._windows
        between = np.dot(self._rows.reshape(-1, _SUB + self.before), self._filter, out=self._between)
        return max(
            float(np.maximum.reduce(between, axis=None)), -float(np.minimum.reduce(between, axis=None)), peak
        )
