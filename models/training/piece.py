"""Draws pieces for a seed: composed, from POP909, from Groove MIDI; completes them with composed parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.training import symbolic
from models.training.compose import parts
from models.training.compose.composer import STYLES, bass_line, compose, draw_style, valid_spans
from models.training.compose.harmony import NAMES, Chord, Key, progression
from models.training.rng import chance, is_val, pick, stream
from models.training.score import Hit, Piece, Track

POP_STYLES = (
    "rock",
    "electro_pop",
    "house",
    "ballad",
    "soul",
    "funk",
    "hiphop",
    "trap",
    "disco",
    "reggaeton",
    "bossa",
    "punk",
    "latin_pop",
    "rnb",
    "breakbeat",
    "country",
    "dancehall",
    "garage",
)
TRIPLE_STYLES = ("waltz", "three_pop")
TAME = 0.35
"""Share of pieces mixed as a producer would; the rest are wilder than good taste allows."""


def draw(
    seed: int, source: str, data: Path | None, seconds: float, speed: float = 1.0, tame: bool | None = None
) -> Piece:
    """
    The piece of a seed, at least `seconds` long where the source allows.

    Parameters
    ----------
    source : str
        composer, pop909 or groove.
    data : pathlib.Path or None
        Folder with ``pop909`` and ``groove``.
    speed : float
        Later playing speed, which the tempo makes up for.
    tame : bool, optional
        See `Piece.tame`; drawn when missing.
    """
    rng = stream(seed, "piece", source)
    if tame is None:
        tame = chance(stream(seed, "taste"), TAME)
    if source == "composer" or data is None:
        return compose(rng, draw_style(rng), seconds, speed=speed, tame=tame)
    if source == "pop909":
        piece = _pop(rng, symbolic.pop909_songs(data, is_val(seed)), speed)
    else:
        piece = _groove(rng, symbolic.groove_performances(data, is_val(seed)), seconds, speed)
    piece.tame = tame
    return piece


def _pop(rng: np.random.Generator, songs: tuple[Path, ...], speed: float) -> Piece:
    piece = symbolic.pop909(pick(rng, songs))
    symbolic.transpose(piece, int(rng.integers(-6, 6)))
    bpm = 60 / float(np.median(np.diff(piece.beat_times)))
    low, high = (80.0, 190.0) if _triple(piece) else (58.0, 160.0)
    wanted = float(np.clip(bpm * np.exp(rng.uniform(np.log(0.78), np.log(1.4))), min(low, bpm), max(high, bpm)))
    piece.beat_times = piece.beat_times * (bpm / wanted * speed)
    style = STYLES[pick(rng, TRIPLE_STYLES if _triple(piece) else POP_STYLES)]
    piece.style, piece.electronic = (
        f"pop_{style.name}",
        float(np.clip(style.electronic + rng.normal(0, 0.2), 0, 1)),
    )
    piece.human = 0.005
    keep = pick(rng, ("all", "drums", "none", "no_piano"), (6, 2, 1.2, 1.5))
    if keep == "no_piano":
        piece.tracks = [t for t in piece.tracks if t.role != "chords"]
    if keep == "none":
        piece.style = "pop_nodrums"
        return piece
    frame = parts.Frame(style, Key(0, True), 4, float(rng.uniform(*style.swing)), int(rng.integers(1 << 20)))
    _add_drums(rng, frame, piece)
    chords = _as_chords(piece)
    if chords and chance(rng, 0.7):
        _add_bass(rng, frame, piece, chords)
    if chords and chance(rng, 0.3):
        role = pick(rng, ("pad", "chords"))
        lines = [pick(rng, style.comp)] if chance(rng, 0.5) else ["pad"]
        track = Track(role)
        for i, (at, beats) in enumerate(piece.bars):
            track.notes += parts.comp(rng, frame, lines, i, at, beats, chords, float(rng.uniform(52, 66)), 3, 0.0)
        piece.tracks.append(track)
    return piece


def _triple(piece: Piece) -> bool:
    return bool(piece.bars) and piece.bars[len(piece.bars) // 2][1] == 3


def _as_chords(piece: Piece) -> list[Chord]:
    """Chord objects for the part writers; stretches without a chord repeat the last one."""
    shapes = {
        "min": (0, 3, 7),
        "dim": (0, 3, 6),
        "aug": (0, 4, 8),
        "sus4": (0, 5, 7),
        "min7": (0, 3, 7, 10),
        "maj7": (0, 4, 7, 11),
        "7": (0, 4, 7, 10),
    }
    out: list[Chord] = []
    for start, end, label in piece.chords:
        if label == "N":
            continue
        root, quality = label.split(":", 1)
        begin = out[-1].end if out else 0.0
        if out and start > begin:
            out[-1] = Chord(out[-1].start, start, out[-1].root, out[-1].tones, out[-1].label)
        out.append(Chord(start if out else 0.0, end, NAMES.index(root), shapes.get(quality, (0, 4, 7)), label))
    if out:
        out[-1] = Chord(out[-1].start, piece.beats + 8.0, out[-1].root, out[-1].tones, out[-1].label)
    return out


def _add_drums(rng: np.random.Generator, frame: parts.Frame, piece: Piece) -> None:
    """Composed drums over the bars, changing every eight or so, with fills, rests and half-time stretches."""
    steps = frame.style.metre * frame.per_beat
    lines = parts.drum_bars(rng, frame, pick(rng, frame.style.drums))
    silent = 0
    if chance(rng, 0.5):
        silent = pick(rng, (2, 4, 8, 12))
    on = {"kick": True, "snare": True, "hats": True, "perc": chance(rng, 0.6)}
    active, current = on, lines
    unit = pick(rng, (4, 8, 8, 16))
    for i, (at, beats) in enumerate(piece.bars):
        if i % unit == 0:
            current = lines if chance(rng, 0.6) else parts.drum_bars(rng, frame, pick(rng, frame.style.drums))
            if chance(rng, 0.1) and frame.style.metre == 4:
                current = parts.halved(current, steps)
            active = on
            if chance(rng, 0.12):
                active = {k: v and chance(rng, 0.4) for k, v in on.items()}
            if i and chance(rng, 0.5) and active is on:
                piece.hits.append(Hit(float(at), "crash", 0.8))
        if i < silent:
            continue
        piece.hits += parts.drums(rng, frame, current, i, at, beats, active)
        if i % unit == unit - 1 and active is on and chance(rng, 0.6):
            begin = at + beats - pick(rng, (1, min(2, beats), beats))
            piece.hits = [h for h in piece.hits if h.beat < begin]
            piece.hits += [h for h in parts.fill(rng, frame, begin, at + beats) if h.beat < at + beats]


def _add_bass(rng: np.random.Generator, frame: parts.Frame, piece: Piece, chords: list[Chord]) -> None:
    lines = bass_line(rng, frame, frame.style.metre * frame.per_beat)
    kicks = sorted(h.beat for h in piece.hits if h.voice == "kick")
    track, base = Track("bass"), int(rng.integers(28, 41))
    rest = pick(rng, (0, 0, 4, 8))
    for i, (at, beats) in enumerate(piece.bars[rest:]):
        track.notes += parts.bass(rng, frame, lines, i, at, beats, chords, base, kicks)
    piece.tracks.append(track)


def _groove(
    rng: np.random.Generator, performances: tuple[symbolic.Performance, ...], seconds: float, speed: float
) -> Piece:
    performance = pick(rng, performances)
    piece = symbolic.groove(performance, seconds, float(np.exp(rng.uniform(np.log(0.85), np.log(1.25)))) / speed)
    if chance(rng, 0.25):
        return piece
    options = [s for s in STYLES.values() if s.metre == performance.metre and not s.compound]
    near = [s for s in options if s.name in performance.style or performance.style in s.name]
    style = pick(rng, near) if near and chance(rng, 0.6) else pick(rng, options)
    key = Key(int(rng.integers(12)), chance(rng, style.minor))
    frame = parts.Frame(style, key, 4, float(rng.uniform(*style.swing)), int(rng.integers(1 << 20)))
    loop, span = progression(rng, key), pick(rng, (1, 1, 2))
    chords = [
        key.chord(loop[(i // span) % len(loop)], float(at), float(at + beats), chance(rng, 0.2))
        for i, (at, beats) in enumerate(piece.bars)
    ]
    piece.chords = [(c.start, c.end, c.label) for c in chords]
    piece.key = [(0.0, float(piece.beats), key.label)]
    piece.human = 0.006
    if chance(rng, 0.85):
        _add_bass(rng, frame, piece, chords)
    if chance(rng, 0.7):
        line, track, centre = pick(rng, style.comp), Track("chords"), float(rng.uniform(52, 66))
        for i, (at, beats) in enumerate(piece.bars):
            rhythm = [line] if line in ("pad", "arp") else [line[: beats * 4]]
            track.notes += parts.comp(rng, frame, rhythm, i, at, beats, chords, centre, 3, 0.0)
        piece.tracks.append(track)
    for role, centre in (("lead", 72), ("vocal", 62)):
        if chance(rng, 0.3):
            notes = parts.tune(rng, frame, 0, piece.beats, chords, centre, role == "vocal")
            piece.tracks.append(Track(role, notes))
    piece.valid = valid_spans(piece)
    return piece
