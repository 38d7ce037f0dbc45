"""The newest sound as a vector, by a published encoder: for search by likeness, or anybody's own classifier."""

from __future__ import annotations

from models.dsp.resampled import resampled
from models.hub.classifier import sounds
from models.hub.encoder import Encoder
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
WINDOW = 30.0
SIZE = 512


class HubEmbed(Plugin):
    """The embedding of the newest window, by CLAP, Whisper's encoder, wav2vec2, HuBERT, WavLM and their like."""

    descriptor = Descriptor(
        identifier="hub-embed",
        name="Embedding by a published transformer",
        description="CLAP, Whisper's encoder, wav2vec2, HuBERT, WavLM …: the newest sound as one vector",
        maker="Sidechain; the model's own authors",
        license="MIT; the model's own licence (laion's CLAP: Apache-2.0)",
        version="1.0.0",
        input=AudioInput(RATE, channels=1, hop=2 * RATE, window=round(WINDOW * RATE)),
        lane="slow",
        latency=5.0,
        patience=60.0,
        memory_mb=6144,
        parameters=(
            Parameter(
                *("seconds", "Window", "s", 0.5, WINDOW, 10.0),
                description="of the newest sound; CLAP hears 10 s at most",
            ),
        ),
        outputs=(
            Output(
                *("embedding", "vector", "", -1.0, 1.0, SIZE, 0.5),
                description="unit length; 512 values with the default model, else as many as the model gives",
            ),
        ),
        texts=(
            Text(
                *("model", "Model", "laion/clap-htsat-unfused"),
                description="entry of 'sidechain models', folder, or OWNER/NAME",
            ),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the model; raises ``UserError`` when it, or transformers, is not here."""
        self._values = dict(context.parameters)
        self._encoder: Encoder | None = Encoder(context.texts["model"])

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        encoder = self._encoder
        assert encoder is not None
        sound = block[-max(1, round(self._values["seconds"] * RATE)) :]
        if not sounds(sound):
            return []
        embedding = encoder.embed(resampled(sound, RATE, encoder.rate))
        return [Feature("embedding", time, embedding.tolist())]

    def close(self) -> None:
        self._encoder = None
