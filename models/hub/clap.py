"""Tags from free text: CLAP says which of the user's own phrases fits the sound best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.hub.classifier import sounds
from models.hub.zeroshot import Clap
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

RATE = 48_000
WINDOW = 10.0
SIZE = 512
MOST_PROMPTS = 32
MOST_TOLD = 10
_SCORES = ("softmax", "similarity")
_PROMPTS = "singing\nspeech\ndrums\nelectric guitar\npiano\nsynthesizer\nviolin\napplause\nsilence"


class HubClap(Plugin):
    """Scores of the user's prompts in the newest window, and the sound's embedding."""

    descriptor = Descriptor(
        identifier="hub-clap",
        name="Tags from free text (CLAP)",
        description="Which of your own phrases fits the sound; prompts from the preset or live",
        maker="Sidechain; the model's own authors",
        license="MIT; the model's own licence (laion's: Apache-2.0)",
        version="1.0.0",
        input=AudioInput(RATE, channels=1, hop=2 * RATE, window=round(WINDOW * RATE)),
        lane="slow",
        latency=WINDOW / 2,
        patience=60.0,
        memory_mb=6144,
        parameters=(
            Parameter("seconds", "Window", "s", 0.5, WINDOW, WINDOW, description="of the newest sound"),
            Parameter("threshold", "Least score", "", 0.0, 1.0, 0.1, description="of labels in 'tags'"),
            Parameter("top", "Labels", "", 1, MOST_TOLD, 5, description="most labels in 'tags'"),
            Parameter(
                *("activation", "Scores", "", 0, 1, 0, _SCORES),
                description="softmax: shares of 1 between the prompts; similarity: each prompt by itself",
            ),
        ),
        outputs=(
            Output("top", "label", rate=0.5, description="best prompt"),
            Output("score", "value", rate=0.5, description="score of the best prompt"),
            Output("tags", "label", rate=0.5, description="best prompts with scores: 'piano 0.83, speech 0.11'"),
            Output(
                *("scores", "vector", "", 0.0, 1.0, MOST_PROMPTS, 0.5),
                description="scores in the order of the prompts, 0 beyond them",
            ),
            Output("embedding", "vector", "", -1.0, 1.0, SIZE, 0.5, description="of the sound, unit length"),
        ),
        texts=(
            Text(
                *("model", "Model", "laion/clap-htsat-unfused"),
                description="entry of 'sidechain models', folder, or OWNER/NAME",
            ),
            Text("prompts", "Prompts", _PROMPTS, live=True, description=f"one a line, {MOST_PROMPTS} at most"),
            Text(
                *("template", "Template", "This is a sound of {}."),
                live=True,
                description="what the model reads; {} stands for the prompt",
            ),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the model; raises ``UserError`` when it, or transformers, is not here, or the prompts are wrong."""
        self._values = dict(context.parameters)
        self._texts = dict(context.texts)
        prompts = _prompts(self._texts["prompts"])
        model = context.texts["model"]
        clap = Clap(model)
        if clap.rate != RATE:
            raise UserError(f"model '{model}' wants sound at {clap.rate} Hz; only models at {RATE} Hz are hosted")
        self._clap: Clap | None = clap
        self._take(prompts)

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def text(self, identifier: str, value: str) -> None:
        """New prompts, or another template; raises ``UserError`` and keeps the old ones if they are wrong."""
        texts = self._texts | {identifier: value}
        prompts = _prompts(texts["prompts"])
        self._texts = texts
        self._take(prompts)

    def process(self, block: Array, time: float) -> list[Feature]:
        clap = self._clap
        assert clap is not None
        seconds = min(self._values["seconds"], clap.longest)
        sound = block[-max(1, round(seconds * RATE)) :]
        if not sounds(sound):
            return [
                Feature("top", time, None, ""),
                Feature("score", time, 0.0),
                Feature("tags", time, None, ""),
                Feature("scores", time, (0.0,) * MOST_PROMPTS),
            ]
        embedding = clap.sound(sound)
        found = [Feature("embedding", time, embedding.tolist())]
        if not self._prompts:
            return found
        scores = self.scores(embedding)
        best = np.argsort(-scores, kind="stable")[: int(self._values["top"])]
        told = [f"{self._prompts[i]} {scores[i]:.2f}" for i in best if scores[i] >= self._values["threshold"]]
        padded = np.zeros(MOST_PROMPTS)
        padded[: len(scores)] = scores
        return [
            Feature("top", time, None, self._prompts[best[0]]),
            Feature("score", time, float(scores[best[0]])),
            Feature("tags", time, None, ", ".join(told)[:2000]),
            Feature("scores", time, padded.tolist()),
            *found,
        ]

    def scores(self, embedding: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Score of every prompt, 0–1, for the embedding of a sound."""
        assert self._clap is not None
        likeness = np.asarray(self._words @ embedding, np.float64)
        if _SCORES[int(self._values["activation"])] == "similarity":
            return np.clip(likeness, 0.0, 1.0)
        logits = self._clap.scale * likeness
        shares = np.exp(logits - logits.max())
        return np.asarray(shares / shares.sum(), np.float64)

    def close(self) -> None:
        self._clap = None

    def _take(self, prompts: list[str]) -> None:
        """Embed the prompts: only here, and not with every window."""
        assert self._clap is not None
        template = self._texts["template"].strip()
        read = [template.replace("{}", p) if "{}" in template else p for p in prompts]
        self._words = self._clap.words(read) if read else np.zeros((0, SIZE), np.float32)
        self._prompts = prompts


def _prompts(text: str) -> list[str]:
    """One a line, without empty and repeated ones. Raises ``UserError`` if they are too many."""
    found = list(dict.fromkeys(line.strip()[:200] for line in text.splitlines() if line.strip()))
    if len(found) > MOST_PROMPTS:
        raise UserError(f"plugin 'hub-clap': {len(found)} prompts; {MOST_PROMPTS} at most, one a line")
    return found
