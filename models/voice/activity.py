"""How much a sound rises above its background and changes, as speech does.

References
----------
J. Ramírez et al.: Efficient voice activity detection algorithms using long-term speech information. Speech
Communication 42, 2004 (divergence of the long-term spectral envelope from a tracked noise floor).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

RATE, HOP, WINDOW = 16_000, 160, 512
_BANDS = 18
_LOW, _HIGH = 100.0, 4000.0
_RISE = 0.003  # log10 units per hop that the floor may go up: 3 dB/s
_SETTLE = 0.2  # per hop, of the level that the floor follows
_QUIET = 1e-7
_LONG, _BACK = 6, 10  # hops: 60 ms of envelope, 100 ms of change
_MEAN, _SPREAD = (1.9, 0.56), (1.3, 0.34)  # of rise and change in speech and noise, measured
_WEIGHTS = (2.0, 1.0)
_BIAS = 0.8
_SMOOTH = 0.3
_LEAST, _FOLLOW, _UP, _EACH = (np.float32(v) for v in (_QUIET, _SETTLE, _RISE, 1 / _BANDS))


class Activity:
    """Probability of voice, from the newest 32 ms and a bounded past."""

    def __init__(self) -> None:
        frequency = np.fft.rfftfreq(WINDOW, 1 / RATE)
        edges = np.geomspace(_LOW, _HIGH, _BANDS + 1)
        member = (frequency[:, None] >= edges[:-1]) & (frequency[:, None] < edges[1:])
        member |= np.abs(frequency[:, None] - np.sqrt(edges[1:] * edges[:-1])) < RATE / WINDOW / 2
        # Each bin twice: for its real and its imaginary part.
        self._bands = np.repeat(member / member.sum(0) / WINDOW, 2, axis=0).astype(np.float32)
        self._window = np.hanning(WINDOW).astype(np.float32)
        self._floor = np.zeros(_BANDS, np.float32)
        self._smooth = np.zeros(_BANDS, np.float32)
        self._shapes = np.zeros((_BACK, _BANDS), np.float32)
        self._rises = [0.0] * _LONG
        self._hops, self._score = 0, 0.0
        self.reset()

    def process(self, block: F32) -> float:
        """Probability after one more hop; `block` has :data:`WINDOW` samples."""
        bins = np.fft.rfft(block * self._window).astype(np.complex64, copy=False)
        parts = bins.view(np.float32)
        level = np.dot(np.multiply(parts, parts, out=parts), self._bands)
        level += _LEAST
        np.log10(level, out=level)
        shape = level - np.add.reduce(level) * _EACH
        if self._hops == 0:
            self._floor[:], self._smooth[:], self._shapes[:] = level, level, shape
        smooth, floor = self._smooth, self._floor
        step = level - smooth
        step *= _FOLLOW
        smooth += step
        floor += _UP
        np.minimum(floor, smooth, out=floor)
        past = self._shapes[self._hops % _BACK]
        change = float(np.add.reduce(np.abs(shape - past))) / _BANDS
        past[:] = shape
        self._rises[self._hops % _LONG] = float(np.add.reduce(level - floor)) / _BANDS
        self._hops += 1
        score = _BIAS
        for weight, told, mean, spread in zip(_WEIGHTS, (max(self._rises), change), _MEAN, _SPREAD):
            score += weight * (told - mean) / spread
        self._score += _SMOOTH * (score - self._score)
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, self._score))))

    def reset(self) -> None:
        """Forget the past; the first hop is taken as background."""
        self._rises = [0.0] * _LONG
        self._hops, self._score = 0, -6.0
