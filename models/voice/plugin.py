"""Voice: a simple activity detector, in the place of the trained one to come."""

from __future__ import annotations

import numpy as np

from models.voice.activity import HOP, RATE, WINDOW, Activity
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin

_LEAST = 1e-8  # mean square of the window below which nothing speaks (-80 dBFS)


class Voice(Plugin):
    """Voice activity from the rise over the background and the change of the spectrum, with hysteresis.

    It hears activity, not voices as such: music and lively noise raise it too.
    """

    descriptor = Descriptor(
        identifier="voice",
        name="Voice activity (untrained)",
        description="Probability that somebody speaks, and start and end events",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        input=AudioInput(RATE, channels=1, hop=HOP, window=WINDOW),
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
        self._values = dict(context.parameters)
        self._activity = Activity()
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        probability = self._activity.process(block)
        if float(np.dot(block, block)) < _LEAST * WINDOW:
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
            if self._below * HOP / RATE * 1000 > values["hold_ms"]:
                self._active = False
                found.append(Feature("active", time, 0.0))
        return found

    def reset(self) -> None:
        self._activity.reset()
        self._active, self._below = False, 0
