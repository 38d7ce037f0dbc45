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

    Attributes
    ----------
    most : float
        How many times as large as the samples around it a point between can be.
    """

    before = _TAPS - 1
    """Samples that are needed before the piece."""

    def __init__(self, channels: int, hop: int) -> None:
        phases = _phases()
        self.most = float(np.abs(phases).sum(0).max())
        self._line = np.zeros((channels, hop + self.before), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(self._line, _SUB + self.before, axis=1)
        self._windows = windows[:, ::_SUB]
        # One product of matrices makes the points between of 16 samples at once.
        self._filter = np.zeros((_SUB + self.before, _SUB * 3), np.float32)
        for i in range(_SUB):
            self._filter[i : i + _TAPS, 3 * i : 3 * i + 3] = phases
        self._rows = np.zeros((channels * (hop // _SUB), _SUB + self.before), np.float32)
        self._between = np.zeros((len(self._rows), _SUB * 3), np.float32)

    def process(self, block: F32) -> float:
        """Peak of the points between, 8 samples late.

        Parameters
        ----------
        block : ndarray of float32, shape (channels, before + hop)
        """
        self._line[...] = block
        self._rows.reshape(self._windows.shape)[...] = self._windows
        between = self._rows.dot(self._filter, self._between)
        return max(float(np.maximum.reduce(between, axis=None)), -float(np.minimum.reduce(between, axis=None)))
