"""True peak by four-times oversampling (ITU-R BS.1770-4, annex 2), with an own interpolation filter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
_TAPS = 16
_SUB = 32


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
        `hop` is a multiple of 32.

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
        # One product of matrices makes the points between of a stretch of samples at once.
        self._filter = np.zeros((_SUB + self.before, _SUB * 3), np.float32)
        for i in range(_SUB):
            self._filter[i : i + _TAPS, 3 * i : 3 * i + 3] = phases

    def process(self, block: F32, least: float) -> float:
        """Peak of the piece's points between samples, 8 samples late, or `least` if that is larger.

        Points are computed only where the samples around them are large enough for a larger one.

        Parameters
        ----------
        block : ndarray of float32, shape (channels, before + hop)
        least : float
        """
        np.abs(block, out=self._line)
        near = np.maximum.reduce(self._windows, axis=2) > least / self.most
        if not near.any():
            return least
        self._line[...] = block
        between = self._windows[near].dot(self._filter)
        top, bottom = np.maximum.reduce(between, axis=None), np.minimum.reduce(between, axis=None)
        return max(float(top), -float(bottom), least)
