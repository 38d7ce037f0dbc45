"""Entities of a transcript: a pipeline of spaCy's own making, where the extra ``entities`` is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.whisper.entities import Entities
from realtime.errors import NotFetched, UserError
from realtime.hosting.kinds import Happening
from realtime.hosting.plugin import Context

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)
LINE = "Tonight Ada Lovelace plays in London."


class StandIn:
    """The part of a pipeline that is used: ``nlp(text).ents`` with ``text`` and ``label_``."""

    def __call__(self, text: str) -> Any:
        known = {"Ada Lovelace": "PERSON", "London": "GPE"}
        return SimpleNamespace(ents=[SimpleNamespace(text=k, label_=v) for k, v in known.items() if k in text])


def load(name: str) -> StandIn:
    if name == "here":
        return StandIn()
    raise ValueError("config.cfg is\nbroken") if name == "broken" else OSError("[E050] Can't find model")


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", SimpleNamespace(load=load))


def prepared(model: str, kinds: str = "", sure: float = 0.0) -> Entities:
    plugin = Entities()
    plugin.prepare(Context({"sure": sure}, texts={"model": model, "kinds": kinds}))
    return plugin


def told(
    plugin: Entities, line: str | None, value: float | None = 0.5
) -> list[tuple[str, float, object, str | None]]:
    happening = Happening("whisper.text", 3.0, value, line)
    return [tuple(f) for f in plugin.on_event(happening, np.zeros(1600, np.float32), 3.0)]


def test_each_entity_is_an_event(package: None) -> None:
    assert told(prepared("here"), LINE) == [
        ("entity", 3.0, 0.5, "PERSON: Ada Lovelace"),
        ("entity", 3.0, 0.5, "GPE: London"),
        ("found", 3.0, None, "PERSON: Ada Lovelace; GPE: London"),
    ]
    assert told(prepared("here"), "Nobody anywhere.") == [("found", 3.0, None, "")]
    assert told(prepared("here"), None) == []


def test_some_kinds_alone_and_no_guesses(package: None) -> None:
    plugin = prepared("here", kinds="gpe")
    assert [label for output, *_, label in told(plugin, LINE) if output == "entity"] == ["GPE: London"]
    plugin.text("kinds", "PERSON\nORG")
    assert [label for output, *_, label in told(plugin, LINE) if output == "entity"] == ["PERSON: Ada Lovelace"]
    assert told(prepared("here", sure=0.6), LINE) == []


def test_what_is_not_here_says_how_to_get_it(package: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFetched, match="python -m spacy download nothing"):
        prepared("nothing")
    with pytest.raises(UserError, match=r"'broken' cannot be read \(config.cfg is\)"):
        prepared("broken")
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(NotFetched, match=r"sidechain\[entities\].*; the transcript works without"):
        prepared("here")


def test_a_real_pipeline_from_a_folder(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy", reason="needs pip install 'sidechain[entities]'")
    made = spacy.blank("en")
    made.add_pipe("entity_ruler").add_patterns(
        [{"label": "PERSON", "pattern": "Ada Lovelace"}, {"label": "GPE", "pattern": "London"}]
    )
    made.to_disk(tmp_path / "pipeline")
    assert told(prepared(str(tmp_path / "pipeline")), LINE)[-1][-1] == "PERSON: Ada Lovelace; GPE: London"
    with pytest.raises(NotFetched, match="python -m spacy download nothing_like_this"):
        prepared("nothing_like_this")
