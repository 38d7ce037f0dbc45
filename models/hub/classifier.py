"""A published audio classifier, loaded and asked: what the plugins that name sounds have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.hub.loading import packages, place, pretrained
from realtime.errors import UserError
from realtime.hosting.plugin import Array

RATE = 16_000
"""Hz: the only rate that is hosted; all published ones of the kinds named here have it."""

QUIET = 1e-5
"""Root mean square of sound in which nothing sounds (-100 dBFS)."""

ACTIVATIONS = ("auto", "softmax", "sigmoid")
_AUDIOSET = 527


class Classifier:
    """Any model that ``AutoModelForAudioClassification`` reads; used by one thread.

    Parameters
    ----------
    name : str
        A folder, an entry of the model store, or ``OWNER/NAME`` in the hub's cache.
    activation : {"auto", "softmax", "sigmoid"}
        ``auto``: sigmoid where several labels hold at once.

    Attributes
    ----------
    labels : list of str

    Raises
    ------
    UserError
        The model, or transformers, is not here; or it is another kind of model.
    """

    def __init__(self, name: str, activation: str = "auto") -> None:
        where = place(name)
        torch, transformers = packages()
        extractor = pretrained(transformers.AutoFeatureExtractor, where)
        model = pretrained(transformers.AutoModelForAudioClassification, where, use_safetensors=True)
        rate = getattr(extractor, "sampling_rate", RATE)
        if rate != RATE:
            raise UserError(f"model '{name}' wants sound at {rate} Hz; only models at {RATE} Hz are hosted")
        self._torch, self._extractor, self._model = torch, extractor, model.float().eval()
        config = model.config
        self.labels = [str(config.id2label[i])[:100] for i in range(config.num_labels)]
        self._sigmoid = _sigmoid(config, activation)

    def scores(self, sound: Array) -> npt.NDArray[np.float64]:
        """Score of every label, 0–1, in a piece of sound of shape (n,)."""
        with self._torch.inference_mode():
            given = self._extractor(np.array(sound), sampling_rate=RATE, return_tensors="pt")
            logits = self._model(**given).logits[0].double()
            found = logits.sigmoid() if self._sigmoid else logits.softmax(-1)
            return np.nan_to_num(np.asarray(found.numpy(), np.float64))

    def best(self, sound: Array) -> tuple[str, float]:
        """The best label and its score."""
        scores = self.scores(sound)
        at = int(scores.argmax())
        return self.labels[at], float(scores[at])


def sounds(sound: Array) -> bool:
    """Whether there is anything to hear."""
    return len(sound) > 0 and float(np.sqrt(np.mean(np.square(sound)))) >= QUIET


def _sigmoid(config: Any, activation: str) -> bool:
    if activation != "auto":
        return activation == "sigmoid"
    # The published AST of AudioSet was trained with one decision a tag, but does not say so.
    audioset = config.model_type == "audio-spectrogram-transformer" and config.num_labels == _AUDIOSET
    return audioset or config.problem_type == "multi_label_classification"
