"""What the drum network hears: the spectrum that onset, tempo and drums share, 5 ms hops and a 21 ms window."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.dsp.flux import FLUX_SPEC as SPEC
from models.training.spectra import mel_frames

F32 = npt.NDArray[np.float32]
__all__ = ["CLASSES", "FPS", "LABELS", "SPEC", "Features"]

FPS = SPEC.sample_rate / SPEC.hop
LABELS = ("kick", "snare", "hihat", "tom", "cymbal", "perc")
"""Of the training music. ``perc`` is claps, shakers, congas …"""
CLASSES = LABELS[:3]
"""Those that are told; the others are heard as onsets, but not surely enough told apart (see CARD.md)."""


class Features:
    """Frames of whole recordings, for training caches."""

    def clip(self, samples: F32) -> F32:
        """All frames, shape ``(n // 120, 60)``; `samples` mono at 24 kHz."""
        return mel_frames(samples, SPEC)
