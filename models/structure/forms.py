"""Forms of whole pieces for this training: long sections, parts that leave, build-ups that rise.

The composer's own plans change every few bars and name sections that sound alike; a set, and a light show, goes
by sections of 8 to 32 bars that differ in what plays. The composer writes a form with every usual part; here parts
are taken out again, softened, and build-ups are given what makes them one.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from models.training.compose.parts import GROUP
from models.training.rng import chance, pick
from models.training.score import Effect, Hit, Note, Piece, Track

Form = list[tuple[str, int]]
CLUB = (
    "drums groove breakdown build drop groove breakdown build drop outro",
    "beatless build drop groove breakdown build drop outro",
    "intro groove build drop breakdown build drop drums",
    "groove drop breakdown drop groove breakdown build drop",
    "beatless groove breakdown drop groove vocal_only build drop outro",
    "drums groove bass_only build drop verse build drop",
    "verse build drop verse breakdown build drop outro",
)
SONG = (
    "intro verse chorus verse chorus breakdown chorus outro",
    "beatless verse build chorus verse build chorus breakdown chorus",
    "verse chorus verse chorus bridge build chorus",
    "intro verse verse chorus vocal_only chorus verse chorus",
    "chorus verse build drop verse breakdown build drop",
)
BARS: dict[str, tuple[int, ...]] = {"build": (4, 8, 8, 8, 16), "breakdown": (8, 8, 16), "vocal_only": (4, 8)}
"""Lengths of a section in bars at about 120 beats a minute; other kinds: see :func:`draw_form`."""
STAYS: dict[str, dict[str, float]] = {
    "breakdown": {"bass": 0.3, "chords": 0.75, "pad": 0.8, "lead": 0.5, "vocal": 0.6},
    "beatless": {"bass": 0.3, "chords": 0.75, "pad": 0.8, "lead": 0.5, "vocal": 0.5},
    "build": {"kick": 0.4, "hats": 0.5, "perc": 0.4, "bass": 0.3, "chords": 0.75, "pad": 0.8, "lead": 0.5},
    "groove": {"snare": 0.85, "hats": 0.85, "bass": 0.85, "chords": 0.45, "pad": 0.3, "lead": 0.2, "vocal": 0.3},
    "verse": {"hats": 0.9, "bass": 0.9, "chords": 0.8, "pad": 0.3, "lead": 0.2, "vocal": 0.9},
    "intro": {"kick": 0.6, "snare": 0.5, "hats": 0.7, "bass": 0.4, "chords": 0.5, "lead": 0.3, "vocal": 0.1},
    "outro": {"snare": 0.6, "hats": 0.8, "bass": 0.6, "chords": 0.5, "pad": 0.4, "lead": 0.2},
    "drop": {"vocal": 0.5, "pad": 0.8},
}
"""Chance that a part stays in a kind of section; 1 where it is not listed."""
SOFTER = {"breakdown": 0.75, "beatless": 0.75, "verse": 0.85, "groove": 0.85, "intro": 0.8, "outro": 0.85}


def draw_form(rng: np.random.Generator, electronic: bool, bar_seconds: float, seconds: float) -> Form:
    """Kinds of the sections with their bars, about `seconds` long: from a random place of a plan on, if long."""
    kinds = pick(rng, CLUB if electronic or chance(rng, 0.25) else SONG).split()
    usual = pick(rng, ((8,), (8, 16), (16,))) if electronic else (8,)
    double = 2 if bar_seconds < 1.3 and chance(rng, 0.6) else 1
    form = [(kind, double * pick(rng, BARS.get(kind, usual))) for kind in kinds]
    first, total = 0, sum(bars for _, bars in form) * bar_seconds
    while total > seconds * 1.15 and first < len(form) - 4 and chance(rng, 0.5):
        total -= form[first][1] * bar_seconds
        first += 1
    out: Form = []
    left = seconds
    for kind, bars in form[first:]:
        if left > 0:
            out.append((kind, bars))
            left -= bars * bar_seconds
    return out


def dress(rng: np.random.Generator, piece: Piece, form: Form) -> None:
    """Take parts out of a piece that was composed in `form`, and make its build-ups rise."""
    first = 0
    gone: list[tuple[str, float, float]] = []
    softer: list[tuple[float, float, float]] = []
    kept: dict[str, set[str]] = {}
    for kind, count in form:
        bars = piece.bars[first : first + count]
        first += count
        if not bars:
            break
        start, end = float(bars[0][0]), float(sum(bars[-1]))
        if kind not in kept or chance(rng, 0.3):
            kept[kind] = {p for p in ("kick", "snare", "hats", "perc", *_roles(piece)) if _stays(rng, kind, p)}
        parts = kept[kind]
        all_parts = {"kick", "snare", "hats", "perc", *_roles(piece)}
        gone += [(p, start, end) for p in all_parts - parts if not (p == "snare" and kind == "build")]
        softer.append((start, end, SOFTER.get(kind, 1.0)))
        if kind == "build":
            gone += _rise(rng, piece, start, end)
    piece.hits = [h for h in piece.hits if not _in(gone, GROUP.get(h.voice, "perc"), h.beat)]
    for track in piece.tracks:
        track.notes = [
            n._replace(velocity=n.velocity * _scale(softer, n.beat))
            for n in track.notes
            if not _in(gone, track.role, n.beat)
        ]
    piece.tracks = [t for t in piece.tracks if t.notes]


def _roles(piece: Piece) -> Iterable[str]:
    return [t.role for t in piece.tracks]


def _stays(rng: np.random.Generator, kind: str, part: str) -> bool:
    return chance(rng, STAYS.get(kind, {}).get(part, 1.0))


def _in(gone: list[tuple[str, float, float]], part: str, beat: float) -> bool:
    return any(p == part and a <= beat < z for p, a, z in gone)


def _scale(softer: list[tuple[float, float, float]], beat: float) -> float:
    return next((s for a, z, s in softer if a <= beat < z), 1.0)


def _rise(rng: np.random.Generator, piece: Piece, start: float, end: float) -> list[tuple[str, float, float]]:
    """Riser, filter, climbing notes, a gap before the end; returns the parts that leave in it."""
    gone: list[tuple[str, float, float]] = []
    rolls = chance(rng, 0.75)
    piece.effects = [e for e in piece.effects if e.end <= start or e.beat >= end]
    if not rolls:
        gone.append(("snare", start, end))
    elif chance(rng, 0.5):
        _roll(rng, piece, start, end)
    if not rolls or chance(rng, 0.6):
        begin = start if chance(rng, 0.6) else (start + end) / 2
        piece.effects.append(Effect("riser", begin, end))
    if chance(rng, 0.4):
        piece.effects.append(Effect("filter_up", start, end))
    if chance(rng, 0.4):
        low, unit = int(rng.integers(52, 68)), pick(rng, (0.25, 0.5, 1.0))
        count = int((end - start) / unit)
        span = pick(rng, (12, 19, 24))
        rise = [
            Note(start + k * unit, 0.8 * unit, low + span * k // count, 0.4 + 0.5 * k / count)
            for k in range(count)
        ]
        piece.tracks.append(Track("lead", rise))
    if chance(rng, 0.5):
        middle = (start + end) / 2 if chance(rng, 0.5) else end - 4
        gone += [("kick", middle, end), ("bass", middle, end)]
    if chance(rng, 0.35):
        piece.effects.append(Effect("choke", end - pick(rng, (0.5, 1.0, 2.0)), end))
    return gone


def _roll(rng: np.random.Generator, piece: Piece, start: float, end: float) -> None:
    """A roll in place of the composer's, in steps of the section's quarters, to 32nds at times."""
    voices = ("snare", "clap", "tom_mid")
    piece.hits = [h for h in piece.hits if not (start <= h.beat < end and h.voice in voices)]
    voice = pick(rng, voices)
    units = pick(rng, ((1.0, 1.0, 0.5, 0.25), (1.0, 0.5, 0.25, 0.125), (0.5, 0.5, 0.25, 0.25), (0.25,) * 4))
    quarters = np.linspace(start, end, 5).tolist()
    for unit, (a, z) in zip(units, pairwise(quarters)):
        for at in np.arange(a, z - 1e-6, unit).tolist():
            piece.hits.append(Hit(at, voice, 0.3 + 0.65 * (at - start) / (end - start)))
