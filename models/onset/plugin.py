"""Onset: attacks of any instrument, reported within about 10 ms."""

from __future__ import annotations

import math

import numpy as np

from models.dsp.flux import FLUX, FLUX_DELAY
from models.dsp.steady import Steady
from realtime.hosting.plugin import Array, Context, Descriptor, Feature, Output, Parameter, Plugin

_HOP = FLUX.hop / FLUX.sample_rate
_MEAN = 120  # frames of the adaptive threshold, 0.6 s
_FLOOR = 0.025
_OVER = 1.5
_REARM = 0.4
_LOUD = 0.08
_PULSE = 1.2  # times the rise within the last 40 ms, which is an onset of its own or a period of a low note
_PERIODS = range(3, 9)
_ATTACK = 3.1  # times the mean rise, below which noise has its peaks, too
_KEEP = math.exp(-_HOP / 5.0)
_ONES = np.ones(FLUX.size, np.float32)
_MEAN_RISE = 1 / (FLUX.size * math.log(10.0))  # per band, in powers of ten


class Onset(Plugin):
    """Spectral flux with a causal threshold.

    An onset is reported at the first frame whose flux exceeds `threshold` × (a floor + 1.5 × the mean of the last
    0.6 s), at least `refractory_ms` after the one before and after the flux has fallen below 40 % of its peak.
    """

    descriptor = Descriptor(
        identifier="onset",
        name="Onsets",
        description="Attacks of any instrument, within about 10 ms",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        input=FLUX,
        latency=FLUX_DELAY,
        parameters=(
            Parameter("threshold", "Threshold", "", 0.3, 5.0, 1.0, description="larger finds fewer onsets"),
            Parameter("refractory_ms", "Shortest distance", "ms", 20.0, 500.0, 40.0),
        ),
        outputs=(
            Output("onset", "event", "", 0.0, 1.0, description="strength against the last seconds' strongest"),
            Output("strength", "value", "", 0.0, 1.0, rate=200.0, description="onset strength curve"),
        ),
    )

    _strongest: float
    _peak: float
    _armed: bool
    _last: int
    _frames: int
    _total: float

    def prepare(self, context: Context) -> None:
        self._steady = Steady(1 / _HOP, _ATTACK)
        self._threshold = context.parameters["threshold"]
        self.parameter("refractory_ms", context.parameters["refractory_ms"])
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        if identifier == "threshold":
            self._threshold = value
        elif identifier == "refractory_ms":
            self._refractory = round(value / 1000 / _HOP)

    def process(self, block: Array, time: float) -> list[Feature]:
        rise = float(block.dot(_ONES)) * _MEAN_RISE
        limit = self._threshold * (_FLOOR + _OVER * self._total / _MEAN)
        slot = self._frames % _MEAN
        self._total += rise - self._recent[slot]
        self._recent[slot] = rise
        self._frames += 1
        if slot == _MEAN - 1:
            self._total = sum(self._recent)  # rounding must not add up over hours
        self._strongest = max(rise, self._strongest * _KEEP, _LOUD)
        strength = rise / self._strongest
        steady = self._steady.hear(rise)
        found = [Feature("strength", time - FLUX_DELAY, strength)]
        if self._armed:
            late = self._frames - self._last >= self._refractory
            if rise > limit and not steady and late and rise > _PULSE * self._pulse(slot):
                self._last, self._armed, self._peak = self._frames, False, rise
                found.append(Feature("onset", time - FLUX_DELAY, strength))
        else:
            self._armed = rise < _REARM * self._peak
            self._peak = max(self._peak, rise)
        return found

    def _pulse(self, slot: int) -> float:
        """Largest rise of 15 to 40 ms before: the last period of a low note, which rises anew with each."""
        return max(self._recent[slot - k] for k in _PERIODS)

    def reset(self) -> None:
        self._recent = [0.0] * _MEAN
        self._total = 0.0
        self._frames = 0
        self._last = -1000
        self._armed = True
        self._peak = 0.0
        self._strongest = _LOUD
        self._steady.reset()
