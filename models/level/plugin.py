"""Level: RMS, peak, true peak, stereo correlation and EBU R 128 loudness."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.dsp.iir import BlockFilter
from models.level.loudness import K_WEIGHTING, SILENCE, Integrated, loudness
from models.level.truepeak import TruePeak
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
_MOMENTARY, _SHORT = 40, 300  # hops: 400 ms and 3 s


class Level(Plugin):
    """Meters of the input.

    RMS and peaks are relative to full scale (a full-scale sine has RMS −3.01 dBFS, peak 0); loudness in LUFS.
    Silence shows as −120.
    """

    descriptor = Descriptor(
        identifier="level",
        name="Level and loudness",
        description="RMS, peak, true peak, stereo correlation, EBU R 128 loudness",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        input=AudioInput(_RATE, channels=2, hop=_HOP),
        parameters=(
            Parameter("rms_ms", "RMS time", "ms", 10.0, 2000.0, 50.0, description="time constant of the RMS"),
            Parameter("fall", "Peak fall", "dB/s", 0.0, 1000.0, 20.0, description="how fast peaks fall back"),
            Parameter("restart", "Restart loudness", "", 0.0, 1.0, 0.0, ("run", "restart"),
                      description="each change to 'restart' begins a new integrated measurement"),
        ),
        outputs=(
            Output("rms", "value", "dBFS", SILENCE, 0.0, rate=100.0, description="louder channel"),
            Output("peak", "value", "dBFS", SILENCE, 6.0, rate=100.0, description="sample peak, falling back"),
            Output("truepeak", "value", "dBTP", SILENCE, 6.0, rate=100.0, description="oversampled peak"),
            Output("momentary", "value", "LUFS", SILENCE, 6.0, rate=50.0, description="last 400 ms"),
            Output("shortterm", "value", "LUFS", SILENCE, 6.0, rate=20.0, description="last 3 s"),
            Output("integrated", "value", "LUFS", SILENCE, 6.0, rate=10.0, description="gated, since the start"),
            Output("correlation", "value", "", -1.0, 1.0, rate=50.0, description="left against right"),
        ),
    )  # fmt: skip

    _peak: float
    _truepeak: float

    def prepare(self, context: Context) -> None:
        values = dict(context.parameters)
        self._filter = BlockFilter([K_WEIGHTING], _HOP, channels=2)
        self._true = TruePeak(2, _HOP)
        self._ring = np.zeros(_SHORT)
        self._integrated = Integrated()
        self._restart = values["restart"]
        self._hops = self._from = 0
        self.parameter("rms_ms", values["rms_ms"])
        self.parameter("fall", values["fall"])
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        if identifier == "rms_ms":
            self._keep = math.exp(-_SECONDS * 1000 / value)
        elif identifier == "fall":
            self._fall = value * _SECONDS
        elif identifier == "restart":
            if value and not self._restart:
                self._integrated.reset()
                self._from = self._hops
            self._restart = value

    def process(self, block: Array, time: float) -> list[Feature]:
        power = np.einsum("cn,cn->c", block, block, dtype=np.float64) / _HOP
        cross = float(np.dot(block[0], block[1])) / _HOP
        self._power += (1 - self._keep) * (power - self._power)
        self._cross += (1 - self._keep) * (cross - self._cross)
        self._peak = max(_decibel(float(np.abs(block).max())), self._peak - self._fall, SILENCE)
        fallen = max(self._truepeak - self._fall, SILENCE)
        self._truepeak = max(_decibel(self._true.process(block, 10 ** (fallen / 20))), fallen)
        weighted = self._filter.process(block)
        index = self._hops % _SHORT
        self._ring[index] = float(np.vdot(weighted, weighted)) / _HOP
        self._hops += 1

        found = [
            Feature("rms", time, _decibel(math.sqrt(float(self._power.max())))),
            Feature("peak", time, self._peak),
            Feature("truepeak", time, self._truepeak),
        ]
        if not self._hops % 2:
            scale = math.sqrt(float(self._power[0] * self._power[1]))
            found.append(Feature("momentary", time, loudness(self._mean(_MOMENTARY))))
            found.append(
                Feature("correlation", time, max(-1.0, min(1.0, self._cross / scale)) if scale > 1e-12 else 0.0)
            )
        if not self._hops % 5:
            found.append(Feature("shortterm", time, loudness(self._mean(_SHORT))))
        if not self._hops % 10:
            if self._hops >= self._from + _MOMENTARY:
                self._integrated.add(self._mean(_MOMENTARY))
            found.append(Feature("integrated", time, self._integrated.value()))
        return found

    def _correlation(self) -> float:
        scale = math.sqrt(float(self._power[0] * self._power[1]))
        return max(-1.0, min(1.0, self._cross / scale)) if scale > 1e-12 else 0.0

    def _mean(self, hops: int) -> float:
        """Mean K-weighted power of the last `hops`, zeros before the start."""
        end = (self._hops - 1) % _SHORT + 1
        if end >= hops:
            return float(self._ring[end - hops : end].sum()) / hops
        return float(self._ring[:end].sum() + self._ring[end - hops :].sum()) / hops

    def skipped(self, samples: int) -> None:
        """The meters start anew, the programme goes on: its loudness must survive a lost block."""
        self._clear()

    def reset(self) -> None:
        self._integrated.reset()
        self._clear()

    def _clear(self) -> None:
        self._filter.reset()
        self._true.reset()
        self._ring[:] = 0.0
        self._hops = self._from = 0
        self._power: npt.NDArray[np.float64] = np.zeros(2)
        self._cross = 0.0
        self._peak, self._truepeak = SILENCE, SILENCE


def _decibel(amplitude: float) -> float:
    return max(SILENCE, 20 * math.log10(amplitude)) if amplitude > 1e-6 else SILENCE
