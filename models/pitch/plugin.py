"""Pitch: fundamental frequency of one voice or instrument, with voicing, confidence and notes."""

from __future__ import annotations

import math

import numpy as np

from models.pitch.notes import Notes, midi
from models.pitch.periodicity import Periodicity, Window
from models.pitch.tracker import PitchTracker
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin

_RATE, _HOP = 16_000, 160
_WINDOWS = (Window(256, up=2), Window(512, up=2), Window(1024, highest=1000.0))
_LONGEST = _WINDOWS[-1].length
_TRUST = (2.0, 1.5, 1.0)
_LAG = 0.008
_FLOOR = 1e-8  # mean square below which there is no sound (-80 dBFS)
_FALL = math.exp(-_HOP / _RATE / 0.5)
_STAY = 0.1  # how far periodicity may sink below the threshold once voiced


class Pitch(Plugin):
    """Three windows of 16, 32 and 64 ms, weighed by how clear each is, and followed over time.

    The longest is renewed every second hop, which is soon enough for what it alone can hear.
    """

    descriptor = Descriptor(
        identifier="pitch",
        name="Pitch",
        description="Fundamental frequency of one voice or instrument, 50 to 2000 Hz, with notes",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        input=AudioInput(_RATE, channels=1, hop=_HOP, window=_LONGEST),
        latency=_LAG,
        parameters=(
            Parameter("threshold", "Voicing threshold", "", 0.0, 0.95, 0.5, description="least periodicity"),
            Parameter("gate", "Gate below peak", "dB", 6.0, 90.0, 20.0, description="quieter sound is unvoiced"),
            Parameter("low", "Lowest pitch", "Hz", 48.0, 1000.0, 50.0),
            Parameter("high", "Highest pitch", "Hz", 100.0, 2100.0, 2000.0),
        ),
        outputs=(
            Output("hz", "value", "Hz", 0.0, 2100.0, rate=100.0, description="0 = unvoiced"),
            Output("confidence", "value", "", 0.0, 1.0, rate=100.0, description="periodicity"),
            Output("midi", "value", "", 0.0, 127.0, rate=100.0, description="note number with fraction, or 0"),
            Output("note", "event", "", 0.0, 127.0, description="note number, label 'on' or 'off'"),
        ),
    )  # fmt: skip

    _loudest: float
    _voiced: bool
    _hops: int

    def prepare(self, context: Context) -> None:
        self._values = dict(context.parameters)
        self._periodicity = Periodicity(_RATE, _WINDOWS, _LONGEST)
        self._tracker = PitchTracker(self._periodicity.judged, _TRUST)
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        newest = block[-_HOP:]
        power = float(np.dot(newest, newest)) / _HOP
        self._loudest = max(power, self._loudest * _FALL)
        hz = strength = 0.0
        if power > _FLOOR:
            pitch, strength = self._estimate(block)
            limit = self._values["threshold"] - _STAY * self._voiced
            loud = power > self._loudest * 10 ** (-self._values["gate"] / 10)
            if loud and strength > limit and self._values["low"] <= pitch <= self._values["high"]:
                hz = pitch
        self._voiced = hz > 0.0
        at = time - _LAG
        found = [
            Feature("hz", at, hz),
            Feature("confidence", at, max(0.0, min(1.0, strength))),
            Feature("midi", at, midi(hz) if hz else 0.0),
        ]
        for note, starts in self._notes.process(hz):
            found.append(Feature("note", at, float(note), "on" if starts else "off"))
        return found

    def _estimate(self, block: Array) -> tuple[float, float]:
        """Pitch in Hz and its periodicity, whatever the voicing."""
        self._periodicity.process(block, 3 if self._hops % 2 == 0 else 2)
        self._hops += 1
        return self._tracker.process(self._periodicity.curves)

    def reset(self) -> None:
        self._tracker.reset()
        self._notes = Notes()
        self._loudest, self._voiced, self._hops = 0.0, False, 0
