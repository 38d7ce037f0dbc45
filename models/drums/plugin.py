"""Drums: hits and their classes, also inside a full mix."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from models.drums.features import CLASSES, FPS, HOP, INPUT, LABELS, Features
from models.drums.picker import Picker
from models.drums.targets import ANY_DELAY, CLASS_DELAY
from models.dsp.programme import Programme
from models.dsp.steady import Steady
from models.dsp.stepper import Stepper
from realtime.hosting.plugin import Array, Context, Descriptor, Feature, Output, Parameter, Plugin

WEIGHTS = Path(__file__).with_name("drums.onnx")
ALONE, BAND = (0.7, 0.65, 0.45, 0.5), (0.28, 0.35, 0.35, 0.45)
"""Thresholds of any hit and of each class, for drums alone and under a band, tuned on development recordings
(``python -m models.drums.tune``)."""
_SETTLES = 0.02
"""Share of a frame in the belief that a band plays: half a second."""
_ATTACK = 2.8
"""Times the mean rise of the spectrum, below which noise has its peaks, too."""
_CURVES = 1 + len(CLASSES)
_STRENGTH = 1 + len(LABELS)


class Drums(Plugin):
    """Onsets of drums and what was struck, by a small recurrent network."""

    weights: ClassVar[Path] = WEIGHTS
    _levels: Array | None

    descriptor = Descriptor(
        identifier="drums",
        name="Drums",
        description="Hits of any drum, and of kick, snare and hi-hat, also inside a full mix",
        maker="Sidechain",
        license="MIT",
        version="2.0.0",
        input=INPUT,
        latency=CLASS_DELAY,
        parameters=(
            Parameter("sensitivity", "Sensitivity", "", 0.0, 1.0, 0.5, description="larger finds more hits"),
            Parameter("refractory_ms", "Shortest distance", "ms", 20.0, 200.0, 40.0, description="within a class"),
        ),
        outputs=(
            Output("hit", "event", "", 0.0, 1.0, description="label: what was struck; value: how hard"),
            Output("onset", "event", "", 0.0, 1.0, description="any drum; value: how sure"),
            Output("activation", "vector", "", 0.0, 1.0, size=_CURVES, rate=FPS, description="any, then classes"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the network; raises ``UserError`` if it is missing."""
        self._features, self._programme, self._steady = Features(), Programme(FPS), Steady(2 * FPS, _ATTACK)
        self._network = Stepper(self.weights, ("probability",))
        self._picker = Picker(ALONE, BAND, 4)
        for identifier, value in context.parameters.items():
            self.parameter(identifier, value)
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        if identifier == "sensitivity":
            self._picker.sensitivity(value)
        elif identifier == "refractory_ms":
            self._picker.refractory = max(1, round(value / 1000 * FPS))

    def hear(self, block: Array) -> tuple[Array, float]:
        """The network's answer to one frame, and how surely a band plays."""
        self._programme.hear(block[-HOP:])
        frame = self._features.frame(block, self._levels, self._programme.gain)
        (answer,) = self._network.step(frame)
        self._levels = None
        self._band += _SETTLES * (float(answer[-1]) - self._band)
        return answer, self._band

    def beside(self, levels: Array) -> None:
        """Short spectra of the two halves of the hop."""
        self._levels = levels

    def process(self, block: Array, time: float) -> list[Feature]:
        """One frame of 10 ms."""
        answer, band = self.hear(block)
        curves = answer[:_CURVES]
        found = [Feature("activation", time - CLASS_DELAY, tuple(curves.tolist()))]
        older, newer = map(self._steady.hear, self._features.rises)
        steady = older and newer
        for curve, value in self._picker.step(curves, band):
            if steady:
                continue
            if curve:
                strength = float(answer[_STRENGTH + curve - 1])
                found.append(Feature("hit", time - CLASS_DELAY, strength, CLASSES[curve - 1]))
            else:
                found.append(Feature("onset", time - ANY_DELAY, value))
        return found

    def reset(self) -> None:
        self._features.reset()
        self._programme.reset()
        self._steady.reset()
        self._network.reset()
        self._picker.reset()
        self._band = 0.5
        self._levels = None
