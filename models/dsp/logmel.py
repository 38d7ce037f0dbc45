"""A log-mel spectrum of the newest sound, for plugins that take samples and want several windows of one instant.

As :mod:`realtime.hosting.spectral` defines it, less the bins above the top band. A plugin content with one
spectrum declares it as its input instead: that one is shared.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realtime.hosting.fourier import rfft
from realtime.hosting.spectral import LogMelSpec, mel_filterbank

F32 = npt.NDArray[np.float32]


class BlockSpectrum:
    """One spectrum, right-aligned. Owned by one thread.

    Parameters
    ----------
    spec : LogMelSpec
        Its window, bands and gamma; the hop is the caller's.
    """

    def __init__(self, spec: LogMelSpec) -> None:
        self._window = spec.window
        bank = mel_filterbank(spec)
        self._bins = int(np.flatnonzero(bank.any(axis=1))[-1]) + 1
        self._bank = np.ascontiguousarray(bank[: self._bins]) * np.float32(spec.gamma)
        hann = np.hanning(spec.window + 1)[:-1]
        self._hann = (hann / (hann.sum() / 2)).astype(np.float32)
        self._magnitudes = np.zeros(self._bins, np.float32)
        self._resize(1)

    def _resize(self, most: int) -> None:
        """Work arrays for so many windows at once."""
        self._work = np.zeros((most, self._window), np.float32)
        self._lines = np.zeros((most, self._window // 2 + 1), np.complex64)
        self._heard = self._lines[:, : self._bins]
        self._one, self._line, self._newest = self._work[0], self._lines[0], self._heard[0]

    def levels(self, spans: F32) -> F32:
        """``gamma * mel`` of windows of sound, shape ``(n, window)`` → ``(n, bands)``."""
        n = len(spans)
        if n > len(self._work):
            self._resize(n)
        rfft(np.multiply(spans, self._hann, self._work[:n]), self._lines[:n])
        found: F32 = np.abs(self._heard[:n]).dot(self._bank)
        return found

    def newest(self, block: F32, count: int, hop: int) -> F32:
        """The same of the last `count` windows of `block`, which end `hop` samples apart."""
        sound = block[-self._window - (count - 1) * hop :]
        return self.levels(np.ndarray((count, self._window), np.float32, sound, strides=(4 * hop, 4)))

    def level(self, block: F32, out: F32) -> None:
        """Write ``gamma * mel`` of the end of `block`, at least a window long, to `out`, (bands,)."""
        rfft(np.multiply(block[-self._window :], self._hann, self._one), self._line)
        np.abs(self._newest, self._magnitudes).dot(self._bank, out)
