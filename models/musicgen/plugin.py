"""MusicGen as a job: music to a description, at the tempo and in the key of the moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.hub.loading import packages, place, pretrained
from models.jobs.generating import Stopped, stopping
from models.jobs.moment import SOURCES
from models.jobs.sound import at_rate
from models.musicgen.prompt import LONGEST, length, prompt
from realtime.errors import NotFetched, UserError
from realtime.hosting.kinds import JobControl, JobPlugin
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Text

RATE = 32_000
AGREED = "non-commercial"
_FADE = 0.005
_PREFIX = "[plugins.musicgen]"


class MusicGen(JobPlugin):
    """``job.start`` with ``{"text": "warm analogue bass", "bars": 4}``; the sound begins on the next downbeat."""

    descriptor = Descriptor(
        identifier="musicgen",
        name="Music to a description (MusicGen)",
        description="From the live tempo, key and tags; weights for non-commercial use only: to be agreed to",
        maker="Sidechain; Copet et al., Meta",
        license="MIT; weights CC-BY-NC-4.0",
        version="1.0.0",
        kind="job",
        input=AudioInput(16_000, channels=1, hop=160),
        sources=SOURCES,
        patience=180.0,
        memory_mb=12_288,
        parameters=(
            Parameter("seconds", "Length", "s", 1.0, LONGEST, 8.0, description="where the request has none"),
            Parameter(
                "guidance", "Guidance", "", 1.0, 10.0, 3.0, description="how closely the words are followed"
            ),
            Parameter("temperature", "Temperature", "", 0.1, 2.0, 1.0),
        ),
        outputs=(
            Output("music", "audio", rate=RATE),
            Output("prompt", "event", unit="s", maximum=LONGEST, description="what it was made to; value: length"),
        ),
        texts=(
            Text(
                "model", "Model", "musicgen-small", description="entry of 'sidechain models', folder, OWNER/NAME"
            ),
            Text("licence", "Licence", "", description=f"'{AGREED}': you keep to the licence of the weights"),
            Text(
                "prompt", "Description", "instrumental loop", live=True, description="where the request has none"
            ),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the model; raises ``UserError`` when it, or the consent to its licence, is not here."""
        if context.texts["licence"] != AGREED:
            raise NotFetched(
                "musicgen: its weights may not be used commercially (CC-BY-NC-4.0); if your use is not, say so: "
                f'{_PREFIX} licence = "{AGREED}"'
            )
        self._values, self._otherwise = dict(context.parameters), context.texts["prompt"]
        where = place(context.texts["model"])
        self._torch, transformers = packages()
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        self._tokenizer = pretrained(transformers.AutoTokenizer, where)
        kind = transformers.MusicgenForConditionalGeneration
        self._model = pretrained(kind, where, use_safetensors=True).float().eval()
        coder = self._model.config.audio_encoder
        self._rate, self._frames = int(coder.sampling_rate), float(coder.frame_rate)

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def text(self, identifier: str, value: str) -> None:
        self._otherwise = value

    def run(
        self, request: Mapping[str, str | float], block: Array, time: float, job: JobControl
    ) -> list[Feature] | None:
        """Request: ``text``, ``seconds``, ``bars``, ``beats``, ``bpm``, ``key``, ``tags``, ``seed``."""
        try:
            seconds = length(request, self._values["seconds"])
        except ValueError as e:
            raise UserError(f"musicgen: {e}") from e
        words = prompt(request, job.results, self._otherwise)
        seed = request.get("seed")
        if isinstance(seed, int | float):
            self._torch.manual_seed(int(seed) & 0x7FFF_FFFF)
        try:
            made = self._generated(words, seconds, job)
        except Stopped:
            return None
        sound = at_rate(made, self._rate, RATE)[..., : round(seconds * RATE)]
        fade = min(round(_FADE * RATE), sound.shape[-1])
        sound[..., sound.shape[-1] - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
        told = sound.shape[-1] / RATE
        return [Feature("prompt", time, told, words[:2000]), Feature("music", time, sound)]

    def _generated(self, words: str, seconds: float, job: JobControl) -> Array:
        """Sound at the model's rate, shape (n,) or (2, n)."""
        torch = self._torch
        given: Any = self._tokenizer([words], return_tensors="pt", truncation=True, max_length=256)
        steps = int(np.ceil(seconds * self._frames)) + int(self._model.config.decoder.num_codebooks)
        job.progress(0.0, words)
        with torch.inference_mode():
            made = self._model.generate(
                input_ids=given["input_ids"],
                attention_mask=given["attention_mask"],
                do_sample=True,
                guidance_scale=self._values["guidance"],
                temperature=self._values["temperature"],
                max_new_tokens=steps,
                stopping_criteria=stopping(torch, job, steps, words),
            )
        sound = np.nan_to_num(np.array(made[0].float().numpy(), np.float32))
        return sound[0] if sound.shape[0] == 1 else sound[:2]

    def close(self) -> None:
        self._model = self._tokenizer = None
