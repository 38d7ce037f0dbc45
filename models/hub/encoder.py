"""Published models as encoders: a piece of sound in, one vector out, whatever the architecture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from models.hub.loading import packages, place, pretrained, vectors
from realtime.errors import UserError
from realtime.hosting.plugin import Array

F32 = npt.NDArray[np.float32]
MOST_VALUES = 4096


class Encoder:
    """One of four kinds, found from the model's own ``config.json``; used by one thread.

    =============================== ====================================================================
    the model is                    the vector is
    =============================== ====================================================================
    CLAP                            its audio embedding
    Whisper                         the mean of its encoder's states over the part that is sound
    an x-vector model               its speaker embedding
    wav2vec2, HuBERT, WavLM, AST …  the mean of its last hidden states
    =============================== ====================================================================

    Parameters
    ----------
    name : str
        A folder, an entry of the model store, or ``OWNER/NAME`` in the hub's cache.
    speaker : bool
        Only an x-vector model will do.

    Attributes
    ----------
    rate : int
        Hz of the sound that it takes.
    longest : float
        Seconds that it hears at once; infinite where it has no limit.

    Raises
    ------
    UserError
        The model, or transformers, is not here; or it is another kind of model.
    """

    def __init__(self, name: str, speaker: bool = False) -> None:
        where = place(name)
        self._torch, t = packages()
        config = pretrained(t.AutoConfig, where)
        built = (getattr(config, "architectures", None) or [""])[0]
        self._extractor = pretrained(t.AutoFeatureExtractor, where)
        self.rate = int(self._extractor.sampling_rate)
        self.longest = math.inf
        xvector = built.endswith("ForXVector")
        if speaker and not xvector:
            raise UserError(f"model '{name}' is no speaker model, but {built or config.model_type}")
        if config.model_type == "clap":
            kind, self._ask = t.ClapModel, self._clap
            self.longest = self._extractor.nb_max_samples / self.rate
        elif config.model_type == "whisper":
            kind, self._ask = t.WhisperModel, self._whisper
            self.longest = self._extractor.n_samples / self.rate
        elif xvector:
            kind, self._ask = t.AutoModelForAudioXVector, self._xvector
        else:
            kind, self._ask = t.AutoModel, self._mean
        model = pretrained(kind, where, use_safetensors=True)
        if config.model_type == "whisper":
            model = model.get_encoder()  # the decoder is let go
        self._model = model.float().eval()
        self._name = name

    def embed(self, sound: Array) -> F32:
        """The vector of a piece of sound.

        Parameters
        ----------
        sound : ndarray of float32, shape (n,)
            At `rate`; of what is longer than `longest` the newest.

        Returns
        -------
        ndarray of float32, shape (dimensions,)
            Unit length.

        Raises
        ------
        UserError
            The model gives no such vector.
        """
        if math.isfinite(self.longest):
            sound = sound[-max(1, round(self.longest * self.rate)) :]
        with self._torch.inference_mode():
            given = self._extractor(np.array(sound), sampling_rate=self.rate, return_tensors="pt")
            found = np.asarray(self._ask(given, len(sound)), np.float64).reshape(-1)
        if not 0 < len(found) <= MOST_VALUES:
            raise UserError(f"model '{self._name}' gives {len(found)} values; {MOST_VALUES} at most are published")
        return np.nan_to_num(found / max(float(np.linalg.norm(found)), 1e-12)).astype(np.float32)

    def _clap(self, given: Any, samples: int) -> F32:
        return vectors(self._model.get_audio_features(**given))

    def _whisper(self, given: Any, samples: int) -> F32:
        states = self._model(given["input_features"]).last_hidden_state[0]
        # The extractor pads to 30 s; two of its frames make one state.
        kept = max(1, min(len(states), math.ceil(samples / (2 * self._extractor.hop_length))))
        return vectors(states[:kept].mean(0))

    def _xvector(self, given: Any, samples: int) -> F32:
        return vectors(self._model(**given).embeddings[0])

    def _mean(self, given: Any, samples: int) -> F32:
        states = getattr(self._model(**given), "last_hidden_state", None)
        if states is None or states.ndim != 3:
            raise UserError(f"model '{self._name}' has no hidden states over time to take the mean of")
        return vectors(states[0].mean(0))
