"""Writes the parts of a section: drums, fills, bass, chords, arpeggios, melodies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training.compose import pattern, variety
from models.training.compose.harmony import Chord, Key, melody, motif, voicing
from models.training.compose.style import Style
from models.training.rng import chance, pick
from models.training.score import Hit, Note

GROUP = {
    "kick": "kick",
    "snare": "snare",
    "clap": "snare",
    "rim": "snare",
    "hat": "hats",
    "open_hat": "hats",
    "pedal_hat": "hats",
    "ride": "hats",
    "crash": "hats",
}


@dataclass
class Frame:
    """What all part writers of a piece need: style, grid, swing, harmony."""

    style: Style
    key: Key
    per_beat: int
    swing: float
    seed: int

    def place(self, bar_start: int, step: int) -> float:
        """Beat position of a grid step, swung on the finest subdivision."""
        pos = step / self.per_beat
        if self.per_beat == 4 and self.swing and step % 2 == 1:
            pos += self.swing / 12
        return bar_start + pos


def drum_bars(rng: np.random.Generator, frame: Frame, base: dict[str, str]) -> dict[str, list[str]]:
    """A section's own variant of a drum pattern."""
    steps = frame.style.metre * frame.per_beat
    out = {}
    for voice, text in base.items():
        bars = pattern.bars_of(text, steps)
        if GROUP.get(voice) == "hats" and chance(rng, 0.3):
            bars = [pattern.hat_line(rng, steps, frame.per_beat)]
        if voice in ("hat", "ride", "shaker") and chance(rng, 0.08):
            bars = [variety.hat_variant(rng, frame.style.metre) for _ in range(pick(rng, (1, 2)))]
        out[voice] = pattern.mutate(rng, bars, voice, frame.per_beat) if chance(rng, 0.5) else bars
    if "clap" in out and "snare" not in out and chance(rng, 0.4):
        out["snare"] = out.pop("clap") if chance(rng, 0.6) else list(out["clap"])
    if chance(rng, 0.2):
        for voice, text in variety.extra_percussion(rng, steps).items():
            out.setdefault(voice, pattern.bars_of(text, steps))
    if chance(rng, 0.15):
        for voice in ("shaker", "tamb", "conga_hi", "cowbell"):
            if voice not in out and chance(rng, 0.3):
                out[voice] = [pattern.hat_line(rng, steps, frame.per_beat)]
    return out


def halved(bars: dict[str, list[str]], steps: int) -> dict[str, list[str]]:
    """Half-time version of drum bars: kick and snare stretched over two bars, hats as they are."""
    out = {}
    for voice, lines in bars.items():
        if GROUP.get(voice) in ("kick", "snare"):
            stretched = []
            for line in lines:
                wide = "".join(c + "." for c in line)
                stretched += [wide[:steps], wide[steps : 2 * steps]]
            out[voice] = stretched
        else:
            out[voice] = lines
    return out


def drums(
    rng: np.random.Generator,
    frame: Frame,
    bars: dict[str, list[str]],
    bar: int,
    start: int,
    beats: int,
    parts: dict[str, bool],
) -> list[Hit]:
    """One bar of drums; a bar longer or shorter than the style's metre repeats or cuts the pattern."""
    hits = []
    for voice, lines in bars.items():
        if not parts[GROUP.get(voice, "perc")]:
            continue
        line = lines[bar % len(lines)]
        grid = len(line) // frame.style.metre
        for step in range(beats * grid):
            velocity = pattern.level(rng, line[step % len(line)])
            if velocity:
                velocity = float(np.clip(velocity * (1 + rng.normal(0, 0.04 + 4 * frame.style.human)), 0.08, 1))
                at = frame.place(start, step) if grid == frame.per_beat else start + step / grid
                hits.append(Hit(at, voice, velocity))
    return hits


