"""What the voice network hears: two right-aligned log-mel spectra of the same instant.

A short window (21 ms) shows beginnings soon; a longer one (43 ms), which ends at the same sample, resolves the
harmonics of a voice. The compression is steep, so that level is nearly a mere offset. The same sums serve the live
plugin (:class:`Features`) and training (:meth:`Features.clip`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realtime.hosting.spectral import LogMelSpec, mel_filterbank

F32 = npt.NDArray[np.float32]

SAMPLE_RATE = 24_000
HOP = 240
FPS = SAMPLE_RATE // HOP
SHORT = LogMelSpec(SAMPLE_RATE, HOP, 512, 40, 60.0, 9_000.0, 1e5)
LONG = LogMelSpec(SAMPLE_RATE, HOP, 1024, 64, 60.0, 4_000.0, 1e5)
WINDOW = LONG.window
SIZE = SHORT.bands + LONG.bands


class _Half:
    """One of the two spectra, less the bins above its top band."""

    def __init__(self, spec: LogMelSpec) -> None:
        self.window = spec.window
        bank = mel_filterbank(spec)
        self._bins = int(np.flatnonzero(bank.any(axis=1))[-1]) + 1
        self._bank = np.ascontiguousarray(bank[: self._bins]) * np.float32(spec.gamma)
        hann = np.hanning(spec.window + 1)[:-1]
        self._hann = (hann / (hann.sum() / 2)).astype(np.float32)

    def frame(self, block: F32, out: F32) -> None:
        bins = np.fft.rfft(block[-self.window :] * self._hann)[: self._bins]
        np.matmul(np.abs(bins), self._bank, out=out)
        np.log1p(out, out=out)
        out *= np.float32(1 / np.log(10.0))


class Features:
    """One hop of sound in, one feature frame out. Not shared between threads (it owns its work arrays)."""

    def __init__(self) -> None:
        self._halves = (_Half(SHORT), _Half(LONG))
        self._out = np.zeros(SIZE, np.float32)

    def frame(self, block: F32) -> F32:
        """Features of the instant at which `block`, shape (1024,), ends; overwritten by the next call.

        Returns
        -------
        ndarray of float32, shape (104,)
            ``log10(1 + 1e5 * magnitude)`` of 40 short and 64 long bands.
        """
        short, long = self._halves
        short.frame(block, self._out[: SHORT.bands])
        long.frame(block, self._out[SHORT.bands :])
        return self._out
