"""What the network sees: the newest 2.6 s as a picture of 128 mel bands by 128 frames, loudness taken out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realtime.hosting.plugin import AudioInput
from realtime.hosting.spectral import LogMelSpec, Spectrum, log_mels

F32 = npt.NDArray[np.float32]

SPEC = LogMelSpec(24_000, 480, 2048, 128, 30.0, 11_000.0, 1e5)
SIZE = 128
"""Bands, and frames of 20 ms."""
LENGTH = SPEC.window + (SIZE - 1) * SPEC.hop
INPUT = AudioInput(SPEC.sample_rate, channels=1, hop=6000, window=LENGTH)
"""2.6 s, four times a second."""
SPREAD = 0.8
"""Usual standard deviation of a picture, in units of log10."""


class Picture:
    """Sound to picture. Not shared between threads (it owns its work arrays)."""

    def __init__(self) -> None:
        self._spectrum = Spectrum(SPEC.stft, SIZE)

    def raw(self, block: F32) -> F32:
        """Log-mel of ``LENGTH`` samples, shape ``(128 bands, 128 frames)``, low bands and oldest first."""
        return log_mels(self._spectrum.frames(block, SIZE), SPEC).T


def level(picture: F32) -> F32:
    """A picture without its mean, in units of ``SPREAD``: how loud it was hardly counts."""
    return (picture - picture.mean(axis=(-2, -1), keepdims=True)) / np.float32(SPREAD)
