"""Sound tags, live: speech, singing, music, applause, silence and the families of instruments."""

from __future__ import annotations

from models.tags.features import INPUT
from models.tags.labels import FAMILIES, SILENCE_DB, TAGS
from models.tags.tagger import EMBEDDING, Tagger
from realtime.hosting.plugin import Array, Context, Descriptor, Feature, Output, Parameter, Plugin

_TOLD = {"silence": "level below the threshold", "applause": "applause-like noise: many small events, also rain"}


class Tags(Plugin):
    """What kind of sound this is, by a small convolutional network, ten times a second."""

    descriptor = Descriptor(
        identifier="tags",
        name="Sound tags",
        description="Silence, speech, singing, music, applause, families of instruments; embedding for similarity",
        maker="Sidechain",
        license="MIT",
        version="2.1.0",
        input=INPUT,
        parameters=(
            Parameter("smoothing", "Smoothing", "s", 0.0, 10.0, 0.5, description="of the tags; longer is calmer"),
            Parameter("silence_db", "Silence below", "dBFS", -90.0, -20.0, SILENCE_DB),
        ),
        outputs=(
            *(Output(t, "value", rate=10.0, description=_TOLD.get(t, f"{t} can be heard")) for t in TAGS),
            Output("embedding", "vector", minimum=-1.0, size=EMBEDDING, rate=10.0, description="unit vector"),
            Output(
                "sound", "label", rate=10.0, description="likeliest of silence, speech, singing, music, applause"
            ),
            Output("instrument", "label", rate=10.0, description="likeliest family of instruments, or empty"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the network; raises ``UserError`` if it is missing."""
        self._tagger = Tagger()
        for identifier, value in context.parameters.items():
            self.parameter(identifier, value)

    def parameter(self, identifier: str, value: float) -> None:
        """Both take effect at once."""
        if identifier == "smoothing":
            self._tagger.smoothing = value
        elif identifier == "silence_db":
            self._tagger.silence_db = value

    def process(self, block: Array, time: float) -> list[Feature]:
        """One hop of 100 ms."""
        values = self._tagger.step(block)
        kinds, families = len(TAGS) - len(FAMILIES), values[-len(FAMILIES) :]
        sound = max(range(kinds), key=values.__getitem__)
        family = max(range(len(FAMILIES)), key=families.__getitem__)
        return [
            *(Feature(tag, time, value) for tag, value in zip(TAGS, values)),
            Feature("embedding", time, self._tagger.embedding),
            Feature("sound", time, None, TAGS[sound]),
            Feature("instrument", time, None, FAMILIES[family] if families[family] >= 0.5 else ""),
        ]

    def reset(self) -> None:
        """Forget all sound."""
        self._tagger.reset()
