"""Level: RMS, peak, true peak, stereo correlation and EBU R 128 loudness."""

from __future__ import annotations

import math

import numpy as np

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
_EVERY, _SELDOM = 2, 4  # hops between two measurements of what need not be new each hop: loudness, true peak
_PIECE, _STRETCH = _EVERY * _HOP, _SELDOM * _HOP
_MOMENTARY, _SHORT = 20, 150  # pieces: 400 ms and 3 s


class Level(Plugin):
    """Meters of the input.

    RMS and peaks are relative to full scale (a full-scale sine has RMS −3.01 dBFS, peak 0); loudness in LUFS.
    Silence shows as −120. RMS and sample peak are renewed every hop of 10 ms, loudness every second one, true peak
    every fourth.
    """

    descriptor = Descriptor(
        identifier="level",
        name="Level and loudness",
        description="RMS, peak, true peak, stereo correlation, EBU R 128 loudness",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        input=AudioInput(_RATE, channels=2, hop=_HOP, window=_STRETCH + TruePeak.before),
        parameters=(
            Parameter("rms_ms", "RMS time", "ms", 10.0, 2000.0, 50.0, description="time constant of the RMS"),
            Parameter("fall", "Peak fall", "dB/s", 0.0, 1000.0, 20.0, description="how fast peaks fall back"),
            Parameter("restart", "Restart loudness", "", 0.0, 1.0, 0.0, ("run", "restart"),
                      description="each change to 'restart' begins a new integrated measurement"),
        ),
        outputs=(
            Output("rms", "value", "dBFS", SILENCE, 0.0, rate=100.0, description="louder channel"),
            Output("peak", "value", "dBFS", SILENCE, 6.0, rate=100.0, description="sample peak, falling back"),
            Output("truepeak", "value", "dBTP", SILENCE, 6.0, rate=25.0, description="oversampled peak"),
            Output("momentary", "value", "LUFS", SILENCE, 6.0, rate=50.0, description="last 400 ms"),
            Output("shortterm", "value", "LUFS", SILENCE, 6.0, rate=25.0, description="last 3 s"),
            Output("integrated", "value", "LUFS", SILENCE, 6.0, rate=10.0, description="gated, since the start"),
            Output("correlation", "value", "", -1.0, 1.0, rate=50.0, description="left against right"),
        ),
    )  # fmt: skip

    _peak: float
    _truepeak: float
    _tops: tuple[float, ...]
    _ring: list[float]

    def prepare(self, context: Context) -> None:
        values = dict(context.parameters)
        self._filter = BlockFilter([K_WEIGHTING], _PIECE, channels=2, sub=40)
        self._true = TruePeak(2, _STRETCH)
        self._integrated = Integrated()
        self._restart = values["restart"]
        self._hops = self._pieces = self._from = 0
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
                self._from = self._pieces
            self._restart = value

    def process(self, block: Array, time: float) -> list[Feature]:
        newest = block[:, -_HOP:]
        (left, cross), (_, right) = newest.dot(newest.T).tolist()
        new = 1 - self._keep
        self._left += new * (left / _HOP - self._left)
        self._right += new * (right / _HOP - self._right)
        self._cross += new * (cross / _HOP - self._cross)
        loud = np.abs(newest).reshape(-1)
        self._tops = (*self._tops[1:], float(loud[loud.argmax()]))
        self._peak = max(_decibel(self._tops[-1]), self._peak - self._fall, SILENCE)
        self._hops += 1
        found = [
            Feature("rms", time, _decibel(math.sqrt(max(self._left, self._right)))),
            Feature("peak", time, self._peak),
        ]
        if self._hops % _EVERY:
            return found
        place = self._pieces % _SHORT
        self._ring[place] = self._ring[place + _SHORT] = self._filter.power(block[:, -_PIECE:])[0]
        self._pieces += 1
        found.append(Feature("momentary", time, loudness(self._mean(_MOMENTARY))))
        found.append(Feature("correlation", time, self._correlation()))
        if not self._hops % _SELDOM:
            found.append(Feature("shortterm", time, loudness(self._mean(_SHORT))))
            found.append(Feature("truepeak", time, self._oversampled(block)))
        if not self._hops % 10:
            if self._pieces >= self._from + _MOMENTARY:
                self._integrated.add(self._mean(_MOMENTARY))
            found.append(Feature("integrated", time, self._integrated.value()))
        return found

    def _oversampled(self, block: Array) -> float:
        """Peak with the points between samples, falling back; computed only where it can be above what it is."""
        fallen = max(self._truepeak - _SELDOM * self._fall, SILENCE)
        peak = max(self._tops[-_SELDOM:])
        if max(self._tops) * self._true.most > 10 ** (fallen / 20):
            peak = max(peak, self._true.process(block))
        self._truepeak = max(_decibel(peak), fallen)
        return self._truepeak

    def _correlation(self) -> float:
        scale = math.sqrt(self._left * self._right)
        return max(-1.0, min(1.0, self._cross / scale)) if scale > 1e-12 else 0.0

    def _mean(self, pieces: int) -> float:
        """Mean K-weighted power of the last `pieces`, zeros before the start."""
        end = (self._pieces - 1) % _SHORT + 1 + _SHORT
        return sum(self._ring[end - pieces : end]) / pieces

    def skipped(self, samples: int) -> None:
        """The meters start anew, the programme goes on: its loudness must survive a lost block."""
        self._clear()

    def reset(self) -> None:
        self._integrated.reset()
        self._clear()

    def _clear(self) -> None:
        self._filter.reset()
        self._ring = [0.0] * (2 * _SHORT)  # each power twice, so that the newest lie side by side
        self._hops = self._pieces = self._from = 0
        self._left = self._right = self._cross = 0.0
        self._peak, self._truepeak = SILENCE, SILENCE
        self._tops = (0.0,) * (_SELDOM + 1)  # of the newest hops, and the one before that a piece looks back into


def _decibel(amplitude: float) -> float:
    return max(SILENCE, 20 * math.log10(amplitude)) if amplitude > 1e-6 else SILENCE
