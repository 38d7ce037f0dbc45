"""Text to speech as a job: sentence by sentence, played from the next downbeat where wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from models.hub.loading import packages
from models.jobs.generating import Stopped, stopping
from models.jobs.sound import at_rate
from models.speech.voices import load
from realtime.errors import NotFetched, UserError
from realtime.hosting.kinds import JobControl, JobPlugin
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Text

RATE = 48_000
MOST_TEXT = 1000
_LONGEST_SENTENCE = 250
_PAUSE = 0.2
_STEPS = 1500  # of a long sentence, where a model takes steps
_END = re.compile(r"(?<=[.!?;:…])\s+")


class Speech(JobPlugin):
    """``job.start`` with ``{"text": "Next one is a waltz."}``."""

    descriptor = Descriptor(
        identifier="speech",
        name="Speech of a text",
        description="VITS, MMS-TTS, SpeechT5, Bark through transformers; the model is yours to choose",
        maker="Sidechain; the model's own authors",
        license="MIT; the model's own licence",
        version="1.0.0",
        kind="job",
        input=AudioInput(16_000, channels=1, hop=160),
        patience=180.0,
        memory_mb=8192,
        parameters=(
            Parameter("speed", "Speed", "", 0.5, 2.0, 1.0, description="VITS only"),
            Parameter("voice", "Voice", "", 0, 1000, 0, live=False, description="VITS with several speakers"),
        ),
        outputs=(
            Output("speech", "audio", rate=RATE),
            Output("spoken", "event", unit="s", maximum=600.0, description="the text; value: length"),
        ),
        texts=(
            Text("model", "Model", "", description="entry of 'sidechain models', folder, or OWNER/NAME"),
            Text("vocoder", "Vocoder", "", description="SpeechT5: its second model"),
            Text("speaker", "Speaker", "", description="SpeechT5: a .npy file with the vector of a voice"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the model; raises ``UserError`` when none is chosen, or it is not here."""
        texts = context.texts
        if not texts["model"]:
            raise NotFetched(
                'speech: no model is chosen: [plugins.speech] model = "mms-tts-eng" (its weights: non-commercial '
                "use only), a folder, or OWNER/NAME"
            )
        self._values = dict(context.parameters)
        self._torch, transformers = packages()
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        speaker = int(self._values["voice"])
        self._voice = load(
            self._torch, transformers, texts["model"], speaker, texts["vocoder"], texts["speaker"]
        )  # fmt: skip

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def run(
        self, request: Mapping[str, str | float], block: Array, time: float, job: JobControl
    ) -> list[Feature] | None:
        """Keys of the request: ``text``, ``seed``."""
        text = " ".join(str(request.get("text", "")).split())
        if not text:
            raise UserError("speech: 'text' is missing")
        if len(text) > MOST_TEXT:
            raise UserError(f"speech: 'text' is longer than {MOST_TEXT} characters")
        seed = request.get("seed")
        if isinstance(seed, int | float):
            self._torch.manual_seed(int(seed) & 0x7FFF_FFFF)
        parts, found = sentences(text), []
        for n, sentence in enumerate(parts):
            job.progress(n / len(parts), sentence)
            if job.cancelled:
                return None
            told = stopping(self._torch, job, _STEPS, sentence, n / len(parts), (n + 1) / len(parts))
            try:
                made = np.nan_to_num(self._voice.speak(sentence, self._values["speed"], told))
            except Stopped:
                return None
            found += [at_rate(made, self._voice.rate, RATE), np.zeros(round(_PAUSE * RATE), np.float32)]
        sound = np.concatenate(found[:-1])
        loudest = float(np.abs(sound).max(initial=0.0))
        if loudest > 1.0:
            sound = sound / np.float32(loudest)
        return [Feature("spoken", time, len(sound) / RATE, text), Feature("speech", time, sound)]


def sentences(text: str) -> list[str]:
    """A text in pieces that a model takes at once: sentences, long ones cut between words."""
    found: list[str] = []
    for sentence in _END.split(text):
        piece = ""
        for word in sentence.split():
            word = word[:_LONGEST_SENTENCE]
            if piece and len(piece) + 1 + len(word) > _LONGEST_SENTENCE:
                found.append(piece)
                piece = ""
            piece = f"{piece} {word}" if piece else word
        if piece:
            found.append(piece)
    return found
