"""Which drum was that: a published classifier is asked about the sound around each onset."""

from __future__ import annotations

import math

from models.hub.classifier import ACTIVATIONS, RATE, Classifier, sounds
from realtime.hosting.kinds import EventPlugin, Happening
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Text

WINDOW = 0.5
AFTER = 0.45


class HubDrumkit(EventPlugin):
    """A label for each onset, by any model that ``AutoModelForAudioClassification`` reads."""

    descriptor = Descriptor(
        identifier="hub-drumkit",
        name="Drum of an onset by a published transformer",
        description="wav2vec2 on the half second of an onset: kick, snare, toms, overheads; model from a folder",
        maker="Sidechain; the model's own authors",
        license="MIT; the model's own licence",
        version="1.0.0",
        kind="event",
        input=AudioInput(RATE, channels=1, hop=RATE // 2, window=round(WINDOW * RATE)),
        sources=("onset.onset",),
        after=AFTER,
        latency=AFTER,
        patience=30.0,
        memory_mb=4096,
        parameters=(
            Parameter("threshold", "Least score", "", 0.0, 1.0, 0.5, description="below it nothing is said"),
            Parameter(
                *("apart", "Least distance", "s", 0.0, 1.0, 0.05),
                description="onsets closer to the one before are left out",
            ),
        ),
        outputs=(Output("hit", "event", "", 0.0, 1.0, description="label: the drum; value: its score"),),
        texts=(
            Text(
                *("model", "Model", "DunnBC22/wav2vec2-base-Drum_Kit_Sounds"),
                description="entry of 'sidechain models', folder, or OWNER/NAME",
            ),
        ),
    )

    _last: float

    def prepare(self, context: Context) -> None:
        """Load the model; raises ``UserError`` when it, or transformers, is not here."""
        self._values = dict(context.parameters)
        self._classifier: Classifier | None = Classifier(context.texts["model"], ACTIVATIONS[0])
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def on_event(self, happening: Happening, block: Array, time: float) -> list[Feature]:
        assert self._classifier is not None
        if 0 <= happening.time - self._last < self._values["apart"] or not sounds(block):
            return []
        self._last = happening.time
        label, score = self._classifier.best(block)
        return [Feature("hit", happening.time, score, label)] if score >= self._values["threshold"] else []

    def reset(self) -> None:
        self._last = -math.inf

    def close(self) -> None:
        self._classifier = None
