"""The constant-Q transform that PESTO hears through, as one matrix around one instant."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

BINS, PER_SEMITONE = 251, 3
_PER_OCTAVE = 12 * PER_SEMITONE
_LOWEST = 27.5 / 2 ** ((PER_SEMITONE - 1) / (24 * PER_SEMITONE))  # Hz: the bins are centred on semitones
_GAMMA = 7.0


def kernels(rate: int) -> tuple[F32, int]:
    """Filters of a variable-Q transform.

    Parameters
    ----------
    rate : int
        Hz.

    Returns
    -------
    (matrix, before)
        ``matrix`` has shape (2 * 251, n): real parts, then imaginary parts, of what to multiply n samples with;
        ``before`` of them lie before the instant.

    Notes
    -----
    Hann windows of ``ceil(Q rate / (f + gamma / alpha))`` samples, each filter's magnitudes summing to 1, times
    the root of its length, as librosa scales them.

    References
    ----------
    C. Schörkhuber, A. Klapuri: Constant-Q transform toolbox for music processing. SMC 2010; gamma after C.
    Schörkhuber et al., AES 2014.
    """
    alpha = 2 ** (1 / _PER_OCTAVE) - 1
    hz = _LOWEST * 2.0 ** (np.arange(BINS) / _PER_OCTAVE)
    lengths = np.ceil(rate / alpha / (hz + _GAMMA / alpha)).astype(int)
    before = (int(lengths.max()) + 1) // 2 + 1
    filters = np.zeros((BINS, 2 * before), np.complex128)
    for k, (n, f) in enumerate(zip(lengths, hz)):
        # an odd filter begins half a sample early, with the phase counted from there, as in the published weights
        start = before - (n + 1) // 2
        phase = np.arange(-((n + 1) // 2), n // 2)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
        wave = window * np.exp(2j * np.pi * f / rate * phase)
        filters[k, start : start + n] = wave / np.abs(wave).sum() * np.sqrt(n)
    return np.concatenate([filters.real, -filters.imag]).astype(np.float32), before