def fill(rng: np.random.Generator, frame: Frame, start: float, end: float) -> list[Hit]:
    """A drum fill over a span of beats."""
    kind = pick(rng, ("roll", "toms", "syncopated", "stutter", "stop", "flam"), (3, 3, 3, 2, 2, 1))
    steps = round((end - start) * frame.per_beat)
    hits = []
    toms = ("tom_hi", "tom_mid", "tom_lo")
    for i in range(steps):
        at, u = start + i / frame.per_beat, i / max(steps, 1)
        if kind == "roll":
            hits.append(Hit(at, "snare", 0.4 + 0.55 * u))
        elif kind == "toms":
            if chance(rng, 0.8):
                hits.append(
                    Hit(
                        at,
                        toms[min(2, int(3 * u))] if chance(rng, 0.8) else "snare",
                        float(rng.uniform(0.5, 1)),
                    )
                )
        elif kind == "syncopated":
            if chance(rng, 0.5):
                hits.append(
                    Hit(
                        at,
                        pick(rng, ("snare", "kick", "tom_mid", "clap", "snare")),
                        float(rng.uniform(0.5, 1)),
                    )
                )
        elif kind == "stutter":
            hits.append(Hit(at, pick(rng, ("kick", "snare")), 0.8))
            if u > 0.5:
                hits.append(Hit(at + 0.5 / frame.per_beat, "snare", 0.7))
        elif kind == "flam" and i % 2 == 0:
            hits += [Hit(at, "snare", 0.9), Hit(at + 0.04, "tom_lo", 0.6)]
    return hits


def build_roll(rng: np.random.Generator, start: int, end: int) -> list[Hit]:
    """Accelerating snare (or clap, kick) roll of a build-up."""
    voice = pick(rng, ("snare", "snare", "clap", "kick", "tom_mid"))
    hits, at, length = [], float(start), end - start
    while at < end - 1e-6:
        u = (at - start) / length
        hits.append(Hit(at, voice, 0.35 + 0.6 * u))
        at += 1.0 if u < 0.5 else 0.5 if u < 0.75 else 0.25
    return hits


