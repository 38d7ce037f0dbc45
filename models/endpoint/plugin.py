"""A language model behind an OpenAI-compatible endpoint as a job: tags and a summary of the moment."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import Any

from models.endpoint.client import address, ask
from models.endpoint.words import SYSTEM, answer, question
from models.jobs.moment import SOURCES
from models.jobs.sound import wav_bytes
from realtime.errors import NotFetched, UserError
from realtime.hosting.kinds import JobControl, JobPlugin
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Text

RATE = 16_000
LONGEST = 30.0
KEY = "SIDECHAIN_ENDPOINT_KEY"
_LIMITS = ("max_tokens", "max_completion_tokens")


class Endpoint(JobPlugin):
    """``job.start`` with nothing, or with a question: ``{"text": "which decade is this from?"}``."""

    descriptor = Descriptor(
        identifier="endpoint",
        name="Tags and summary by a language model",
        description="Asks an OpenAI-compatible endpoint about the moment; sends sound only where told to",
        maker="Sidechain; the vendor of the endpoint",
        license="MIT; the vendor's terms",
        version="1.0.0",
        kind="job",
        input=AudioInput(RATE, channels=1, hop=160, window=round(LONGEST * RATE)),
        sources=SOURCES,
        parameters=(
            Parameter("timeout", "Time-out", "s", 1.0, 300.0, 60.0),
            Parameter("words", "Longest answer", "", 50, 2000, 400, description="tokens"),
            Parameter(
                *("audio", "Send sound", "", 0, 1, 0, ("off", "on")),
                live=False,
                description="to models that take input_audio",
            ),
            Parameter("seconds", "Length", "s", 1.0, LONGEST, 10.0, description="of the sound that is sent"),
            Parameter(
                "limit", "Name of the limit", "", 0, 1, 0, _LIMITS, description="newer models want the second"
            ),
        ),
        outputs=(
            Output("summary", "event", description="one or two sentences, or the answer"),
            Output("tags", "event", maximum=10.0, description="'techno, dark, 909'; value: how many"),
        ),
        texts=(
            Text(
                "url", "Address", "", description="such as https://api.example.org/v1 or http://127.0.0.1:8080/v1"
            ),
            Text("model", "Model", "", description="its name there"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Check the address; nothing is sent. Raises ``UserError`` when there is none, or it is wrong."""
        texts = context.texts
        if not texts["url"] or not texts["model"]:
            raise NotFetched(
                "endpoint: no model is chosen: [plugins.endpoint] url and model; the key, if there is one, in the "
                f"environment as {KEY}"
            )
        self._values, self._model = dict(context.parameters), texts["model"].strip()
        self._key = os.environ.get(KEY, "").strip()
        if not self._key.isascii() or not self._key.isprintable():
            raise UserError(f"endpoint: {KEY} holds characters that no key has")
        self._at = address(texts["url"], bool(self._key))

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def run(
        self, request: Mapping[str, str | float], block: Array, time: float, job: JobControl
    ) -> list[Feature] | None:
        """Keys of the request: ``text``, ``bpm``, ``key``. Whether sound is sent is the preset's to say."""
        values, hears = self._values, self._values["audio"] > 0
        words = question(request, job.results, hears)
        content: Any = words
        if hears:
            sound = wav_bytes(block[-round(values["seconds"] * RATE) :], RATE)
            data = base64.b64encode(sound).decode()
            content = [
                {"type": "text", "text": words},
                {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
            ]
        body = {
            "model": self._model,
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}],
            _LIMITS[int(values["limit"])]: int(values["words"]),
            "stream": False,
        }
        job.progress(0.0, f"asking {self._at.host}")
        found = ask(self._at, self._key, body, values["timeout"], job)
        if found is None:
            return None
        said = answer(found)
        if said is None:
            raise UserError(f"endpoint: {self._at.place} answers without words")
        job.progress(1.0, "answered")
        told = [Feature("tags", time, float(len(said.tags)), ", ".join(said.tags))] if said.tags else []
        return [*told, *([Feature("summary", time, None, said.summary)] if said.summary else [])]
