"""Spectral flux with vibrato suppression, causal and short: what onset and tempo listen to.

References
----------
S. Böck, G. Widmer: Maximum filter vibrato suppression for onset detection. DAFx 2013.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from realtime.hosting.spectral import LogMelSpec

F32 = npt.NDArray[np.float32]

FLUX_SPEC = LogMelSpec(sample_rate=24_000, hop=120, window=512, bands=60, fmin=30.0, fmax=11_000.0, gamma=1000.0)
"""The one spectrum that onset and tempo share: 5 ms hops, 21 ms window."""

FLUX_DELAY = 0.005
"""Seconds by which the flux of a sharp onset is late, beyond the end of its frame (median on drums)."""


_PEAK = 300.0
_QUIETEST = 3.0
_TAU = 10.0
_LN10 = np.float32(math.log(10.0))
_ZERO = np.float32(0.0)


class SuperFlux:
    """Rise of each band over the loudest of its neighbourhood two frames ago, at an automatic gain.

    Parameters
    ----------
    spec : LogMelSpec
        What the frames are.
    lag : int
        Frames between the two that are compared.

    Notes
    -----
    The logarithm makes the flux depend on level. The linear spectrum is therefore recovered and scaled so that
    its peak of the last seconds (falling with 10 s) is constant, up to 40 dB of gain.
    """

    def __init__(self, spec: LogMelSpec, lag: int = 2) -> None:
        self._peak = _PEAK / 10
        self._frames = 0
        self._fall = math.exp(-spec.hop / spec.sample_rate / _TAU)
        self._work = np.zeros(spec.bands, np.float32)
        # The newest frame, in natural logarithms, with an edge on either side that is never the larger neighbour.
        framed = np.full(spec.bands + 2, -np.inf, np.float32)
        self._left, self._now, self._right = framed[:-2], framed[1:-1], framed[2:]
        self._past = [np.zeros(spec.bands, np.float32) for _ in range(lag)]

    def process(self, frame: F32) -> F32:
        """Rise per band in natural logarithms, shape (bands,), zero or more; valid until the next call."""
        rise, now = self._work, self._now
        np.multiply(frame, _LN10, out=rise)
        np.expm1(rise, out=rise)
        self._peak = max(self._peak * self._fall, float(np.maximum.reduce(rise)), _QUIETEST)
        np.multiply(rise, np.float32(_PEAK / self._peak), out=rise)
        np.log1p(rise, out=now)
        loudest = self._past[self._frames % len(self._past)]
        self._frames += 1
        np.subtract(now, loudest, out=rise)
        np.maximum(rise, _ZERO, out=rise)
        np.maximum(self._left, self._right, out=loudest)
        np.maximum(loudest, now, out=loudest)
        return rise

    def reset(self) -> None:
        """Forget the past."""
        for loudest in self._past:
            loudest[:] = 0.0
        self._frames = 0
        self._peak = _PEAK / 10
