"""The procedural composer: a style and a seed become a piece."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from models.training.compose import (
    parts,
    pattern,
    styles_band,
    styles_break,
    styles_club,
    styles_game,
    styles_lessons,
    styles_metre,
    styles_more,
    styles_urban,
    styles_world,
)
from models.training.compose.harmony import Chord, Key, progression
from models.training.compose.structure import Section, fixed, plan
from models.training.compose.style import Style
from models.training.compose.tempo import curve, loosened
from models.training.compose.variety import crossed, random_drums
from models.training.rng import chance, log_uniform, pick
from models.training.score import Effect, Hit, Note, Piece, Track, tempo_map

FAMILIES = (
    styles_club,
    styles_break,
    styles_urban,
    styles_band,
    styles_world,
    styles_metre,
    styles_game,
    styles_more,
    styles_lessons,
)
STYLES: dict[str, Style] = {style.name: style for family in FAMILIES for style in family.STYLES}


def draw_style(rng: np.random.Generator) -> Style:
    """A style by weight; nearly a third of them crossed with others."""
    styles = list(STYLES.values())
    style = pick(rng, styles, [s.weight for s in styles])
    return crossed(rng, style, styles) if chance(rng, 0.3) else style


def compose(
    rng: np.random.Generator,
    style: Style,
    seconds: float,
    bpm: float | None = None,
    steady: bool = False,
    form: Sequence[tuple[str, int]] | None = None,
    speed: float = 1.0,
    tame: bool = False,
) -> Piece:
    """
    Compose a piece.

    Parameters
    ----------
    rng : numpy.random.Generator
    style : Style
    seconds : float
        Wanted length at the nominal tempo; the piece is at least that long, but for ramps.
    bpm : float, optional
        Tempo; drawn from the style's range when missing.
    steady : bool
        Constant tempo.
    form : sequence of (str, int), optional
        Kinds of the sections and their bars instead of a drawn form; `seconds` is then not used.
    speed : float
        The sound will be played faster by this factor: a drawn tempo is divided by it, so that what is heard
        keeps the style's tempo (and with it the level of the beat).
    tame : bool
        All usual parts, no changes of metre, a balanced mix.
    """
    tempo = bpm or log_uniform(rng, *style.tempo) * (1.0 if chance(rng, 0.85) else rng.uniform(0.93, 1.07))
    if style.electronic > 0.5 and bpm is None and chance(rng, 0.5):
        tempo = float(round(tempo))
    tempo /= speed if bpm is None else 1.0
    count = int(np.ceil(seconds * tempo / 60 / style.metre)) + 2
    missing = frozenset(
        p
        for p in ("kick", "snare", "hats", "perc", "bass", "chords", "pad")
        if chance(rng, 0.05 if p != "perc" else 0.3) and not (tame and p != "perc")
    ) | frozenset(p for p, keep in (("lead", style.lead), ("vocal", style.vocal)) if not chance(rng, keep))
    sections = fixed(form, missing) if form else plan(rng, style.plan, count, missing)
    bars = _bars(rng, style, sections, 0.0 if tame else 1.0)
    total = bars[-1][0] + bars[-1][1]
    borders = [bars[s.bar][0] for s in sections]
    drift = style.drift if chance(rng, 0.75) else 0.0
    times = tempo_map(curve(rng, tempo, total, drift * float(rng.uniform(0.3, 1.5)), borders, steady))
    if drift and not steady and chance(rng, 0.6):
        times = loosened(rng, times)
    key = Key(int(rng.integers(12)), chance(rng, style.minor))
    per_beat = 3 if style.compound else 4
    swing = float(rng.uniform(*style.swing)) if chance(rng, 0.6) else 0.0
    frame = parts.Frame(style, key, per_beat, swing, int(rng.integers(1 << 20)))
    piece = Piece(style.name, "composer", times, bars, electronic=style.electronic, human=style.human, tame=tame)
    chords = _harmony(rng, frame, bars, sections)
    piece.chords = [(c.start, c.end, c.label) for c in chords]
    piece.key = [(0.0, float(total), key.label)]
    piece.sections = [(float(bars[s.bar][0]), s.label) for s in sections]
    _write(rng, frame, piece, sections, chords)
    piece.valid = valid_spans(piece)
    return piece


def _bars(rng: np.random.Generator, style: Style, sections: list[Section], odd: float) -> list[tuple[int, int]]:
    """Bars with occasional changes of metre: an odd bar before a section, or whole sections in another metre."""
    odd_bars, odd_sections = chance(rng, 0.06 * odd), chance(rng, 0.04 * odd)
    bars: list[tuple[int, int]] = []
    at = 0
    for section in sections:
        metre = style.metre
        if odd_sections and chance(rng, 0.4):
            metre = pick(rng, (3, 4, 2, 5, 6))
        for i in range(section.bars):
            beats = metre
            if odd_bars and i == section.bars - 1 and chance(rng, 0.4):
                beats = max(1, metre + pick(rng, (-2, -1, 1, 2)))
            bars.append((at, beats))
            at += beats
    return bars


def _harmony(
    rng: np.random.Generator, frame: parts.Frame, bars: list[tuple[int, int]], sections: list[Section]
) -> list[Chord]:
    """Chords: a loop for each kind of section, changing on bar lines (at times on the half bar)."""
    style, key = frame.style, frame.key
    seventh = chance(rng, 0.6 if style.name in ("swing", "bossa", "soul", "rnb", "funk") else 0.25)
    span = pick(rng, (1, 2, 4), (0.7, 0.24, 0.06))
    half = chance(rng, style.fast_chords)
    loops: dict[str, tuple[int, ...]] = {}
    default = progression(rng, key)
    chords: list[Chord] = []
    for section in sections:
        loop = loops.setdefault(section.kind, default if chance(rng, 0.6) else progression(rng, key))
        index = 0
        for b in range(section.bar, section.bar + section.bars):
            start, beats = bars[b]
            if (b - section.bar) % span and chords and chords[-1].end == start:
                last = chords[-1]
                chords[-1] = Chord(last.start, start + beats, last.root, last.tones, last.label)
                continue
            cuts = (
                [0.0, beats / 2 if beats % 2 == 0 else beats - 1.0, float(beats)]
                if half and beats > 2
                else [0.0, float(beats)]
            )
            for a, z in pairwise(cuts):
                chords.append(key.chord(loop[index % len(loop)], start + a, start + z, seventh, chance(rng, 0.3)))
                index += 1
    return chords


def _write(
    rng: np.random.Generator, frame: parts.Frame, piece: Piece, sections: list[Section], chords: list[Chord]
) -> None:
    """Write all parts of all sections into the piece."""
    style, bars = frame.style, piece.bars
    steps = style.metre * frame.per_beat
    bases = [pick(rng, style.drums) for _ in range(2)]
    if chance(rng, 0.08):
        bases[int(rng.integers(2))] = random_drums(rng, style.metre, frame.per_beat)
    bass_base, chord_centre, pad_centre = (
        int(rng.integers(28, 41)),
        float(rng.uniform(52, 68)),
        float(rng.uniform(50, 70)),
    )
    lead_centre, vocal_centre, size = (
        int(rng.integers(64, 85)),
        int(rng.integers(52, 72)),
        pick(rng, (2, 3, 3, 4)),
    )
    push = pick(rng, (0.0, 0.25, 0.5)) if not style.compound and chance(rng, 0.25) else 0.0
    tracks = {role: Track(role) for role in ("bass", "chords", "pad", "lead", "vocal")}
    styles_of: dict[str, tuple[dict[str, list[str]], list[str], list[str]]] = {}
    tunes: dict[str, tuple[int, list[Note]]] = {}
    crash = rng.uniform(0.2, 1)
    for number, section in enumerate(sections):
        if section.kind not in styles_of or chance(rng, 0.3):
            base = bases[0] if chance(rng, 0.7) else bases[1]
            lines = [bass_line(rng, frame, steps) for _ in range(pick(rng, (1, 1, 2)))]
            rhythm = pick(rng, style.comp)
            rhythm_bars = [rhythm] if rhythm in ("pad", "arp") else pattern.bars_of(rhythm, steps)
            styles_of[section.kind] = (
                parts.drum_bars(rng, frame, base),
                [x for line in lines for x in line],
                rhythm_bars,
            )
        drum_lines, bass_lines, comp_lines = styles_of[section.kind]
        if section.kind == "half" and style.metre == 4:
            drum_lines = parts.halved(drum_lines, steps)
        start, end = bars[section.bar][0], sum(bars[section.bar + section.bars - 1])
        on = section.parts
        for b in range(section.bar, section.bar + section.bars):
            at, beats = bars[b]
            hits = parts.drums(rng, frame, drum_lines, b - section.bar, at, beats, on)
            kicks = [h.beat for h in hits if h.voice == "kick"]
            piece.hits += hits
            if on["bass"]:
                tracks["bass"].notes += parts.bass(
                    rng, frame, bass_lines, b - section.bar, at, beats, chords, bass_base, kicks
                )
            if on["chords"]:
                tracks["chords"].notes += parts.comp(
                    rng, frame, comp_lines, b - section.bar, at, beats, chords, chord_centre, size, push
                )
            if on["pad"]:
                tracks["pad"].notes += parts.comp(rng, frame, ["pad"], 0, at, beats, chords, pad_centre, size, 0.0)
        for role, centre in (("lead", lead_centre), ("vocal", vocal_centre)):
            if on[role]:
                name = f"{role}/{section.label}"
                if name not in tunes or chance(rng, 0.3):
                    tunes[name] = (
                        start,
                        parts.tune(rng, frame, start, end - start, chords, centre, role == "vocal"),
                    )
                first, notes = tunes[name]
                tracks[role].notes += [
                    n._replace(beat=n.beat - first + start) for n in notes if n.beat - first + start < end
                ]
        _transitions(rng, frame, piece, sections, number, crash, start, end)
    piece.tracks = [track for track in tracks.values() if track.notes]
    piece.hits = [h for h in piece.hits if h.beat >= 0]


def bass_line(rng: np.random.Generator, frame: parts.Frame, steps: int) -> list[str]:
    """Bars of a bass pattern of the style (see `Style.bass`)."""
    text = pick(rng, frame.style.bass)
    if text == "synco":
        return [pattern.synco(rng, steps, frame.per_beat) for _ in range(pick(rng, (1, 1, 2)))]
    if text in ("walk", "sub", "kick"):
        return [text]
    return pattern.bars_of(text, steps)


def _transitions(
    rng: np.random.Generator,
    frame: parts.Frame,
    piece: Piece,
    sections: list[Section],
    number: int,
    crash: float,
    start: int,
    end: int,
) -> None:
    """Crash at the start; fill, roll, riser, filter sweep or a short stop before the end."""
    section = sections[number]
    drums_on = section.parts["kick"] or section.parts["snare"]
    if drums_on and number and chance(rng, crash):
        piece.hits.append(Hit(float(start), "crash", float(rng.uniform(0.6, 1))))
    last = piece.bars[section.bar + section.bars - 1]
    if section.kind == "build" and section.parts["snare"]:
        piece.hits = [h for h in piece.hits if h.beat < start or h.voice not in ("snare", "clap")]
        piece.hits += parts.build_roll(rng, start, end)
    elif drums_on and chance(rng, 0.2 if frame.style.plan == "layers" else 0.6):
        begin = end - pick(rng, (1, 2, min(2, last[1]), last[1]))
        keep = chance(rng, 0.3)
        piece.hits = [h for h in piece.hits if h.beat < begin or (keep and parts.GROUP.get(h.voice) == "kick")]
        piece.hits += [h for h in parts.fill(rng, frame, begin, end) if h.beat < end]
    if section.bars >= 4 and chance(rng, 0.3 if section.kind in ("build", "breakdown", "beatless") else 0.08):
        piece.effects.append(
            Effect(pick(rng, ("riser", "riser", "filter_up")), max(start, end - 4 * last[1]), float(end))
        )
    if number and section.kind in ("drop", "breakdown", "chorus") and chance(rng, 0.3):
        piece.effects.append(Effect(pick(rng, ("impact", "fall")), float(start), float(min(end, start + 8))))
    if chance(rng, 0.06):
        piece.effects.append(Effect("filter_down", float(max(start, end - 8)), float(end)))
    if chance(rng, 0.07):
        piece.effects.append(Effect("choke", float(end - pick(rng, (0.5, 1, 2))), float(end)))


def valid_spans(piece: Piece) -> list[tuple[float, float]]:
    """The span between the first and the last bar with at least two separate attacks (a pulse one can hear)."""
    at = {round(h.beat * 4) / 4 for h in piece.hits}
    for track in piece.tracks:
        at |= {round(n.beat * 4) / 4 for n in track.notes}
    attacks = np.array(sorted(at))
    good = [(s, n) for s, n in piece.bars if np.count_nonzero((attacks >= s) & (attacks < s + n)) >= 2]
    if not good:
        return []
    return [(float(good[0][0]), float(good[-1][0] + good[-1][1]))]
