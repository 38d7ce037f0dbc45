"""Form: which sections follow each other and which parts play in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.training.rng import chance, pick

PARTS = ("kick", "snare", "hats", "perc", "bass", "chords", "pad", "lead", "vocal")

# Probability that each of PARTS plays in a section of this kind.
ACTIVITY: dict[str, tuple[float, ...]] = {
    "intro": (0.6, 0.5, 0.7, 0.6, 0.35, 0.5, 0.5, 0.2, 0.1),
    "beatless": (0.0, 0.0, 0.12, 0.12, 0.35, 0.8, 0.7, 0.4, 0.25),
    "drums": (0.95, 0.85, 0.9, 0.8, 0.1, 0.05, 0.1, 0.05, 0.05),
    "verse": (0.95, 0.93, 0.93, 0.6, 0.9, 0.8, 0.4, 0.2, 0.75),
    "chorus": (1.0, 0.97, 0.97, 0.8, 0.97, 0.95, 0.6, 0.6, 0.8),
    "build": (0.6, 0.8, 0.7, 0.5, 0.4, 0.7, 0.6, 0.4, 0.3),
    "drop": (1.0, 0.95, 0.95, 0.8, 0.95, 0.7, 0.5, 0.6, 0.25),
    "groove": (1.0, 0.9, 0.95, 0.7, 0.85, 0.5, 0.4, 0.25, 0.2),
    "breakdown": (0.0, 0.08, 0.2, 0.2, 0.35, 0.85, 0.8, 0.5, 0.4),
    "bass_only": (0.1, 0.1, 0.3, 0.3, 1.0, 0.2, 0.1, 0.1, 0.2),
    "vocal_only": (0.0, 0.0, 0.1, 0.1, 0.1, 0.3, 0.4, 0.0, 1.0),
    "bridge": (0.5, 0.5, 0.6, 0.5, 0.8, 0.9, 0.7, 0.4, 0.5),
    "half": (0.95, 0.95, 0.9, 0.5, 0.9, 0.8, 0.5, 0.5, 0.4),
    "offbeat": (0.15, 0.2, 1.0, 0.4, 0.95, 0.9, 0.2, 0.3, 0.2),
    "silence": (0.0,) * 9,
    "outro": (0.8, 0.6, 0.8, 0.6, 0.5, 0.5, 0.5, 0.2, 0.1),
}

LABEL = {
    "beatless": "intro", "drums": "verse", "groove": "verse", "bass_only": "breakdown", "vocal_only": "breakdown",
    "half": "drop", "offbeat": "breakdown", "silence": "breakdown",
}  # fmt: skip

PLANS: dict[str, tuple[tuple[str, ...], ...]] = {
    "club": (
        ("drums", "groove", "breakdown", "build", "drop", "drop", "breakdown", "build", "drop", "outro"),
        ("intro", "groove", "groove", "offbeat", "groove", "breakdown", "drop", "drums"),
        ("beatless", "build", "drop", "drop", "bass_only", "drop", "breakdown", "drop"),
        ("groove", "drop", "silence", "drop", "half", "drop", "breakdown", "drop"),
        ("drums", "drums", "groove", "vocal_only", "drop", "drop"),
    ),
    "epic": (
        ("drums", "groove", "breakdown", "breakdown", "build", "drop", "drop", "outro"),
        ("beatless", "beatless", "build", "drop", "drop", "offbeat", "drop"),
        ("groove", "breakdown", "build", "silence", "drop", "drop", "half", "drop"),
    ),
    "song": (
        ("intro", "verse", "verse", "chorus", "verse", "chorus", "bridge", "chorus", "outro"),
        ("beatless", "verse", "chorus", "verse", "chorus", "breakdown", "chorus"),
        ("verse", "verse", "chorus", "bass_only", "chorus", "half", "chorus"),
        ("drums", "verse", "build", "chorus", "verse", "vocal_only", "chorus"),
        ("chorus", "verse", "verse", "bridge", "chorus", "chorus"),
        ("beatless", "beatless", "verse", "chorus", "verse", "chorus"),
    ),
    "game": (
        ("beatless", "build", "drop", "verse", "build", "drop", "breakdown", "build", "drop", "drop"),
        ("drop", "verse", "half", "chorus", "silence", "drop", "breakdown", "chorus"),
        ("intro", "verse", "chorus", "half", "breakdown", "build", "chorus", "drop"),
        ("chorus", "verse", "offbeat", "drop", "silence", "half", "drop", "chorus"),
    ),
    "ambient": (
        ("beatless", "beatless", "intro", "verse", "beatless", "verse"),
        ("beatless", "breakdown", "intro", "bridge", "beatless"),
        ("intro", "bridge", "verse", "breakdown", "verse"),
    ),
}


@dataclass(frozen=True)
class Section:
    """A section: first bar, number of bars, kind, and which parts play."""

    bar: int
    bars: int
    kind: str
    parts: dict[str, bool]

    @property
    def label(self) -> str:
        """Public name of the section's kind."""
        return LABEL.get(self.kind, self.kind)


