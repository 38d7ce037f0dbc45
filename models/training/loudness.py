"""Integrated loudness after ITU-R BS.1770-4 (K-weighting, gated)."""

from __future__ import annotations

import numpy as np
from scipy import signal

from models.training.fx import biquad


def integrated_loudness(x: np.ndarray, rate: float) -> float:
    """
    Loudness in LUFS of mono (n,) or stereo (n, 2) sound; -70 for silence.

    The K-weighting is made of a high shelf (+4 dB above 1.5 kHz) and a high pass (38 Hz) at any sample rate.
    """
    channels = x[:, None] if x.ndim == 1 else x
    sos = np.stack([biquad("high_shelf", 1500, 0.707, 4.0, rate), biquad("high_pass", 38, 0.5, 0, rate)])
    power = signal.sosfilt(sos, channels, axis=0) ** 2
    block, hop = int(0.4 * rate), int(0.1 * rate)
    if len(power) < block:
        return -70.0
    sums = np.concatenate([np.zeros((1, power.shape[1])), np.cumsum(power, axis=0)])
    starts = np.arange(0, len(power) - block + 1, hop)
    energy = ((sums[starts + block] - sums[starts]) / block).sum(axis=1)
    level = -0.691 + 10 * np.log10(energy + 1e-12)
    kept = energy[level > -70]
    if not len(kept):
        return -70.0
    gate = -0.691 + 10 * np.log10(np.mean(kept)) - 10
    loud = energy[(level > -70) & (level > gate)]
    return float(-0.691 + 10 * np.log10(np.mean(loud)))
