"""What the voice network hears: two right-aligned log-mel spectra of the same instant.

A short window (21 ms) shows beginnings soon; a longer one (43 ms), which ends at the same sample, resolves the
harmonics of a voice. The compression is steep, so that level is nearly a mere offset. The same sums serve the live
plugin (:class:`Features`) and training (:meth:`Features.clip`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.dsp.logmel import BlockSpectrum
from realtime.hosting.spectral import LogMelSpec

F32 = npt.NDArray[np.float32]

SAMPLE_RATE = 24_000
HOP = 240
FPS = SAMPLE_RATE // HOP
SHORT = LogMelSpec(SAMPLE_RATE, HOP, 512, 40, 60.0, 9_000.0, 1e5)
LONG = LogMelSpec(SAMPLE_RATE, HOP, 1024, 64, 60.0, 4_000.0, 1e5)
WINDOW = LONG.window
SIZE = SHORT.bands + LONG.bands


class Features:
    """One hop of sound in, one feature frame out. Not shared between threads (it owns its work arrays)."""

    def __init__(self) -> None:
        self._halves = BlockSpectrum(SHORT), BlockSpectrum(LONG)
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