def plan(rng: np.random.Generator, name: str, bars: int, missing: frozenset[str]) -> list[Section]:
    """
    Lay out about `bars` bars (exactly, the last section is cut).

    Parameters
    ----------
    missing : frozenset of str
        Parts that this piece does not have at all.
    """
    if name == "layers" or (name in ("club", "epic", "game") and chance(rng, 0.2)):
        return layers(rng, bars, missing)
    kinds = pick(rng, PLANS[name])
    if name != "ambient" and chance(rng, 0.12):
        kinds = ("beatless", *kinds)
    start = int(rng.integers(len(kinds))) if chance(rng, 0.5) else 0
    lengths = pick(rng, ((4, 8), (8,), (8, 16), (4,), (4, 8, 12), (6, 8, 7)), (4, 4, 2, 2, 1, 0.6))
    sections: list[Section] = []
    first = 0
    while first < bars:
        kind = kinds[(start + len(sections)) % len(kinds)]
        length = pick(rng, lengths)
        if kind == "silence":
            length = pick(rng, (1, 1, 2, 2, 4, 8))
        elif kind in ("half", "offbeat", "vocal_only", "bass_only"):
            length = min(length, 8)
        if chance(rng, 0.04):
            length += pick(rng, (-1, 1, 2))
        length = max(1, min(length, bars - first))
        parts = {p: p not in missing and chance(rng, a) for p, a in zip(PARTS, ACTIVITY[kind], strict=True)}
        if kind != "silence" and not any(parts.values()):
            parts["chords" if "chords" not in missing else "hats"] = True
        sections.append(Section(first, length, kind, parts))
        first += length
    if not any(s.parts["kick"] or s.parts["snare"] or s.parts["hats"] for s in sections) and name != "ambient":
        longest = max(range(len(sections)), key=lambda i: sections[i].bars)
        parts = dict(sections[longest].parts, hats=True, kick="kick" not in missing, snare="snare" not in missing)
        sections[longest] = replace(sections[longest], parts=parts)
    return sections


def layers(rng: np.random.Generator, bars: int, missing: frozenset[str]) -> list[Section]:
    """
    Loop music: blocks of 2, 4, 8 or 16 bars, in each of which one or two parts enter or leave.

    The bar is told by these entries as much as by anything else.
    """
    usual = [p for p in PARTS if p not in missing]
    size = pick(rng, (2, 4, 4, 8, 8, 16))
    first = pick(
        rng,
        (
            ("kick",),
            ("chords",),
            ("bass",),
            ("lead",),
            ("pad",),
            ("hats",),
            ("kick", "bass"),
            ("kick", "snare", "hats"),
        ),
    )
    on = {p: p in first and p not in missing for p in PARTS}
    if not any(on.values()):
        on[pick(rng, usual or ["chords"])] = True
    sections, at = [], 0
    while at < bars:
        length = min(size, bars - at)
        sections.append(Section(at, length, "groove" if on["kick"] or on["snare"] else "breakdown", dict(on)))
        at += length
        off = [p for p in usual if not on[p]]
        playing = [p for p in usual if on[p]]
        for _ in range(pick(rng, (1, 1, 2))):
            if off and (len(playing) < 3 or chance(rng, 0.65)):
                on[pick(rng, off)] = True
            elif len(playing) > 1:
                on[pick(rng, playing)] = False
        if chance(rng, 0.08):
            on = {p: p in usual and chance(rng, 0.75) for p in PARTS}
        if not any(on.values()):
            on[pick(rng, usual or ["chords"])] = True
    return sections


def fixed(form: Sequence[tuple[str, int]], missing: frozenset[str]) -> list[Section]:
    """Sections of a given form, ``(kind, bars)``: every part plays that is usual in the kind."""
    sections, first = [], 0
    for kind, length in form:
        usual = zip(PARTS, ACTIVITY[kind], strict=True)
        sections.append(Section(first, length, kind, {p: p not in missing and a >= 0.35 for p, a in usual}))
        first += length
    return sections