def bass(
    rng: np.random.Generator,
    frame: Frame,
    lines: list[str],
    bar: int,
    start: int,
    beats: int,
    chords: list[Chord],
    base: int,
    kicks: list[float],
) -> list[Note]:
    """One bar of bass from pattern codes; "kick" follows the bass drum, "walk" walks in beats, "sub" holds."""
    line = lines[bar % len(lines)]

    def at(pos: float) -> int:
        return next((i for i, c in enumerate(chords) if c.start <= pos + 1e-6 < c.end), len(chords) - 1)

    def pitch(pos: float, code: str) -> int:
        i = at(pos)
        return pattern.bass_pitch(rng, code, chords[i], chords[min(i + 1, len(chords) - 1)], base)

    if line == "kick":
        own = sorted(k for k in kicks if start <= k < start + beats)
        return [
            Note(
                k,
                min(0.9, (own[i + 1] if i + 1 < len(own) else start + beats) - k) * 0.9,
                pitch(k, "R"),
                0.85,
            )
            for i, k in enumerate(own)
        ]
    if line == "walk":
        codes = ["R", *pick(rng, (("3", "5", "a"), ("5", "8", "a"), ("r", "5", "a"), ("3", "r", "a")))]
        return [Note(start + b, 0.85, pitch(start + b, codes[b % 4]), 0.7) for b in range(beats)]
    if line == "sub":
        inside = [c for c in chords if c.end > start and c.start < start + beats]
        return [
            Note(max(c.start, start), min(c.end, start + beats) - max(c.start, start), pitch(c.start, "R"), 0.8)
            for c in inside
        ]
    notes: list[Note] = []
    count = beats * frame.per_beat
    codes_line = (line * (-(-count // len(line))))[:count]
    for step, code in enumerate(codes_line):
        if code in ".-":
            continue
        hold = 1
        while step + hold < count and codes_line[step + hold] == "-":
            hold += 1
        pos = frame.place(start, step)
        tight = 0.7 if hold == 1 and chance(rng, 0.5) else 0.95
        notes.append(
            Note(
                pos,
                hold / frame.per_beat * tight,
                pitch(pos, code),
                float(np.clip(rng.normal(0.8, 0.08), 0.4, 1)),
            )
        )
    return notes


def comp(
    rng: np.random.Generator,
    frame: Frame,
    lines: list[str],
    bar: int,
    start: int,
    beats: int,
    chords: list[Chord],
    centre: float,
    size: int,
    push: float,
) -> list[Note]:
    """One bar of chords: a rhythm pattern, an arpeggio or a held pad. `push` anticipates changes (in beats)."""
    inside = [c for c in chords if c.end > start and c.start < start + beats]
    line = lines[bar % len(lines)]
    notes: list[Note] = []
    if line == "pad":
        for c in inside:
            first, last = max(c.start, start), min(c.end, start + beats)
            notes += [Note(first, last - first, p, 0.6) for p in voicing(frame.seed, c, centre, size)]
        return notes
    if line == "arp":
        shape = frame.seed % 4
        every = (
            frame.per_beat
            if shape == 3 and frame.per_beat == 3
            else max(1, frame.per_beat // 2 if frame.seed % 3 == 0 else 1)
        )
        for step in range(0, beats * frame.per_beat, every):
            pos = frame.place(start, step)
            c = next((x for x in inside if x.start <= pos + 1e-6 < x.end), inside[-1])
            tones = voicing(frame.seed, c, centre, max(size, 3))
            tones = tones[::-1] if shape == 1 else tones + tones[-2:0:-1] if shape == 2 else tones
            i = step // every
            notes.append(
                Note(
                    pos,
                    every / frame.per_beat * 0.9,
                    tones[i % len(tones)],
                    0.75 if step % frame.per_beat == 0 else 0.6,
                )
            )
        return notes
    count = beats * frame.per_beat
    cells = (line * (-(-count // len(line))))[:count]
    for step, symbol in enumerate(cells):
        if symbol not in "xXo":
            continue
        hold = 1
        while step + hold < count and cells[step + hold] == "-":
            hold += 1
        pos = frame.place(start, step)
        c = next((x for x in inside if x.start <= pos + push + 1e-6 < x.end), inside[-1])
        early = push if push and step == 0 and chance(rng, 0.7) else 0.0
        velocity = float(np.clip(rng.normal(0.75 if symbol != "o" else 0.5, 0.05), 0.2, 1))
        for p in voicing(frame.seed, c, centre, size):
            notes.append(Note(pos - early, hold / frame.per_beat * 0.9 + early, p, velocity))
    return notes


def tune(
    rng: np.random.Generator,
    frame: Frame,
    start: int,
    beats: int,
    chords: list[Chord],
    centre: int,
    vocal: bool,
) -> list[Note]:
    """A melody over a section: a motif of two to four bars, repeated and varied, with rests."""
    unit = frame.style.metre * pick(rng, (1, 2, 2, 4))
    grid = frame.per_beat if chance(rng, 0.5) else max(1, frame.per_beat // 2)
    if vocal:
        grid = max(1, frame.per_beat // 2) if chance(rng, 0.6) else frame.per_beat
    rhythm = motif(rng, unit, grid, float(rng.uniform(0.2, 0.7)), float(rng.uniform(0, 0.7)))
    notes: list[Note] = []
    state, at = centre, start
    while at < start + beats:
        if chance(rng, 0.25):
            rhythm = motif(rng, unit, grid, float(rng.uniform(0.2, 0.7)), float(rng.uniform(0, 0.7)))
        if not (vocal and chance(rng, 0.15)):
            part, state = melody(rng, rhythm, chords, at, frame.key, state)
            state = int(np.clip(state, centre - 9, centre + 9))
            notes += [
                Note(pos, min(length, start + beats - pos), p, float(rng.uniform(0.6, 0.95)))
                for pos, length, p in part
                if pos < start + beats
            ]
        at += unit
    return notes
