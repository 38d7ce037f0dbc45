"""The music of the moment in words, from what other plugins have said."""

from __future__ import annotations

from collections.abc import Mapping

from realtime.hosting.kinds import Latest

SOURCES = (
    "key.key",
    "key.chord",
    "structure.section",
    "structure.energy",
    "structure-bar.section",
    "tags.*",
    "hub-tags.*",
    "hub-clap.*",
    "genre*.*",
    "mel*cnn.*",
    "similarity.*",
    "fingerprint.*",
)
"""Results that jobs read unless a preset says otherwise; what is not there is not missed."""

OLDEST = 30.0
"""Seconds after which a result no longer speaks of the moment."""

TEMPO = (20.0, 400.0)
"""Tempo that is believed, bpm."""

MOST_TAGS = 8
_SURE = 0.5
_LONGEST = 120
_LABELS = ("tags", "top", "genre", "instrument")
_NOT_TAGS = ("score", "confidence", "progress")
_NO_CLASSIFIERS = ("key", "structure", "structure-bar", "similarity", "fingerprint")
_MOST_NEAR = 10


def fresh(results: Mapping[str, Latest]) -> dict[str, Latest]:
    """Those that are new enough."""
    return {name: r for name, r in results.items() if r.age <= OLDEST}


def label(results: Mapping[str, Latest], *names: str) -> str:
    """The first non-empty label under one of these names, one line of bounded length; else empty."""
    found = fresh(results)
    for name in names:
        if name in found and (text := _line(found[name].label)):
            return text
    return ""


def tags(results: Mapping[str, Latest]) -> list[str]:
    """What is to be heard: labels of classifiers, and names of values near 1, best known first, each once."""
    labels: list[str] = []
    values: list[tuple[float, str]] = []
    for name, r in fresh(results).items():
        plugin, _, output = name.partition(".")
        if plugin in _NO_CLASSIFIERS:
            continue
        if r.label and output in _LABELS:
            labels += [_bare(part) for part in _line(r.label).split(",")]
        elif isinstance(r.value, float) and output not in _NOT_TAGS and _SURE <= r.value <= 1.0:
            values.append((-r.value, output.removeprefix("part_").replace("_", " ")))
    known: dict[str, str] = {}
    for tag in (*labels, *(word for _, word in sorted(values))):
        known.setdefault(tag.lower(), tag)
    known.pop("", None)
    return list(known.values())[:MOST_TAGS]


def neighbours(results: Mapping[str, Latest]) -> list[str]:
    """Pieces that sound alike, as ``similarity`` says it: likeness, place and title."""
    said = fresh(results).get("similarity.neighbours")
    lines = [_line(text) for text in (said.label or "").splitlines()] if said is not None else []
    return [text for text in lines if text][:_MOST_NEAR]


def number(request: Mapping[str, str | float], name: str, lowest: float, highest: float) -> float | None:
    """A number of a request within its range, else None."""
    value = request.get(name)
    return float(value) if isinstance(value, int | float) and lowest <= value <= highest else None


def _line(text: str | None) -> str:
    return " ".join((text or "").split())[:_LONGEST]


def _bare(tag: str) -> str:
    """A tag without the score behind it: 'Guitar 0.41' is 'Guitar'."""
    words = tag.split()
    while words and words[-1].replace(".", "", 1).replace("%", "", 1).isdecimal():
        words.pop()
    return " ".join(words)
