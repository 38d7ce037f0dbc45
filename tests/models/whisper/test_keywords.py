"""Keywords in a transcript: whole words and phrases, whatever case and punctuation."""

from __future__ import annotations

import pytest

from models.whisper.keywords import MOST, Hit, find, moment, parse
from models.whisper.transcriber import Word


@pytest.mark.parametrize(
    ("keywords", "text", "found"),
    [
        (["drop"], "And now: the DROP!", ["drop"]),
        (["drop"], "raindrops, dropped", []),
        (["Black out"], "… black-out, please; black  out", ["Black out", "Black out"]),
        (["go", "go go"], "Go, go!", ["go", "go go", "go"]),
        (["straße"], "In der STRASSE", ["straße"]),
        (["now"], "", []),
        (["света"], "Больше света.", ["света"]),
    ],
)
def test_hits(keywords: list[str], text: str, found: list[str]) -> None:
    assert sorted(h.keyword for h in find(keywords, text)) == sorted(found)


def test_hits_come_in_the_order_of_the_text() -> None:
    assert [h.keyword for h in find(["two", "one"], "one two one")] == ["one", "two", "one"]


def test_lists_are_cleaned_and_bounded() -> None:
    assert parse(" drop \n\n...\ndrop\nblack out") == ("drop", "black out")
    assert len(parse("\n".join(f"w{i}" for i in range(2 * MOST)))) == MOST


def test_a_moment_is_that_of_the_word_nearest_to_it() -> None:
    words = [Word(w, float(i)) for i, w in enumerate(["go", "we", "must", "go", "now"])]
    first, second = find(["go"], "Go! We must go now.")
    assert [moment(h, words, 5.0) for h in (first, second)] == [0.0, 3.0]
    assert moment(Hit("absent", 0.5), words, 5.0) == 2.0


def test_without_word_times_it_is_the_place_in_the_text() -> None:
    (hit,) = find(["end"], "this is not yet the end")
    assert 7.0 < moment(hit, (), 10.0) < 10.0
