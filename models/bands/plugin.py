"""Bands: low, mid and high as smooth values from 0 to 1."""

from __future__ import annotations

import math

from models.dsp.iir import BlockFilter, highpass, lowpass
from realtime.hosting.plugin import (
    Array,
    AudioInput,
    Context,
    Descriptor,
    Feature,
    Output,
    Parameter,
    Plugin,
)

_RATE, _HOP = 48_000, 480
_SECONDS = _HOP / _RATE
_NAMES = ("low", "mid", "high")


class Bands(Plugin):
    """Three bands split by fourth-order Linkwitz–Riley crossovers, followed with attack and release.

    0 is `range` dB below the ceiling, 1 the ceiling. With `auto` the ceiling of each band follows the music:
    it rises with the band's own peaks at once and falls by 1 dB/s, never below −50 dBFS nor more than 24 dB
    below the highest of the three.
    """

    descriptor = Descriptor(
        identifier="bands",
        name="Bands",
        description="Low, mid and high level, 0 to 1, with attack and release",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        input=AudioInput(_RATE, channels=1, hop=_HOP),
        parameters=(
            Parameter("low_hz", "Low to mid", "Hz", 40.0, 500.0, 150.0),
            Parameter("high_hz", "Mid to high", "Hz", 800.0, 12000.0, 2500.0),
            Parameter("attack_ms", "Attack", "ms", 0.0, 500.0, 5.0),
            Parameter("release_ms", "Release", "ms", 0.0, 5000.0, 150.0),
            Parameter("range", "Range", "dB", 6.0, 90.0, 36.0),
            Parameter("ceiling", "Ceiling", "dBFS", -60.0, 0.0, -6.0, description="level of 1 without auto"),
            Parameter("auto", "Automatic ceiling", "", 0.0, 1.0, 1.0, ("off", "on")),
        ),
        outputs=tuple(Output(name, "value", "", 0.0, 1.0, rate=100.0) for name in _NAMES),
    )

    def prepare(self, context: Context) -> None:
        self._values = dict(context.parameters)
        self._build()
        self._keep = (_keep(self._values["release_ms"]), _keep(self._values["attack_ms"]))
        self.reset()

    def _build(self) -> None:
        low, high = self._values["low_hz"], self._values["high_hz"]
        below, above = lowpass(low, _RATE), highpass(low, _RATE)
        mid, top = lowpass(high, _RATE), highpass(high, _RATE)
        self._filter = BlockFilter([[below] * 2, [above] * 2 + [mid] * 2, [top] * 2], _HOP, sub=60)

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value
        if identifier in ("low_hz", "high_hz"):
            self._build()
        self._keep = (_keep(self._values["release_ms"]), _keep(self._values["attack_ms"]))

    def process(self, block: Array, time: float) -> list[Feature]:
        powers = self._filter.power(block)
        values = self._values
        span, auto = values["range"], values["auto"] >= 0.5
        keep = self._keep
        lowest = max(-50.0, max(self._ceilings) - 24.0)
        found = []
        for i, name in enumerate(_NAMES):
            level = 10 * math.log10(powers[i] * 2 + 1e-12)
            self._ceilings[i] = max(level, self._ceilings[i] - _SECONDS, lowest)
            ceiling = self._ceilings[i] if auto else values["ceiling"]
            target = min(1.0, max(0.0, 1 + (level - ceiling) / span))
            now = target + keep[target > self._levels[i]] * (self._levels[i] - target)
            self._levels[i] = now if now > 1e-6 else 0.0
            found.append(Feature(name, time, self._levels[i]))
        return found

    def reset(self) -> None:
        self._filter.reset()
        self._levels = [0.0, 0.0, 0.0]
        self._ceilings = [-30.0, -30.0, -30.0]


def _keep(milliseconds: float) -> float:
    """Share of the old value that a one-pole smoother keeps over one hop."""
    return math.exp(-_SECONDS * 1000 / milliseconds) if milliseconds > 0 else 0.0
