"""Words to be told of, found in a transcript."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from models.whisper.transcriber import Word

MOST = 100
_SPACE = re.compile(r"[\W_]+")


class Hit(NamedTuple):
    """A keyword, as the user wrote it, and where it was said: 0 at the start of the text, 1 at its end."""

    keyword: str
    place: float


def parse(text: str) -> tuple[str, ...]:
    """Keywords or phrases, one a line; empty and repeated ones left out, those beyond `MOST` too."""
    lines = (line.strip()[:100] for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if plain(line)))[:MOST]


def plain(text: str) -> str:
    """Small letters, one space between words, no punctuation."""
    return _SPACE.sub(" ", text.casefold()).strip()


def find(keywords: Sequence[str], text: str) -> list[Hit]:
    """All hits in the order of the text: whole words, whatever their case and punctuation."""
    said = f" {plain(text)} "
    found: list[Hit] = []
    for keyword in keywords:
        wanted = f" {plain(keyword)} "
        at = said.find(wanted)
        while at >= 0:
            found.append(Hit(keyword, at / len(said)))
            at = said.find(wanted, at + len(wanted) - 1)
    return sorted(found, key=lambda hit: hit.place)


def moment(hit: Hit, words: Sequence[Word], seconds: float) -> float:
    """Seconds from the start of an utterance to a hit: by the words' own times, else by its place in the text."""
    if not words:
        return hit.place * seconds
    first = plain(hit.keyword).split()[0]
    guess = hit.place * len(words)
    near = [i for i, w in enumerate(words) if first in plain(w.text).split()]
    best = min(near, key=lambda i: abs(i - guess)) if near else min(len(words) - 1, round(guess))
    return max(0.0, min(seconds, words[best].start))
