"""What is to be said about a voice, once it speaks: emotion, language, whatever a published classifier tells."""

from __future__ import annotations

import numpy as np

from models.hub.classifier import ACTIVATIONS, RATE, Classifier, sounds
from realtime.hosting.kinds import EventPlugin, Happening
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Text

WINDOW = 3.0
MOST_TOLD = 5


class HubSpeech(EventPlugin):
    """Labels of the first seconds of each utterance; silent while nobody speaks."""

    descriptor = Descriptor(
        identifier="hub-speech",
        name="Speech classes by a published transformer",
        description="Emotion, language …, of the first 3 s of each utterance; model from the store or a folder",
        maker="Sidechain; the model's own authors",
        license="MIT; the model's own licence (superb's: Apache-2.0)",
        version="1.0.0",
        kind="event",
        input=AudioInput(RATE, channels=1, hop=RATE, window=round(WINDOW * RATE)),
        sources=("voice.active",),
        after=WINDOW,
        latency=WINDOW,
        patience=60.0,
        memory_mb=6144,
        parameters=(
            Parameter("threshold", "Least score", "", 0.0, 1.0, 0.3, description="below it nothing is said"),
            Parameter(
                *("activation", "Scores", "", 0, 2, 0, ACTIVATIONS),
                live=False,
                description="auto: sigmoid where several labels hold at once",
            ),
        ),
        outputs=(
            Output("class", "event", "", 0.0, 1.0, description="label: the best class; value: its score"),
            Output("top", "label", description="best class of the newest utterance"),
            Output("tags", "label", description="best classes with scores: 'happy 0.83, neutral 0.11'"),
        ),
        texts=(
            Text(
                *("model", "Model", "superb/wav2vec2-base-superb-er"),
                description="entry of 'sidechain models', folder, or OWNER/NAME",
            ),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the model; raises ``UserError`` when it, or transformers, is not here."""
        self._values = dict(context.parameters)
        activation = ACTIVATIONS[int(self._values["activation"])]
        self._classifier: Classifier | None = Classifier(context.texts["model"], activation)

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def on_event(self, happening: Happening, block: Array, time: float) -> list[Feature]:
        if not starts(happening) or not sounds(block):
            return []
        assert self._classifier is not None
        labels, scores = self._classifier.labels, self._classifier.scores(block)
        best = np.argsort(-scores, kind="stable")[:MOST_TOLD]
        if scores[best[0]] < self._values["threshold"]:
            return []
        return [
            Feature("class", happening.time, float(scores[best[0]]), labels[best[0]]),
            Feature("top", happening.time, None, labels[best[0]]),
            Feature("tags", happening.time, None, ", ".join(f"{labels[i]} {scores[i]:.2f}" for i in best)),
        ]

    def close(self) -> None:
        self._classifier = None


def starts(happening: Happening) -> bool:
    """Whether a voice begins: ``voice.active`` says 1 then, and 0 when it ends."""
    return happening.value == 1.0
