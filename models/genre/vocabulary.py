"""One list of genres for everybody: names that models use, and what instruments hint at. Data, not code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("genres.json")
Scores = dict[str, float]
Spans = tuple[tuple[float, float], ...]

_TOLD = re.compile(r"(?:^|, )(.+?) ([01](?:\.\d+)?)(?=, |\Z)")


class Vocabulary:
    """What the data file says.

    Attributes
    ----------
    genres : tuple of str
    rules : dict of str to dict of str to spans
        For each genre, the ranges within which a feature speaks for it.
    """

    def __init__(self, path: Path = DATA) -> None:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self.genres: tuple[str, ...] = tuple(data["genres"])
        self._genre = _names(data["aliases"])
        self._instrument = _names(data["names"])
        self._hints: dict[str, Scores] = data["instruments"]
        self.rules: dict[str, dict[str, Spans]] = {
            genre: {f: tuple((a, z) for a, z in (v if isinstance(v[0], list) else [v])) for f, v in rule.items()}
            for genre, rule in data["rules"].items()
        }

    def genre(self, name: str) -> str:
        """The genre that a name of some model stands for; empty if it is none."""
        return self._genre.get(name.strip().lower(), "")

    def instrument(self, name: str) -> str:
        """The instrument, likewise."""
        return self._instrument.get(name.strip().lower(), "")

    def read(self, scores: Mapping[str, float]) -> Scores:
        """Scores of any model as scores of genres: names of the same genre are added, the sum is at most 1."""
        found: Scores = {}
        for name, score in scores.items():
            genre = self.genre(name)
            if genre:
                found[genre] = found.get(genre, 0.0) + min(1.0, max(0.0, score))
        return scaled(found)

    def hints(self, instruments: Mapping[str, float]) -> Scores:
        """What instruments, with how sure they are (0–1), say of genres; sums to 1, or is empty."""
        found: Scores = {}
        for name, score in instruments.items():
            instrument = self.instrument(name)
            for genre, weight in self._hints.get(instrument, {}).items():
                found[genre] = found.get(genre, 0.0) + weight * min(1.0, max(0.0, score))
        total = sum(found.values())
        return {g: s / total for g, s in found.items()} if total > 0.05 else {}


def _names(groups: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: key for key, others in groups.items() for name in (key, *others)}


def scaled(scores: Scores) -> Scores:
    """The same on one scale: 0–1, together at most 1 (models that decide on each label alone say more)."""
    total = sum(scores.values())
    return {g: s / total for g, s in scores.items()} if total > 1 else scores


def told(text: str) -> Scores:
    """Scores out of a text such as ``'Music 0.83, Steel guitar, slide guitar 0.41'``."""
    return {name: float(score) for name, score in _TOLD.findall(text)}


def text(scores: Mapping[str, float], most: int) -> str:
    """The best of them as such a text."""
    best = sorted(scores.items(), key=lambda s: (-s[1], s[0]))[:most]
    return ", ".join(f"{name} {score:.2f}" for name, score in best)
