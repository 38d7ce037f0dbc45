"""What is said, as text: Whisper on each utterance that our voice activity finds, and keywords in it."""

from __future__ import annotations

from models.dsp.resampled import resampled
from models.whisper import keywords
from models.whisper.gate import LONGEST, RATE, Gate, Utterance
from models.whisper.transcriber import RATE as HEARD_RATE
from models.whisper.transcriber import Transcriber
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

HOP = RATE // 2
WINDOW = 30
MOST_LETTERS = 1900
MOST_KEYWORDS = 50
_PRECISIONS = ("int8", "float32")
_TASKS = ("transcribe", "translate")
_GATE = ("threshold", "hold_ms", "shortest", "longest")
_OLDEST = 50.0
"""Seconds into the past that an event may lie: the host refuses a minute."""


class Whisper(Plugin):
    """A line of text after each utterance, its language, and an event for each keyword."""

    descriptor = Descriptor(
        identifier="whisper",
        name="Transcript (Whisper)",
        description="What is said, as text after each utterance, with its language, and keywords; faster-whisper",
        maker="OpenAI (Whisper), SYSTRAN (faster-whisper)",
        license="MIT",
        version="1.0.0",
        input=AudioInput(RATE, channels=1, hop=HOP, window=WINDOW * RATE),
        lane="slow",
        latency=12.0,
        patience=120.0,
        memory_mb=6144,
        parameters=(
            Parameter(
                "threshold", "Voice threshold", "", 0.05, 0.95, 0.5, description="of the gate, as in 'voice'"
            ),
            Parameter("hold_ms", "Pause", "ms", 100.0, 2000.0, 400.0, description="that ends an utterance"),
            Parameter("shortest", "Shortest", "s", 0.1, 3.0, 0.6, description="utterance that is transcribed"),
            Parameter("longest", "Longest", "s", 3.0, LONGEST, 12.0, description="is cut at a quiet place then"),
            Parameter("beam", "Beam", "", 1, 10, 1, description="hypotheses; more are dearer and a little better"),
            Parameter("sure", "Least sureness", "", 0.0, 1.0, 0.2, description="below it nothing is said"),
            Parameter("task", "Task", "", 0, 1, 0, _TASKS, description="translate: into English"),
            Parameter("words", "Word times", "", 0, 1, 0, ("off", "on"), description="exact times of keywords"),
            Parameter("precision", "Precision", "", 0, 1, 0, _PRECISIONS, live=False),
        ),
        outputs=(
            Output(
                "text", "event", "", 0.0, 1.0, description="label: what was said; value: mean token probability"
            ),
            Output("keyword", "event", "", 0.0, 1.0, description="label: the keyword; value as of 'text'"),
            Output("language", "label", description="of the newest utterance: 'en'"),
            Output("language_probability", "value", "", 0.0, 1.0),
        ),
        texts=(
            Text(
                *("model", "Model", "Systran/faster-whisper-base"),
                description="folder in CTranslate2's format, entry of 'sidechain models', OWNER/NAME, or a size",
            ),
            Text("language", "Language", "", live=True, description="'en', 'de' …; empty: found by the model"),
            Text("keywords", "Keywords", "", live=True, description="words or phrases, one a line"),
            Text("prompt", "Prompt", "", live=True, description="names and spellings that it is to expect"),
        ),
    )

    _heard: float | None

    def prepare(self, context: Context) -> None:
        """Load the model; raises ``UserError`` when it, or faster-whisper, is not here."""
        self._values = dict(context.parameters)
        self._texts = dict(context.texts)
        self._keywords = keywords.parse(self._texts["keywords"])
        precision = _PRECISIONS[int(self._values["precision"])]
        self._transcriber: Transcriber | None = Transcriber(self._texts["model"], precision)
        self._language = self._transcriber.check(self._texts["language"])
        self._gate = Gate({k: self._values[k] for k in _GATE})
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value
        if identifier in _GATE:
            self._gate.set(identifier, value)

    def text(self, identifier: str, value: str) -> None:
        """Other keywords, another prompt or language; raises ``UserError`` if the model does not know that."""
        if identifier == "language" and self._transcriber is not None:
            self._language = self._transcriber.check(value)
        elif identifier == "keywords":
            self._keywords = keywords.parse(value)
        self._texts[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        """Take what is new since the last call, however many hops were left out, and transcribe what has ended."""
        new = HOP if self._heard is None else round((time - self._heard) * RATE)
        if not 0 < new <= len(block):  # sound is missing
            self._gate.reset()
            new = HOP
        self._heard = time
        new -= new % (RATE // 100)
        found: list[Feature] = []
        for utterance in self._gate.feed(block[-new:], time - new / RATE):
            found += self._said(utterance, time)
        return found

    def reset(self) -> None:
        self._gate.reset()
        self._heard = None

    def close(self) -> None:
        self._transcriber = None

    def _said(self, utterance: Utterance, now: float) -> list[Feature]:
        assert self._transcriber is not None
        values, start = self._values, max(utterance.start, now - _OLDEST)
        said = self._transcriber.hear(
            resampled(utterance.sound, RATE, HEARD_RATE),
            self._language,
            self._texts["prompt"].strip(),
            beam_size=int(values["beam"]),
            task=_TASKS[int(values["task"])],
            word_timestamps=bool(values["words"]),
        )
        if not said.text or said.sureness < values["sure"]:
            return []
        found = [
            Feature("text", start, said.sureness, said.text[:MOST_LETTERS]),
            Feature("language", start, None, said.language),
            Feature("language_probability", start, said.language_probability),
        ]
        for hit in keywords.find(self._keywords, said.text)[:MOST_KEYWORDS]:
            at = utterance.start + keywords.moment(hit, said.words, utterance.end - utterance.start)
            found.append(Feature("keyword", max(at, start), said.sureness, hit.keyword))
        return found
