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
    "clap*.*",
    "genre*.*",
    "hybrid*.*",
    "mel-cnn*.*",
    "similarity*.*",
)
"""Results that jobs read unless a preset says otherwise; what is not there is not missed."""

OLDEST = 30.0
"""Seconds after which a result no longer speaks of the moment."""

TEMPO = (20.0, 400.0)
"""Tempo that is believed, bpm."""

MOST_TAGS = 8
_SURE = 0.5
_LONGEST = 120
_NOT_TAGS = ("embedding", "score", "confidence", "progress")


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
        if plugin in ("key", "structure", "structure-bar") or plugin.startswith("similarity"):
            continue
        if r.label:
            labels += [_bare(part) for part in _line(r.label).split(",")]
        elif isinstance(r.value, float) and output not in _NOT_TAGS and _SURE <= r.value <= 1.0:
            values.append((-r.value, output.replace("_", " ")))
    known = dict.fromkeys(t for t in (*labels, *(word for _, word in sorted(values))) if t)
    return list(known)[:MOST_TAGS]


def neighbours(results: Mapping[str, Latest]) -> list[str]:
    """What sounds alike, as a plugin ``similarity…`` says it; a line each."""
    found = fresh(results)
    return [_line(found[n].label) for n in sorted(found) if n.startswith("similarity") and found[n].label]


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
