"""People, places, organisations … in a transcript: spaCy reads each line that is said."""

from __future__ import annotations

import importlib
from typing import Any

from realtime.errors import NotFetched, UserError
from realtime.hosting.kinds import EventPlugin, Happening
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Text

EXTRA = "pip install 'sidechain[entities]'"
MOST = 50
"""Entities of one line."""


class Entities(EventPlugin):
    """An event for each entity in the label of another plugin's event; the sound is not heard."""

    descriptor = Descriptor(
        identifier="entities",
        name="Named entities in the transcript (spaCy)",
        description="People, places, organisations …, in what 'whisper' has understood",
        maker="Explosion (spaCy)",
        license="MIT; the model's own licence (en_core_web_sm: MIT)",
        version="1.0.0",
        kind="event",
        input=AudioInput(16_000, channels=1, hop=1600),
        sources=("whisper.text",),
        patience=30.0,
        memory_mb=4096,
        parameters=(Parameter("sure", "Least sureness", "", 0.0, 1.0, 0.0, description="of the transcript"),),
        outputs=(
            Output("entity", "event", "", 0.0, 1.0, description="label 'PERSON: Ada Lovelace'; value: sureness"),
            Output("found", "label", description="all entities of the newest line, '; ' between them"),
        ),
        texts=(
            Text("model", "Model", "en_core_web_sm", description="an installed spaCy pipeline, or its folder"),
            Text("kinds", "Kinds", "", live=True, description="PERSON, GPE …, one a line; empty: all"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the pipeline; raises ``UserError`` when it, or spaCy, is not here."""
        self._values = dict(context.parameters)
        self.text("kinds", context.texts["kinds"])
        name = context.texts["model"]
        try:
            spacy = importlib.import_module("spacy")
        except Exception as e:  # a broken build fails in many ways
            said = str(e).splitlines()[0] if str(e) else type(e).__name__
            raise NotFetched(f"needs spaCy ({said}): {EXTRA}; the transcript works without") from e
        try:
            self._read: Any = spacy.load(name)
        except OSError as e:
            raise NotFetched(f"no spaCy pipeline '{name}' here; get it by: python -m spacy download {name}") from e
        except Exception as e:  # it raises what it likes
            said = (str(e).strip().splitlines() or [type(e).__name__])[0]
            raise UserError(f"spaCy pipeline '{name}' cannot be read ({said[:300]})") from e

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def text(self, identifier: str, value: str) -> None:
        self._kinds = {line.strip().upper() for line in value.splitlines() if line.strip()}

    def on_event(self, happening: Happening, block: Array, time: float) -> list[Feature]:
        sureness = happening.value if isinstance(happening.value, float) else 1.0
        if not happening.label or sureness < self._values["sure"]:
            return []
        entities = [e for e in self._read(happening.label).ents if not self._kinds or e.label_ in self._kinds]
        told = [f"{e.label_}: {e.text}"[:200] for e in entities][:MOST]
        value = max(0.0, min(1.0, sureness))
        found = [Feature("entity", happening.time, value, t) for t in told]
        return [*found, Feature("found", happening.time, None, "; ".join(told)[:1900])]

    def close(self) -> None:
        self._read = None
