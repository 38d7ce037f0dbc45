"""Audio classification by published transformers: AST, wav2vec2, HuBERT and their like, one adapter for all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.hub.classifier import ACTIVATIONS, RATE, Classifier, sounds
from realtime.hosting.plugin import (
    Array,
    AudioInput,
    Context,
    Descriptor,
    Feature,
    Output,
    Parameter,
    Plugin,
    Text,
)

LONGEST = 10.24
MOST_TOLD = 10


class HubTags(Plugin):
    """Labels of the newest window, by any model that ``AutoModelForAudioClassification`` reads."""

    descriptor = Descriptor(
        identifier="hub-tags",
        name="Tags by a published transformer",
        description="AST, wav2vec2, HuBERT …: AudioSet tags, genre, instruments; model from the store or a folder",
        maker="Sidechain; the model's own authors",
        license="MIT; the model's own licence",
        version="1.0.0",
        input=AudioInput(RATE, channels=1, hop=RATE, window=round(LONGEST * RATE)),
        lane="slow",
        latency=LONGEST / 2,
        patience=60.0,
        memory_mb=6144,
        parameters=(
            Parameter("seconds", "Window", "s", 0.5, LONGEST, LONGEST, description="of the newest sound"),
            Parameter("threshold", "Least score", "", 0.0, 1.0, 0.1, description="of labels in 'tags'"),
            Parameter("top", "Labels", "", 1, MOST_TOLD, 5, description="most labels in 'tags'"),
            Parameter(
                *("activation", "Scores", "", 0, 2, 0, ACTIVATIONS),
                live=False,
                description="auto: sigmoid where several labels hold at once",
            ),
        ),
        outputs=(
            Output("top", "label", rate=1.0, description="best label"),
            Output("score", "value", rate=1.0, description="score of the best label"),
            Output("tags", "label", rate=1.0, description="best labels with scores: 'Music 0.83, Guitar 0.41'"),
        ),
        texts=(
            Text(
                "model", "Model", "ast-audioset", description="entry of 'sidechain models', folder, or OWNER/NAME"
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

    def process(self, block: Array, time: float) -> list[Feature]:
        sound = block[-max(1, round(self._values["seconds"] * RATE)) :]
        if not sounds(sound):
            return [Feature("top", time, None, ""), Feature("score", time, 0.0), Feature("tags", time, None, "")]
        assert self._classifier is not None
        labels, scores = self._classifier.labels, self.scores(sound)
        best = np.argsort(-scores, kind="stable")[: int(self._values["top"])]
        told = ", ".join(f"{labels[i]} {scores[i]:.2f}" for i in best if scores[i] >= self._values["threshold"])
        return [
            Feature("top", time, None, labels[best[0]]),
            Feature("score", time, float(scores[best[0]])),
            Feature("tags", time, None, told),
        ]

    def scores(self, sound: Array) -> npt.NDArray[np.float64]:
        """Score of every label, 0–1, in a piece of sound of shape (n,)."""
        assert self._classifier is not None
        return self._classifier.scores(sound)

    def close(self) -> None:
        self._classifier = None
