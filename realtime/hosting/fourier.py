"""The real Fourier transform without the checks of ``numpy.fft``, which take as long as a short transform."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

try:
    from numpy.fft._pocketfft_umath import rfft_n_even, rfft_n_odd
except ImportError:  # a numpy that is laid out otherwise
    rfft_n_even = rfft_n_odd = None

_ONE = np.float32(1.0)


def rfft(x: npt.NDArray[np.float32], out: npt.NDArray[np.complex64]) -> npt.NDArray[np.complex64]:
    """Transform along the last axis; the bits of ``numpy.fft.rfft``.

    Parameters
    ----------
    x : ndarray of float32, shape (..., n)
    out : ndarray of complex64, shape (..., n // 2 + 1)
    """
    transform: Any = rfft_n_odd if x.shape[-1] % 2 else rfft_n_even
    if transform is None:
        out[...] = np.fft.rfft(x)
    else:
        transform(x, _ONE, out=out)
    return out
