"""Who speaks: a published x-vector model embeds each utterance, and those that are alike get one name."""

from __future__ import annotations

import numpy as np

from models.dsp.resampled import resampled
from models.hub.classifier import RATE, sounds
from models.hub.encoder import Encoder
from models.hub.speech import starts
from realtime.hosting.kinds import EventPlugin, Happening
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Text

WINDOW = 3.0
SIZE = 512
MOST_SPEAKERS = 16
_MOST_COUNTED = 20
"""Utterances after which a new one moves a speaker's mean no less than this many would."""


class HubSpeaker(EventPlugin):
    """Speakers by order of their first word, told apart by their embeddings."""

    descriptor = Descriptor(
        identifier="hub-speaker",
        name="Speaker by a published x-vector model",
        description="Who speaks: 'speaker 1', 'speaker 2' … by the likeness of the first 3 s of each utterance",
        maker="Sidechain; the model's own authors",
        license="MIT; the model's own licence (the default's: CC-BY-SA-3.0)",
        version="1.0.0",
        kind="event",
        input=AudioInput(RATE, channels=1, hop=RATE, window=round(WINDOW * RATE)),
        sources=("voice.active",),
        after=WINDOW,
        latency=WINDOW,
        patience=60.0,
        memory_mb=6144,
        parameters=(
            Parameter("threshold", "Likeness", "", 0.0, 1.0, 0.86, description="cosine from which it is the same"),
            Parameter("most", "Speakers", "", 1, MOST_SPEAKERS, 8, description="beyond them the nearest is taken"),
        ),
        outputs=(
            Output("speaker", "event", "", -1.0, 1.0, description="label: 'speaker N'; value: likeness to N"),
            Output("embedding", "vector", "", -1.0, 1.0, SIZE, description="of the utterance, unit length"),
        ),
        texts=(
            Text(
                *("model", "Model", "microsoft/wavlm-base-plus-sv"),
                description="entry of 'sidechain models', folder, or OWNER/NAME",
            ),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the model; raises ``UserError`` when it, or transformers, is not here, or is no speaker model."""
        self._values = dict(context.parameters)
        self._encoder: Encoder | None = Encoder(context.texts["model"], speaker=True)
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def on_event(self, happening: Happening, block: Array, time: float) -> list[Feature]:
        encoder = self._encoder
        if not starts(happening) or not sounds(block):
            return []
        assert encoder is not None
        embedding = encoder.embed(resampled(block, RATE, encoder.rate))
        number, likeness = self.name(embedding)
        return [
            Feature("speaker", happening.time, likeness, f"speaker {number}"),
            Feature("embedding", happening.time, embedding.tolist()),
        ]

    def name(self, embedding: Array) -> tuple[int, float]:
        """Number of the speaker, from 1, whom an utterance belongs to, and how alike it is to what was heard."""
        likeness = [float(np.dot(m, embedding) / max(float(np.linalg.norm(m)), 1e-12)) for m in self._means]
        best = int(np.argmax(likeness)) if likeness else -1
        full = len(self._means) >= int(self._values["most"])
        if best < 0 or (likeness[best] < self._values["threshold"] and not full):
            self._means.append(embedding.astype(np.float64))
            self._counts.append(1)
            return len(self._means), 1.0
        if likeness[best] >= self._values["threshold"]:
            self._counts[best] = min(self._counts[best] + 1, _MOST_COUNTED)
            self._means[best] += (embedding - self._means[best]) / self._counts[best]
        return best + 1, max(-1.0, min(1.0, likeness[best]))

    def reset(self) -> None:
        """Nobody has spoken yet."""
        self._means: list[np.ndarray] = []
        self._counts: list[int] = []

    def skipped(self, samples: int) -> None:
        """A gap in the sound: the speakers stay who they are."""

    def close(self) -> None:
        self._encoder = None
