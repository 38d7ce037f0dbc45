"""Trigger words and sounds: the user's own recordings, recognised as they sound again."""

from __future__ import annotations

from models.spot.examples import examples
from models.spot.features import SPEC, Shape
from models.spot.warping import Warping
from realtime.hosting.plugin import Array, Context, Descriptor, Feature, Output, Parameter, Plugin, Text

WAIT = 0.08
"""Seconds in which a better match may still come."""


class Spot(Plugin):
    """Dynamic time warping of each 20 ms against all examples; an event at the end of one."""

    descriptor = Descriptor(
        identifier="spot",
        name="Spotting of examples",
        description="Words, claps, whistles: your own recordings in a folder, recognised by their shape in time",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        input=SPEC,
        latency=WAIT,
        parameters=(
            Parameter("least", "Least score", "", 0.0, 1.0, 0.8, description="1: exactly the example"),
            Parameter("pause", "Pause", "ms", 0.0, 5000.0, 300.0, description="at least, between two events"),
        ),
        outputs=(
            Output("spotted", "event", description="label: name of the example without its number; value: score"),
            Output("score", "value", rate=50.0, description="of the example that fits best what ends now"),
        ),
        texts=(Text("folder", "Folder", "", description="with recordings: clap-1.wav, clap-2.wav, stop.wav"),),
    )

    _score: float
    _label: str
    _time: float
    _again: float

    def prepare(self, context: Context) -> None:
        """Read the examples; raises ``UserError`` when there are none, or one is wrong."""
        self._values = dict(context.parameters)
        found = examples(context.texts.get("folder", ""))
        self._labels = [e.label for e in found]
        self._shape = Shape()
        self._warping = Warping([e.shapes for e in found])
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        """One frame of log-mel."""
        distances = self._warping.step(self._shape.step(block))
        best = int(distances.argmin())
        score = min(1.0, max(0.0, 1.0 - float(distances[best])))
        found = [Feature("score", time, score)]
        if score >= self._values["least"] and score > self._score and time >= self._again:
            self._score, self._label, self._time = score, self._labels[best], time
        elif self._score > 0 and time - self._time >= WAIT - 1e-6:
            found.append(Feature("spotted", self._time, self._score, self._label))
            self._again = self._time + self._values["pause"] / 1000
            self._score = 0.0
            self._warping.reset()
        return found

    def reset(self) -> None:
        """Forget all sound."""
        self._shape.reset()
        self._warping.reset()
        self._score, self._label = 0.0, ""
        self._time = self._again = -1e9
