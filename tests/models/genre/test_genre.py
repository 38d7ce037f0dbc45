"""The ensemble: one scale, weights, ages, the second classifier; rules; and the whole way over the host."""

from __future__ import annotations

import json

import pytest

from models.genre.ensemble import Opinion, choose, decide
from models.genre.heuristic import judge
from models.genre.plugin import Genre
from models.genre.rules import GenreRules
from models.genre.vocabulary import DATA, Vocabulary, text, told
from models.melcnn.labels import GENRES
from realtime.hosting.kinds import CombinePlugin, Latest
from realtime.hosting.plugin import Context

WORDS = Vocabulary()


def prepared(kind: type[CombinePlugin], texts: dict[str, str] | None = None, **parameters: float) -> CombinePlugin:
    plugin = kind()
    values = {p.identifier: p.default for p in kind.descriptor.parameters}
    plugin.prepare(Context(values | parameters, "", texts or {}))
    return plugin


def latest(age: float = 0.0, **scores: float) -> dict[str, Latest]:
    """``melcnn__rock=0.4`` as a result of the host."""
    return {n.replace("__", ".").replace("_r", "-r"): Latest(100 - age, v, None, age) for n, v in scores.items()}


def said(plugin: CombinePlugin, *results: dict[str, Latest]) -> dict[str, object]:
    merged = {k: v for r in results for k, v in r.items()}
    return {f.output: f.label if f.value is None else f.value for f in plugin.combine(merged, 100.0) or ()}


# -- one scale ---------------------------------------------------------------------------------------------------


def test_the_data_speaks_one_language() -> None:
    data = json.loads(DATA.read_text())
    genres = set(data["genres"])
    assert set(data["aliases"]) == genres
    assert set(data["rules"]) == genres
    assert set(GENRES) <= genres
    names = [n for group in (data["aliases"], data["names"]) for k, v in group.items() for n in (k, *v)]
    assert len(names) == len(set(names))
    assert all(n == n.lower() for n in names)
    assert set(data["instruments"]) == set(data["names"])
    for weights in data["instruments"].values():
        assert set(weights) <= genres
        assert sum(weights.values()) == pytest.approx(1)


def test_names_of_models_are_genres_of_ours() -> None:
    assert [WORDS.genre(n) for n in ("Hip hop music", "hiphop", "Drum and bass", "Speech")] == [
        "hiphop",
        "hiphop",
        "breaks",
        "",
    ]
    assert WORDS.read({"Techno": 0.5, "House music": 0.3, "Speech": 0.9}) == {"electronic": 0.8}
    assert sum(WORDS.read({"Techno": 0.9, "Jazz": 0.9}).values()) == pytest.approx(1)


def test_texts_of_scores_are_read_back() -> None:
    scores = {"Steel guitar, slide guitar": 0.83, "Rock music": 0.41}
    assert told(text(scores, 5)) == scores
    assert told("") == {}
    assert told("no scores here") == {}


# -- deciding ----------------------------------------------------------------------------------------------------


def test_weights_are_60_20_20() -> None:
    opinions = [
        Opinion("a", 0.6, {"rock": 1.0}, 1.0),
        Opinion("b", 0.2, {"jazz": 1.0}, 2.0),
        Opinion("c", 0.2, {"rock": 0.5, "pop": 0.5}, 0.0),
    ]
    verdict = decide(opinions, ttl=10)
    assert verdict is not None
    assert verdict.scores == pytest.approx({"rock": 0.7, "jazz": 0.2, "pop": 0.1})
    assert verdict.age == 2.0


def test_stale_children_drop_out_and_weights_grow() -> None:
    opinions = [
        Opinion("a", 0.6, {"rock": 1.0}, 11.0),
        Opinion("b", 0.2, {"jazz": 1.0}, 2.0),
        Opinion("c", 0.2, {"pop": 1.0}, 0.0),
    ]
    verdict = decide(opinions, ttl=10)
    assert verdict is not None
    assert verdict.shares == {"b": 0.5, "c": 0.5}
    assert verdict.scores == {"jazz": 0.5, "pop": 0.5}
    assert decide(opinions, ttl=-1) is None
    assert decide([Opinion("a", 0.0, {"rock": 1.0}, 0.0)], ttl=10) is None


def test_the_second_classifier_is_asked_below_70_percent() -> None:
    second = Opinion("second", 0.6, {"jazz": 0.5}, 0.0)
    for sure, name in ((0.71, "first"), (0.69, "second")):
        chosen = choose(Opinion("first", 0.6, {"rock": sure}, 0.0), second, 0.7, 10)
        assert chosen is not None
        assert chosen.name == name
    unsure = Opinion("first", 0.6, {"rock": 0.4}, 0.0)
    assert choose(unsure, None, 0.7, 10) is unsure
    assert choose(unsure, Opinion("second", 0.6, {"jazz": 0.9}, 20.0), 0.7, 10) is unsure
    assert choose(Opinion("first", 0.6, {"rock": 0.9}, 20.0), second, 0.7, 10) is second
    assert choose(None, None, 0.7, 10) is None


# -- the plugin --------------------------------------------------------------------------------------------------


