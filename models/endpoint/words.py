"""What a language model is asked about the moment, and what its answer says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from models.jobs.moment import TEMPO, label, neighbours, number, tags
from realtime.hosting.kinds import Latest

MOST_TAGS = 10
_LONGEST_TAG, _LONGEST_SUMMARY, _MOST_QUESTION = 40, 1500, 1000

SYSTEM = (
    "You describe music and sound that is heard live. Answer with one JSON object and nothing else: "
    '{"tags": ["at most 10 short tags"], "summary": "one or two sentences"}. '
    "Use only what you are given; say so where it is too little."
)


class Answer(NamedTuple):
    """Tags and a summary, bounded."""

    tags: list[str]
    summary: str


def question(request: Mapping[str, str | float], results: Mapping[str, Latest], hears: bool) -> str:
    """The moment in words: tempo, key, section, what is heard, what sounds alike, and what the user asks."""
    lines = []
    tempo = number(request, "bpm", *TEMPO)
    if tempo is not None:
        lines.append(f"Tempo: {tempo:.1f} bpm")
    key = " ".join(str(request.get("key", "")).split())[:40]
    for name, value in (
        ("Key", key),
        ("Chord", label(results, "key.chord")),
        ("Section", label(results, "structure-bar.section", "structure.section")),
        ("Heard by classifiers", ", ".join(tags(results))),
        ("Recognised recording", label(results, "fingerprint.track")),
    ):
        if value:
            lines.append(f"{name}: {value}")
    near = neighbours(results)
    if near:
        lines += ["Nearest recordings in the user's own library:", *(f"- {line}" for line in near)]
    if hears:
        lines.append("The newest seconds of sound are attached.")
    if not lines:
        lines.append("Nothing is known about the sound.")
    asked = " ".join(str(request.get("text", "")).split())[:_MOST_QUESTION]
    if asked:
        lines.append(f"The user asks: {asked}")
    return "\n".join(lines)


def answer(found: Mapping[str, Any]) -> Answer | None:
    """What a completion says; prose that is not the JSON asked for is taken as the summary. None: nothing."""
    try:
        content = found["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return None
    if isinstance(content, list):  # in parts
        content = " ".join(str(p.get("text", "")) for p in content if isinstance(p, dict))
    if not isinstance(content, str) or not content.strip():
        return None
    said = _object(content)
    if said is None:
        return Answer([], _clean(content, _LONGEST_SUMMARY))
    given = said.get("tags")
    words = [_clean(str(t), _LONGEST_TAG) for t in given] if isinstance(given, list) else []
    return Answer(
        list(dict.fromkeys(w for w in words if w))[:MOST_TAGS], _clean(said.get("summary"), _LONGEST_SUMMARY)
    )


def _object(text: str) -> dict[str, Any] | None:
    """The JSON object in a text, with whatever is put around it."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[begin : end + 1]) if 0 <= begin < end else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and ("tags" in found or "summary" in found) else None


def _clean(text: Any, most: int) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text) if isinstance(text, str) else ""
    return " ".join(plain.split())[:most]
