"""Published text-to-speech models behind one method: a sentence in, sound out."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from models.hub.loading import place, pretrained
from realtime.errors import UserError
from realtime.hosting.plugin import Array

KINDS = ("vits", "speecht5", "bark")


class Voice(Protocol):
    """Speaks.

    Attributes
    ----------
    rate : int
        Hz.
    """

    rate: int

    def speak(self, text: str, speed: float, criteria: Any) -> Array:
        """A sentence as sound, shape (n,).

        Parameters
        ----------
        text : str
        speed : float
            1 is the usual one, where the model can be told.
        criteria : list
            To be asked after each step by models that take steps (``generate(stopping_criteria=…)``).
        """
        ...


class _Base:
    def __init__(self, torch: Any, transformers: Any, where: str, kind: Any) -> None:
        self._torch = torch
        self._tokenizer = pretrained(transformers.AutoTokenizer, where)
        self._model = pretrained(kind, where, use_safetensors=True).float().eval()

    def _tokens(self, text: str) -> Any:
        given = self._tokenizer(text, return_tensors="pt")
        if given["input_ids"].shape[-1] == 0:
            raise UserError(f"speech: the model has no sign for anything in '{text[:60]}'")
        return given


class Vits(_Base):
    """VITS and MMS-TTS."""

    def __init__(self, torch: Any, transformers: Any, where: str, speaker: int) -> None:
        super().__init__(torch, transformers, where, transformers.VitsModel)
        if getattr(self._tokenizer, "phonemize", False):
            _need_phonemizer(where)
        config = self._model.config
        self.rate = int(config.sampling_rate)
        self._speaker = speaker if config.num_speakers > 1 else None
        if self._speaker is not None and not 0 <= self._speaker < config.num_speakers:
            raise UserError(f"speech: 'voice' must be between 0 and {config.num_speakers - 1} with this model")

    def speak(self, text: str, speed: float, criteria: Any) -> Array:
        given = self._tokens(text)
        with self._torch.inference_mode():
            made = self._model(
                input_ids=given["input_ids"],
                attention_mask=given["attention_mask"],
                speaker_id=self._speaker,
                speaking_rate=self._model.config.speaking_rate * speed,
            )
        return np.array(made.waveform[0].numpy(), np.float32)


class SpeechT5(_Base):
    """SpeechT5 with its vocoder and a vector for the voice."""

    def __init__(self, torch: Any, transformers: Any, where: str, vocoder: str, speaker: str) -> None:
        if not vocoder or not speaker:
            raise UserError(
                "speech: SpeechT5 also needs [plugins.speech] vocoder (a model as microsoft/speecht5_hifigan) "
                "and speaker (a .npy file with the vector of a voice)"
            )
        super().__init__(torch, transformers, where, transformers.SpeechT5ForTextToSpeech)
        kind = transformers.SpeechT5HifiGan
        self._vocoder = pretrained(kind, place(vocoder), use_safetensors=True).float().eval()
        self.rate = int(self._vocoder.config.sampling_rate)
        size = int(self._model.config.speaker_embedding_dim)
        try:
            vector = np.load(Path(speaker).expanduser(), allow_pickle=False).astype(np.float32).reshape(1, size)
        except (OSError, ValueError, EOFError) as e:
            raise UserError(f"speech: speaker '{speaker}' is no .npy file with {size} numbers ({e})") from e
        self._speaker = torch.from_numpy(vector)

    def speak(self, text: str, speed: float, criteria: Any) -> Array:
        given = self._tokens(text)
        with self._torch.inference_mode():
            made = self._model.generate_speech(given["input_ids"], self._speaker, vocoder=self._vocoder)
        return np.array(made.numpy(), np.float32).reshape(-1)


class Bark(_Base):
    """Bark, in the voice that it happens to choose."""

    def __init__(self, torch: Any, transformers: Any, where: str) -> None:
        super().__init__(torch, transformers, where, transformers.BarkModel)
        settings = self._model.generation_config
        self.rate = int(settings.sample_rate)
        self._most = int(dict(settings.semantic_config).get("max_input_semantic_length", 256))

    def speak(self, text: str, speed: float, criteria: Any) -> Array:
        # as its own processor does it
        given = self._tokenizer(
            text,
            padding="max_length",
            max_length=self._most,
            truncation=True,
            add_special_tokens=False,
            return_tensors="pt",
            return_attention_mask=True,
            return_token_type_ids=False,
        )
        with self._torch.inference_mode():
            made = self._model.generate(
                input_ids=given["input_ids"],
                attention_mask=given["attention_mask"],
                semantic_stopping_criteria=criteria,
                coarse_stopping_criteria=criteria,
            )
        return np.array(made[0].float().numpy(), np.float32).reshape(-1)


def load(torch: Any, transformers: Any, model: str, speaker: int, vocoder: str, vector: str) -> Voice:
    """The voice of a model: an entry of the model store, a folder, or ``OWNER/NAME`` in the hub's cache.

    Raises
    ------
    UserError
        It is not here, or no such model.
    """
    where = place(model)
    kind = pretrained(transformers.AutoConfig, where).model_type
    if kind == "vits":
        return Vits(torch, transformers, where, speaker)
    if kind == "speecht5":
        return SpeechT5(torch, transformers, where, vocoder, vector)
    if kind == "bark":
        return Bark(torch, transformers, where)
    raise UserError(f"speech: model '{model}' is of kind {kind}; hosted are {', '.join(KINDS)}")


def _need_phonemizer(where: str) -> None:
    if find_spec("phonemizer") is None:
        raise UserError(
            f"speech: {where} reads phonemes: pip install phonemizer (GPL-3.0) and espeak-ng; "
            "models of MMS-TTS read letters and need neither"
        )
