"""
Readers for symbolic music: POP909 songs (MIT) and Groove MIDI drum performances (CC BY 4.0).

The folder given is the one that holds ``pop909`` and ``groove``.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import mido
import numpy as np

from models.training.compose.harmony import NAMES
from models.training.score import Hit, Note, Piece, Track, tempo_map
from realtime.errors import UserError

POP909_VAL_STEP = 20
GROOVE_VAL_DRUMMERS = ("drummer5", "drummer9")

FLAT = {
    "Db": "C#",
    "Eb": "D#",
    "Gb": "F#",
    "Ab": "G#",
    "Bb": "A#",
    "Cb": "B",
    "Fb": "E",
    "E#": "F",
    "B#": "C",
}

GROOVE_VOICE = {
    36: "kick",
    35: "kick",
    38: "snare",
    40: "snare",
    37: "rim",
    39: "clap",
    48: "tom_hi",
    50: "tom_hi",
    45: "tom_mid",
    47: "tom_mid",
    43: "tom_lo",
    58: "tom_lo",
    41: "tom_lo",
    46: "open_hat",
    26: "open_hat",
    42: "hat",
    22: "hat",
    44: "pedal_hat",
    49: "crash",
    55: "crash",
    57: "crash",
    52: "crash",
    51: "ride",
    59: "ride",
    53: "ride",
    54: "tamb",
    56: "cowbell",
    70: "shaker",
}


@lru_cache(maxsize=4)
def pop909_songs(data: Path, val: bool) -> tuple[Path, ...]:
    """Song folders of one part; every 20th song in name order is held out for validation."""
    songs = sorted(p.parent for p in (data / "pop909" / "POP909").glob("*/beat_midi.txt"))
    if not songs:
        raise UserError(f"{data}: no pop909/POP909/*/beat_midi.txt in it; give the folder that holds pop909")
    return tuple(s for i, s in enumerate(songs) if (i % POP909_VAL_STEP == 7) == val)


def _midi_notes(path: Path) -> list[tuple[str, int, float, float, int, int]]:
    """``(track, channel, start s, length s, pitch, velocity)`` of every note."""
    midi = mido.MidiFile(path)
    changes = [(0, 500000)]
    for track in midi.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                changes.append((tick, message.tempo))
    changes = sorted(dict(changes).items())
    ticks = np.array([c[0] for c in changes], dtype=float)
    rate = np.array([c[1] for c in changes]) * 1e-6 / midi.ticks_per_beat
    base = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * rate[:-1])])

    def seconds(tick: int) -> float:
        i = int(np.searchsorted(ticks, tick, side="right")) - 1
        return float(base[i] + (tick - ticks[i]) * rate[i])

    notes = []
    for track in midi.tracks:
        tick, open_notes = 0, dict[tuple[int, int], tuple[int, int]]()
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                open_notes[message.channel, message.note] = (tick, message.velocity)
            elif message.type in ("note_on", "note_off") and (message.channel, message.note) in open_notes:
                start, velocity = open_notes.pop((message.channel, message.note))
                at = seconds(start)
                notes.append((track.name, message.channel, at, seconds(tick) - at, message.note, velocity))
    return notes


def pop909(folder: Path) -> Piece:
    """
    Read one song as a piece without drums: bars of four (or three), chords, melody, bridge and piano.

    In 880 songs flag A marks every second beat and B the bar of four; in 29 songs A marks the bar of three.
    """
    rows = np.array(
        [[float(x) for x in line.split()] for line in (folder / "beat_midi.txt").read_text().splitlines()]
    )
    times = rows[:, 0]
    halves, fours = np.flatnonzero(rows[:, 1] > 0), np.flatnonzero(rows[:, 2] > 0)
    triple = Counter(np.diff(halves).tolist()).most_common(1)[0][0] == 3
    marks = halves if triple else fours
    bars = [
        (int(a), int(b - a)) for a, b in zip(marks, [*marks[1:], len(times) - 1], strict=True) if 0 < b - a <= 7
    ]
    piece = Piece("pop", "pop909", times, bars, licences=["MIT (POP909)"])
    tracks = {"MELODY": Track("vocal"), "BRIDGE": Track("lead"), "PIANO": Track("chords", program=0)}
    for name, _, start, length, pitch, velocity in _midi_notes(folder / f"{folder.name}.mid"):
        if name in tracks:
            at, end = float(piece.beat(start)), float(piece.beat(start + length))
            tracks[name].notes.append(Note(at, max(end - at, 0.1), pitch, velocity / 127))
    piece.tracks = [t for t in tracks.values() if t.notes]
    for line in (folder / "chord_midi.txt").read_text().splitlines():
        begin, finish, label = line.split()
        piece.chords.append(
            (float(piece.beat(float(begin))), float(piece.beat(float(finish))), normal_chord(label))
        )
    first = bars[0][0] if bars else 0
    piece.valid = [(float(first), float(piece.beats))]
    return piece


def normal_chord(label: str) -> str:
    """Chord label with sharps and without the bass note."""
    if label == "N" or ":" not in label:
        return "N"
    root, quality = label.split("/")[0].split(":", 1)
    return f"{FLAT.get(root, root)}:{quality.split('(')[0] or 'maj'}"


def transpose(piece: Piece, semitones: int) -> None:
    """Shift notes, chords and keys."""

    def moved(label: str) -> str:
        if label == "N":
            return label
        root, quality = label.split(":", 1)
        return f"{NAMES[(NAMES.index(root) + semitones) % 12]}:{quality}"

    for track in piece.tracks:
        track.notes = [n._replace(pitch=n.pitch + semitones) for n in track.notes]
    piece.chords = [(a, b, moved(c)) for a, b, c in piece.chords]
    piece.key = [(a, b, moved(c)) for a, b, c in piece.key]


@dataclass(frozen=True)
class Performance:
    """One Groove MIDI recording of a beat (not a single fill)."""

    path: Path
    style: str
    bpm: float
    metre: int
    seconds: float


@lru_cache(maxsize=4)
def groove_performances(data: Path, val: bool) -> tuple[Performance, ...]:
    """Performances of at least eight seconds; two drummers are held out for validation."""
    root = data / "groove" / "groove"
    index = root / "info.csv"
    if not index.exists():
        raise UserError(f"{index}: not found; give the folder that holds groove/groove/info.csv")
    out = []
    with index.open(newline="") as file:
        for row in csv.DictReader(file):
            held = row["drummer"] in GROOVE_VAL_DRUMMERS
            if row["beat_type"] != "beat" or held != val or row["time_signature"] not in ("4-4", "3-4"):
                continue
            if float(row["duration"]) < 8:
                continue
            style = re.split(r"[/-]", row["style"])[0]
            out.append(
                Performance(
                    root / row["midi_filename"],
                    style,
                    float(row["bpm"]),
                    int(row["time_signature"][0]),
                    float(row["duration"]),
                )
            )
    return tuple(out)


def groove(performance: Performance, repeats: float, stretch: float) -> Piece:
    """
    Read a performance as a piece of drums only.

    Parameters
    ----------
    repeats : float
        Wanted seconds; shorter performances are looped over whole bars.
    stretch : float
        Tempo factor.
    """
    beat = 60 / performance.bpm
    raw = [(start / beat, GROOVE_VOICE.get(p), v / 127) for _, _, start, _, p, v in _midi_notes(performance.path)]
    metre = performance.metre
    whole = max(metre, round(max((b for b, _, _ in raw), default=metre) / metre) * metre)
    loops = max(1, int(np.ceil(repeats / (whole * beat / stretch))))
    total = min(whole * loops, int(np.ceil(repeats / beat * stretch / metre)) * metre)
    hits = [
        Hit(b + i * whole, v, vel)
        for i in range(loops)
        for b, v, vel in raw
        if v and b < whole and b + i * whole < total
    ]
    piece = Piece(
        f"groove_{performance.style}",
        "groove",
        tempo_map(np.full(total, performance.bpm * stretch)),
        [(b, metre) for b in range(0, total, metre)],
        hits=hits,
        licences=["CC BY 4.0 (Groove MIDI Dataset)"],
        electronic=0.2,
        valid=[(0.0, float(total))],
    )
    _follow(piece)
    return piece


def _follow(piece: Piece) -> None:
    """
    Let the beats follow the drummer, who plays up to 30 ms ahead of the metronome (9 ms in the median).

    The offset of each beat is the median over the hits near it, smoothed over about two bars.
    """
    at = np.array([hit.beat for hit in piece.hits])
    offset = np.full(piece.beats + 1, np.nan)
    for beat in range(piece.beats + 1):
        near = at[np.abs(at - beat) < 0.12] - beat
        if len(near):
            offset[beat] = np.median(near)
    known = np.flatnonzero(~np.isnan(offset))
    if not len(known):
        return
    filled = np.interp(np.arange(len(offset)), known, offset[known])
    window = np.hanning(11)[1:-1]
    padded = np.concatenate([np.repeat(filled[:1], 4), filled, np.repeat(filled[-1:], 4)])
    smooth = np.convolve(padded, window / window.sum(), "valid")
    played = piece.time(at)
    piece.beat_times = piece.time(np.arange(piece.beats + 1) + smooth)
    piece.hits = [hit._replace(beat=float(b)) for hit, b in zip(piece.hits, piece.beat(played), strict=True)]
