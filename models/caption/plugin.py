"""Audio captioning as a job: what the last seconds sound like, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.hub.loading import packages, place, pretrained
from models.jobs.generating import Stopped, stopping
from realtime.errors import NotFetched, UserError
from realtime.hosting.kinds import JobControl, JobPlugin
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Text

RATE = 16_000
LONGEST = 30.0
_SILENCE = 1e-4
_MARKS = 4  # that Whisper puts first: start, language, task, no times


class Caption(JobPlugin):
    """``job.start`` without a request gives a sentence about the last seconds."""

    descriptor = Descriptor(
        identifier="caption",
        name="Caption of the sound",
        description="A sentence by a published captioner that AutoModelForSpeechSeq2Seq reads (Whisper's kind)",
        maker="Sidechain; the model's own authors",
        license="MIT; the model's own licence",
        version="1.0.0",
        kind="job",
        input=AudioInput(RATE, channels=1, hop=160, window=round(LONGEST * RATE)),
        patience=180.0,
        memory_mb=6144,
        parameters=(
            Parameter("seconds", "Length", "s", 1.0, LONGEST, 10.0, description="of the newest sound"),
            Parameter("words", "Longest", "", 5, 200, 60, description="tokens of a caption"),
        ),
        outputs=(Output("caption", "event", description="the sentence"),),
        texts=(
            Text("model", "Model", "", description="entry of 'sidechain models', folder, or OWNER/NAME"),
            Text(
                "prefix",
                "Prefix",
                "",
                live=True,
                description="a style it was trained on: 'clotho > caption:'",
            ),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the model; raises ``UserError`` when none is chosen, or it is not here."""
        name = context.texts["model"]
        if not name:
            raise NotFetched(
                'caption: no model is chosen: [plugins.caption] model = "FOLDER", with a captioner of Whisper\'s '
                "kind as safetensors"
            )
        self._values, self._prefix = dict(context.parameters), context.texts["prefix"]
        where = place(name)
        self._torch, transformers = packages()
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        self._extractor = pretrained(transformers.AutoFeatureExtractor, where)
        self._tokenizer = pretrained(transformers.AutoTokenizer, where)
        kind = transformers.AutoModelForSpeechSeq2Seq
        self._model = pretrained(kind, where, use_safetensors=True).float().eval()
        self._plainly = transformers.GenerationMixin.generate
        if getattr(self._extractor, "sampling_rate", RATE) != RATE:
            raise UserError(f"caption: model '{name}' wants sound at another rate than {RATE} Hz")

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def text(self, identifier: str, value: str) -> None:
        self._prefix = value

    def run(
        self, request: Mapping[str, str | float], block: Array, time: float, job: JobControl
    ) -> list[Feature] | None:
        """Keys of the request: ``seconds``."""
        seconds = request.get("seconds", self._values["seconds"])
        if not isinstance(seconds, int | float) or not 1.0 <= seconds <= LONGEST:
            raise UserError(f"caption: 'seconds' must be between 1 and {LONGEST:g}")
        sound = block[-round(seconds * RATE) :]
        if float(np.sqrt(np.mean(np.square(sound)))) < _SILENCE:
            raise UserError(f"caption: the last {seconds:g} s are silent")
        try:
            said = self.caption(sound, job)
        except Stopped:
            return None
        return [Feature("caption", time, float(seconds), said[:2000])]

    def caption(self, sound: Array, job: JobControl) -> str:
        """The sentence about a piece of sound of shape (n,)."""
        torch, config = self._torch, self._model.config
        words = self._tokenizer(self._prefix, add_special_tokens=False)["input_ids"] if self._prefix else []
        room = getattr(config, "max_target_positions", 1024) - len(words) - _MARKS
        if room < 1:
            raise UserError("caption: 'prefix' is longer than the model can take")
        most = min(room, int(self._values["words"]))
        job.progress(0.0, "listening")
        given: dict[str, Any] = dict(self._extractor(np.array(sound), sampling_rate=RATE, return_tensors="pt"))
        told = stopping(torch, job, most, "writing")
        with torch.inference_mode():
            if self._prefix:
                # The model goes on from these words; Whisper's own generate would put its marks of language first.
                start = torch.tensor([[config.decoder_start_token_id, *words]])
                made = self._plainly(
                    self._model, **given, decoder_input_ids=start, max_new_tokens=most, stopping_criteria=told
                )
                made = made[:, start.shape[1] :]
            else:
                made = self._model.generate(**given, max_new_tokens=most, stopping_criteria=told)
        return " ".join(str(self._tokenizer.decode(made[0], skip_special_tokens=True)).split())

    def close(self) -> None:
        self._model = self._extractor = self._tokenizer = None
