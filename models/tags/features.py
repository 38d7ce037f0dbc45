"""What the tag and structure networks hear: log-mel frames of 25 ms, four at once, ten times a second.

Taking four frames in one call costs a fraction of four calls. The same class serves the live plugins and the
training caches.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.dsp.logmel import BlockSpectrum
from realtime.hosting.plugin import AudioInput
from realtime.hosting.spectral import LogMelSpec, logarithm

F32 = npt.NDArray[np.float32]

SPEC = LogMelSpec(24_000, 600, 1024, 80, 30.0, 11_000.0, 1e5)
FRAMES = 4
HOP = FRAMES * SPEC.hop
INPUT = AudioInput(SPEC.sample_rate, 1, HOP, SPEC.window + HOP - SPEC.hop)
BANDS = SPEC.bands


class Frames:
    """A block of 2824 samples in, four frames out. Not shared between threads (it owns its work arrays)."""

    def __init__(self) -> None:
        self._spectrum = BlockSpectrum(SPEC)
        self._strides = (4 * SPEC.hop, 4)

    def frames(self, block: F32, gain: float = 1.0) -> F32:
        """``log10(1 + 1e5 * gain * magnitude)`` of 80 mel bands.

        Parameters
        ----------
        block : ndarray of float32, shape (2824,)
            The newest sound at 24 kHz, right-aligned; contiguous.
        gain : float
            Of a quiet programme (:class:`models.dsp.programme.Programme`).

        Returns
        -------
        ndarray of float32, shape (4, 80)
            Oldest first.
        """
        windows = np.ndarray((FRAMES, SPEC.window), np.float32, block, strides=self._strides)
        levels = self._spectrum.levels(windows)
        if gain != 1.0:
            levels *= gain
        return logarithm(levels, levels)

    def clip(self, samples: F32) -> F32:
        """All frames of a recording as the live plugin would see them, shape ``(n // 2400 * 4, 80)``."""
        padded = np.concatenate([np.zeros(INPUT.length - HOP, np.float32), np.asarray(samples, np.float32)])
        out = np.empty((len(samples) // HOP, FRAMES, BANDS), np.float32)
        for k in range(len(out)):
            out[k] = self.frames(padded[k * HOP : k * HOP + INPUT.length])
        return out.reshape(-1, BANDS)
