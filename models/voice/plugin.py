"""Voice: speech and singing told apart from music and noise, by a small recurrent network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.dsp.programme import Programme
from models.dsp.stepper import Stepper
from models.voice.features import FPS, HOP, SAMPLE_RATE, SHORT, WINDOW, Features
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin

WEIGHTS = Path(__file__).with_name("voice.onnx")
_ODDS = 0.3  # on the network's answer: it was trained to hurry, its 0.77 is about the best place to switch
_LEAST = 1e-9  # mean square of the window below which nothing speaks (-90 dBFS)
_NOMINAL = 0.004  # of a quiet programme: -24 dBFS, for speech is seldom as loud as music


class Voice(Plugin):
    """Probability of voice, and events by hysteresis.

    It starts when the probability reaches `threshold`, and ends when it has been below `threshold` minus
    `hysteresis` for `hold_ms`.
    """

    descriptor = Descriptor(
        identifier="voice",
        name="Voice activity",
        description="Probability that somebody speaks or sings, and start and end events",
        maker="Sidechain",
        license="MIT",
        version="6.0.0",
        input=AudioInput(SAMPLE_RATE, channels=1, hop=HOP, window=WINDOW),
        parameters=(
            Parameter("threshold", "Threshold", "", 0.05, 0.95, 0.5),
            Parameter("hysteresis", "Hysteresis", "", 0.0, 0.5, 0.15, description="how far below it ends"),
            Parameter("hold_ms", "Hold", "ms", 0.0, 2000.0, 150.0, description="how long below before it ends"),
        ),
        outputs=(
            Output("probability", "value", "", 0.0, 1.0, rate=100.0),
            Output("active", "event", "", 0.0, 1.0, description="1 when voice starts, 0 when it ends"),
        ),
    )

    _active: bool
    _below: int

    def prepare(self, context: Context) -> None:
        """Load the network; raises ``UserError`` if it is missing."""
        self._values = dict(context.parameters)
        self._features, self._programme = Features(), Programme(FPS, _NOMINAL)
        self._network = Stepper(WEIGHTS, ("probability",))
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        """One hop of 10 ms."""
        self._programme.hear(block[-HOP:])
        answer = float(self._network.step(self._features.frame(block, self._programme.gain))[0][0])
        probability = answer * _ODDS / (1 - answer + answer * _ODDS)
        newest = block[-SHORT:]
        if float(np.dot(newest, newest)) < _LEAST * SHORT:
            probability = 0.0
        found = [Feature("probability", time, probability)]
        values = self._values
        if not self._active:
            if probability >= values["threshold"]:
                self._active, self._below = True, 0
                found.append(Feature("active", time, 1.0))
        elif probability >= values["threshold"] - values["hysteresis"]:
            self._below = 0
        else:
            self._below += 1
            if self._below * HOP / SAMPLE_RATE * 1000 > values["hold_ms"]:
                self._active = False
                found.append(Feature("active", time, 0.0))
        return found

    def reset(self) -> None:
        self._network.reset()
        self._features.reset()
        self._programme.reset()
        self._active, self._below = False, 0
