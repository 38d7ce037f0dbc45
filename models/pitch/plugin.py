"""Pitch: fundamental frequency of one voice or instrument, with voicing, confidence and notes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from models.pitch.features import FLOOR, HOP, LAG, LONGEST, RATE, Evidence
from models.pitch.notes import Notes
from models.pitch.tracker import CLEAR, TRUST, PitchTracker
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin

if TYPE_CHECKING:
    from models.pitch.opinion import Opinion

_FALL = math.exp(-HOP / RATE / 0.5)
_STAY = 0.1  # how far the confidence may sink below the threshold once voiced


class Pitch(Plugin):
    """Periodicity in four windows, joined by what a network hears in spectra, and followed over time.

    Without onnxruntime, or with `network` at 0, periodicity decides alone.
    """

    descriptor = Descriptor(
        identifier="pitch",
        name="Pitch",
        description="Fundamental frequency of one voice or instrument, 50 to 2000 Hz, with notes",
        maker="Sidechain",
        license="MIT",
        version="2.3.0",
        input=AudioInput(RATE, channels=1, hop=HOP, window=LONGEST),
        latency=LAG,
        parameters=(
            Parameter("threshold", "Voicing threshold", "", 0.0, 0.95, 0.5, description="least confidence"),
            Parameter("gate", "Gate below peak", "dB", 6.0, 90.0, 20.0, description="quieter sound is unvoiced"),
            Parameter("low", "Lowest pitch", "Hz", 48.0, 1000.0, 50.0),
            Parameter("network", "Network", "", 0.0, 1.0, 0.6, description="its weight; 0: periodicity alone"),
            Parameter("high", "Highest pitch", "Hz", 100.0, 2100.0, 2000.0),
        ),
        outputs=(
            Output("hz", "value", "Hz", 0.0, 2100.0, rate=100.0, description="0 = unvoiced"),
            Output("confidence", "value", "", 0.0, 1.0, rate=100.0, description="that one voice sounds"),
            Output("midi", "value", "", 0.0, 127.0, rate=100.0, description="note number with fraction, or 0"),
            Output("note", "event", "", 0.0, 127.0, description="note number, label 'on' or 'off'"),
        ),
    )  # fmt: skip

    _loudest: float
    _voiced: bool
    _turn: bool

    def prepare(self, context: Context) -> None:
        """Load the network; raises ``UserError`` if its weights are missing."""
        self._values = dict(context.parameters)
        self._evidence = Evidence()
        self._tracker = PitchTracker(self._evidence.periodicity.judged, TRUST)
        self._opinion = _opinion()
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        if identifier == "network" and self._opinion is not None and not self._values["network"]:
            self._opinion.reset()  # it has heard nothing while it did not count
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        power = self._evidence.listen(block)
        self._loudest = max(power, self._loudest * _FALL)
        pitch, strength = self._estimate(block, power > FLOOR)
        limit = self._values["threshold"] - _STAY * self._voiced
        loud = power > self._loudest * 10 ** (-self._values["gate"] / 10)
        self._voiced = loud and strength > limit and self._values["low"] <= pitch <= self._values["high"]
        hz = pitch if self._voiced else 0.0
        return self._notes.features(time - LAG, hz, max(0.0, min(1.0, strength)))

    def _estimate(self, block: Array, sounds: bool) -> tuple[float, float]:
        """Pitch in Hz and the confidence that it is one, whatever the voicing; zeros in silence."""
        curves, opinion, share = self._evidence.periodicity.curves, self._opinion, self._values["network"]
        if opinion is None or not share:
            return self._tracker.process(curves)[:2] if sounds else (0.0, 0.0)
        self._turn = not self._turn
        if self._turn:
            opinion.process(self._evidence.frame(block, sounds))
        if not sounds:
            return 0.0, 0.0
        pitch, strength, counted = self._tracker.process(curves, opinion.likely, share)
        # What is clearly periodic is voiced, whatever the network has learned: it doubts low pure tones.
        alone = 0.5 + 0.5 * (strength - CLEAR) / (1 - CLEAR)
        return pitch, max(alone, strength + counted * (opinion.voiced - strength))

    def reset(self) -> None:
        self._evidence.reset()
        self._tracker.reset()
        if self._opinion is not None:
            self._opinion.reset()
        self._notes = Notes()
        self._loudest, self._voiced, self._turn = 0.0, False, False


def _opinion() -> Opinion | None:
    """The network, or None where onnxruntime is missing: periodicity alone is worth having."""
    try:
        from models.pitch.opinion import Opinion
    except ImportError:
        return None
    return Opinion()
