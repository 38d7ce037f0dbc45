"""CLAP, loaded and asked: sound and words in one space, so that any words are labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.hub.loading import packages, place, pretrained, vectors
from realtime.errors import UserError
from realtime.hosting.plugin import Array

F32 = npt.NDArray[np.float32]
MOST_TOKENS = 77
"""Of a prompt, as the models were trained; what is longer is cut."""


class Clap:
    """A published CLAP model; used by one thread.

    Parameters
    ----------
    name : str
        A folder, an entry of the model store, or ``OWNER/NAME`` in the hub's cache.

    Attributes
    ----------
    rate : int
        Hz.
    longest : float
        Seconds of sound that it hears at once.
    scale : float
        What the likeness of sound and words is multiplied by before softmax; learnt with the model.

    Raises
    ------
    UserError
        The model, or transformers, is not here; or it is another kind of model.

    References
    ----------
    Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and keyword-to-caption
    augmentation", ICASSP 2023.
    """

    def __init__(self, name: str) -> None:
        where = place(name)
        self._torch, transformers = packages()
        kind = pretrained(transformers.AutoConfig, where).model_type
        if kind != "clap":
            raise UserError(f"model '{name}' is of the kind {kind}, not CLAP")
        self._extractor = pretrained(transformers.AutoFeatureExtractor, where)
        self._tokenizer = pretrained(transformers.AutoTokenizer, where)
        self._model = pretrained(transformers.ClapModel, where, use_safetensors=True).float().eval()
        self.rate = int(self._extractor.sampling_rate)
        self.longest = self._extractor.nb_max_samples / self.rate
        self.scale = float(self._model.logit_scale_a.detach().exp())

    def words(self, prompts: list[str]) -> F32:
        """Embeddings of texts, unit length, shape (texts, dimensions)."""
        with self._torch.inference_mode():
            given = self._tokenizer(
                prompts, padding=True, truncation=True, max_length=MOST_TOKENS, return_tensors="pt"
            )
            found = self._model.get_text_features(given["input_ids"], given["attention_mask"])
            return _unit(vectors(found))

    def sound(self, sound: Array) -> F32:
        """Embedding of sound of shape (n,) at `rate`, not longer than `longest`; unit length."""
        with self._torch.inference_mode():
            given: Any = self._extractor(np.array(sound), sampling_rate=self.rate, return_tensors="pt")
            return _unit(vectors(self._model.get_audio_features(**given)))[0]


def _unit(x: F32) -> F32:
    found: F32 = np.nan_to_num(x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)).astype(np.float32)
    return found