def test_all_three_are_heard() -> None:
    plugin = prepared(Genre, smoothing=0.0)
    found = said(
        plugin,
        latest(melcnn__rock=0.8, melcnn__pop=0.2, melcnn__confidence=0.8, melcnn__part_drums=1.0),
        {"genre-rules.jazz": Latest(99, 1.0, None, 1.0)},
        latest(tags__strings=0.9, tags__silence=0.0),
    )
    assert found["genre"] == "rock"
    assert found["score"] == pytest.approx(0.48)
    assert found["top"] == "rock 0.48, jazz 0.20, classical 0.14"
    assert found["sources"] == "melcnn 0.60, genre-rules 0.20, instruments 0.20"
    assert found["age"] == 1.0


def test_a_transformer_in_words_takes_over_where_the_cnn_is_unsure() -> None:
    plugin = prepared(Genre, smoothing=0.0)
    words = {"hub-tags.tags": Latest(98, None, "Music 0.90, Reggae 0.75, Guitar 0.40", 2.0)}
    unsure = said(plugin, latest(melcnn__rock=0.4, melcnn__pop=0.6), words)
    assert (unsure["genre"], unsure["sources"]) == ("reggae", "hub-tags 1.00")
    sure = said(plugin, latest(melcnn__rock=0.1, melcnn__pop=0.9), words)
    assert (sure["genre"], sure["sources"]) == ("pop", "melcnn 1.00")


def test_any_plugin_may_be_the_classifier_and_name_instruments() -> None:
    texts = {"classifier": "hub-tags", "fallback": "", "instruments": "hub-tags\nmelcnn"}
    plugin = prepared(Genre, texts, smoothing=0.0)
    words = {"hub-tags.tags": Latest(98, None, "Country 0.60, Banjo 0.50", 2.0)}
    assert said(plugin, words)["sources"] == "hub-tags 0.75, instruments 0.25"


def test_nothing_fresh_means_no_genre() -> None:
    plugin = prepared(Genre)
    assert said(plugin, latest(melcnn__rock=1.0))["genre"] == "rock"
    assert said(plugin, latest(13.0, melcnn__rock=1.0))["genre"] == ""
    assert said(plugin)["score"] == 0.0
    plugin.parameter("ttl", 20.0)
    assert said(plugin, latest(13.0, melcnn__rock=1.0))["genre"] == "rock"


def test_scores_are_smooth() -> None:
    plugin = prepared(Genre, smoothing=4.0)
    said(plugin, latest(melcnn__rock=1.0))
    assert said(plugin, latest(melcnn__jazz=1.0))["genre"] == "rock"
    for _ in range(20):
        found = said(plugin, latest(melcnn__jazz=1.0))
    assert found["genre"] == "jazz"


# -- rules -------------------------------------------------------------------------------------------------------


def test_rules_tell_plain_cases() -> None:
    club = {"bpm": 128.0, "drums": 0.9, "low": 0.8, "synth": 0.7, "singing": 0.1, "guitar": 0.0, "strings": 0.0}
    drums = {"bpm": 174.0, "drums": 0.9, "low": 0.9, "synth": 0.1, "guitar": 0.0, "singing": 0.0, "bass": 0.2}
    quartet = {"drums": 0.0, "strings": 0.9, "pulse": 0.1, "low": 0.3, "high": 0.7, "guitar": 0.0, "singing": 0.0}
    for features, genre in ((club, "electronic"), (drums, "breaks"), (quartet, "classical")):
        scores = judge(WORDS.rules, features)
        assert max(scores, key=scores.__getitem__) == genre
        assert sum(scores.values()) == pytest.approx(1)


def test_rules_say_nothing_without_features_and_in_silence() -> None:
    assert judge(WORDS.rules, {"bpm": 120.0}) == {}
    plugin = prepared(GenreRules)
    assert [f.label for f in plugin.combine({}, 1.0) or ()] == ["", ""]
    silent = latest(tags__silence=1.0, tags__drums=0.0, bands__low=0.0)
    assert said(plugin, silent)["genre"] == ""
    assert said(plugin, latest(9.0, tags__drums=0.9, bands__low=0.9))["genre"] == ""


def test_rules_read_the_clock_only_where_it_is_sure() -> None:
    rest = {"tags__drums": 0.9, "bands__low": 0.9}
    slow, fast = (
        said(prepared(GenreRules), latest(transport__bpm=b, transport__confidence=0.9, **rest))
        for b in (90.0, 174.0)
    )
    assert fast["breaks"] > slow["breaks"]
    unsure = said(prepared(GenreRules), latest(transport__bpm=90.0, transport__confidence=0.1, **rest))
    other = said(prepared(GenreRules), latest(transport__bpm=174.0, transport__confidence=0.1, **rest))
    assert unsure == other


@pytest.mark.parametrize("kind", [Genre, GenreRules])
def test_what_is_said_is_declared_and_in_range(kind: type[CombinePlugin]) -> None:
    plugin = prepared(kind)
    odd = latest(
        melcnn__rock=7.0, melcnn__pop=-3.0, tags__drums=1.0, tags__guitar=0.0, bands__low=1.0, bands__mid=0.0
    )
    for feature in plugin.combine(odd | {"hub-tags.tags": Latest(1, None, ", 0.5, x 1.0 y", 0.0)}, 5.0) or ():
        output = kind.descriptor.output(feature.output)
        assert output is not None
        if output.kind == "label":
            assert isinstance(feature.label, str)
        else:
            assert output.minimum <= float(str(feature.value)) <= output.maximum
