"""The words and the length that music is made to."""

from __future__ import annotations

from typing import Any

import pytest

from models.musicgen.prompt import length, prompt
from tests.fixtures.jobs import said

HEARD = {
    "tags.instrument": said("guitar"),
    "tags.music": said(value=0.98),
    "tags.speech": said(value=0.1),
    "tags.confidence": said(value=0.9),
    "hub-tags.tags": said("Techno 0.83, Guitar 0.41"),
    "key.key": said("A minor"),
    "genre.top": said("polka", age=600.0),
    "genre.sources": said("rules 0.2"),
    "melcnn.part_bass": said(value=0.7),
    "similarity.nearest": said("some file.wav"),
}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"text": "warm  bass", "bpm": 119.6, "key": "A minor"}, "warm bass, HEARD, 120 bpm, in A minor"),
        ({"bpm": 0.0}, "loop, HEARD"),
        ({"text": "x", "tags": ""}, "x"),
        ({"text": "x", "tags": "dub, brass", "bpm": 90}, "x, dub, brass, 90 bpm"),
        ({"text": "y" * 900, "tags": ""}, "y" * 500),
    ],
)
def test_words(request_: dict[str, Any], expected: str) -> None:
    heard = "guitar, Techno, music, bass"
    assert prompt(request_, HEARD, "loop") == expected.replace("HEARD", heard)


@pytest.mark.parametrize(
    ("request_", "seconds"),
    [
        ({}, 8.0),
        ({"seconds": 3}, 3.0),
        ({"bars": 4, "bpm": 120.0}, 8.0),
        ({"bars": 2, "beats": 3, "bpm": 90.0}, 4.0),
    ],
)
def test_length(request_: dict[str, Any], seconds: float) -> None:
    assert length(request_, 8.0) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("request_", "said_"),
    [
        ({"seconds": 31}, "between 1 and 30"),
        ({"seconds": "long"}, "between 1 and 30"),
        ({"bars": 4}, "needs a tempo"),
        ({"bars": 16, "bpm": 60}, "16 bars are 64.0 s at 60 bpm"),
        ({"bars": "x", "bpm": 60}, "between 1 and 64"),
        ({"bars": 1, "beats": 99, "bpm": 60}, "between 1 and 16"),
    ],
)
def test_wrong_lengths(request_: dict[str, Any], said_: str) -> None:
    with pytest.raises(ValueError, match=said_):
        length(request_, 8.0)
