"""Audio classification by published transformers: AST, wav2vec2, HuBERT and their like, one adapter for all."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.hub.loading import packages, place, pretrained
from realtime.errors import UserError
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

RATE = 16_000
LONGEST = 10.24
MOST_TOLD = 10
_QUIET = 1e-5  # root mean square of a window in which nothing sounds (-100 dBFS)
_ACTIVATIONS = ("auto", "softmax", "sigmoid")
_AUDIOSET = 527


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
                *("activation", "Scores", "", 0, 2, 0, _ACTIVATIONS),
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
        name = context.texts["model"]
        where = place(name)
        torch, transformers = packages()
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        extractor = pretrained(transformers.AutoFeatureExtractor, where)
        model = pretrained(transformers.AutoModelForAudioClassification, where, use_safetensors=True)
        rate = getattr(extractor, "sampling_rate", RATE)
        if rate != RATE:
            raise UserError(f"model '{name}' wants sound at {rate} Hz; only models at {RATE} Hz are hosted")
        self._torch, self._extractor, self._model = torch, extractor, model.float().eval()
        config = model.config
        self._labels = [str(config.id2label[i])[:100] for i in range(config.num_labels)]
        self._sigmoid = _sigmoid(config, _ACTIVATIONS[int(self._values["activation"])])

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        sound = block[-max(1, round(self._values["seconds"] * RATE)) :]
        if float(np.sqrt(np.mean(np.square(sound)))) < _QUIET:
            return [Feature("top", time, None, ""), Feature("score", time, 0.0), Feature("tags", time, None, "")]
        scores = self.scores(sound)
        best = np.argsort(-scores, kind="stable")[: int(self._values["top"])]
        told = ", ".join(
            f"{self._labels[i]} {scores[i]:.2f}" for i in best if scores[i] >= self._values["threshold"]
        )
        return [
            Feature("top", time, None, self._labels[best[0]]),
            Feature("score", time, float(scores[best[0]])),
            Feature("tags", time, None, told),
        ]

    def scores(self, sound: Array) -> npt.NDArray[np.float64]:
        """Score of every label, 0–1, in a piece of sound of shape (n,)."""
        with self._torch.inference_mode():
            given = self._extractor(np.array(sound), sampling_rate=RATE, return_tensors="pt")
            logits = self._model(**given).logits[0].double()
            found = logits.sigmoid() if self._sigmoid else logits.softmax(-1)
            return np.nan_to_num(np.asarray(found.numpy(), np.float64))

    def close(self) -> None:
        self._model = self._extractor = None


def _sigmoid(config: Any, activation: str) -> bool:
    if activation != "auto":
        return activation == "sigmoid"
    # The published AST of AudioSet was trained with one decision a tag, but does not say so.
    audioset = config.model_type == "audio-spectrogram-transformer" and config.num_labels == _AUDIOSET
    return audioset or config.problem_type == "multi_label_classification"
