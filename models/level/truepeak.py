"""True peak by four-times oversampling (ITU-R BS.1770-4, annex 2), with an own interpolation filter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
_TAPS = 16


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
    """Largest magnitude between the samples of a stream.

    Parameters
    ----------
    channels, hop : int
    """

    def __init__(self, channels: int, hop: int) -> None:
        self._filter = _phases()
        self._most = float(np.abs(self._filter).sum(0).max())
        self._line = np.zeros((channels, hop + _TAPS - 1), np.float32)
        self._windows = np.lib.stride_tricks.sliding_window_view(self._line, _TAPS, axis=1)

    def process(self, block: F32, least: float = 0.0) -> float:
        """Peak of the hop, samples and points between; 8 samples late.

        Parameters
        ----------
        block : ndarray of float32, shape (channels, hop)
        least : float
            Smaller peaks are of no interest: where none can be larger, the points between are not computed and
            the peak of the samples is returned.
        """
        self._line[:, : _TAPS - 1] = self._line[:, -(_TAPS - 1) :]
        self._line[:, _TAPS - 1 :] = block
        peak = float(np.abs(self._line).max())
        if peak * self._most <= least:
            return peak
        between = self._windows.reshape(-1, _TAPS) @ self._filter
        return max(float(between.max()), -float(between.min()), float(np.abs(block).max()))

    def reset(self) -> None:
        """Forget the samples heard."""
        self._line[:] = 0.0
