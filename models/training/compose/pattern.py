"""Pattern strings: reading, mutating and laying them over bars."""

from __future__ import annotations

import numpy as np

from models.training.compose.harmony import Chord
from models.training.compose.style import LEVEL
from models.training.rng import chance, pick


def bars_of(text: str, steps: int) -> list[str]:
    """Split a pattern into bars of `steps` steps; shorter strings repeat, longer ones cover several bars."""
    whole = [part for part in text.split("|") if part]
    out: list[str] = []
    for part in whole:
        if len(part) >= steps:
            out += [part[i : i + steps].ljust(steps, ".") for i in range(0, len(part), steps)]
        else:
            out.append((part * (-(-steps // len(part))))[:steps])
    return out


def mutate(rng: np.random.Generator, bars: list[str], voice: str, steps_per_beat: int) -> list[str]:
    """Change a few steps: drop, add, move; hats change their subdivision."""
    out = [list(bar) for bar in bars]
    rate = {"kick": 0.35, "snare": 0.25, "clap": 0.2}.get(voice, 0.5)
    for bar in out:
        while chance(rng, rate):
            at = int(rng.integers(len(bar)))
            if bar[at] == ".":
                bar[at] = pick(rng, "xog?")
            elif at % steps_per_beat or chance(rng, 0.2):
                bar[at] = "."
            rate *= 0.7
    return ["".join(bar) for bar in out]


def hat_line(rng: np.random.Generator, steps: int, steps_per_beat: int) -> str:
    """A generic hat pattern: on-beats, off-beats, eighths, sixteenths, tresillo-like groups."""
    half = max(steps_per_beat // 2, 1)
    kind = pick(rng, ("off", "eighth", "sixteenth", "beat", "group", "accent_off"), (3, 3, 2, 1, 1, 2))
    cells = []
    for i in range(steps):
        place = i % steps_per_beat
        on, off = place == 0, (place == half and steps_per_beat != 3) or (steps_per_beat == 3 and place == 2)
        if kind == "off":
            cells.append("X" if off else ".")
        elif kind == "eighth":
            cells.append("x" if on else "o" if off else ".")
        elif kind == "sixteenth":
            cells.append("x" if on or off else "o")
        elif kind == "beat":
            cells.append("x" if on else ".")
        elif kind == "accent_off":
            cells.append("X" if off else "g")
        else:
            cells.append("x" if i % 3 == 0 else ".")
    return "".join(cells)


def synco(rng: np.random.Generator, steps: int, steps_per_beat: int) -> str:
    """A random syncopated bass bar; the first step is played in most bars but not all."""
    density = rng.uniform(0.2, 0.55)
    cells = ["."] * steps
    for i in range(steps):
        strong = i % steps_per_beat == 0
        if rng.random() < density * (0.6 if strong else 1.0):
            cells[i] = pick(rng, "RRRR85r73")
    if chance(rng, 0.8):
        cells[0] = "R"
    for i in range(steps - 1):
        if cells[i] not in ".-" and cells[i + 1] == "." and chance(rng, 0.5):
            cells[i + 1] = "-"
    return "".join(cells)


def level(rng: np.random.Generator, symbol: str) -> float:
    """Velocity of a step symbol; 0 for a rest (``?`` sounds in half of the bars)."""
    if symbol == "?":
        return 0.6 if chance(rng, 0.5) else 0.0
    return LEVEL.get(symbol, 0.0)


def bass_pitch(rng: np.random.Generator, code: str, chord: Chord, following: Chord, base: int) -> int:
    """MIDI pitch of a bass code over a chord; `base` is the lowest pitch of the register."""
    root = base + (chord.root - base) % 12
    third = chord.tones[1] if len(chord.tones) > 1 else 7
    if code == "a":
        goal = base + (following.root - base) % 12
        return goal + pick(rng, (-1, 1, -2, 2))
    if code == "r":
        return root + pick(rng, (0, 0, third, 7, 12, 10))
    return root + {"R": 0, "8": 12, "5": 7, "3": third, "7": 10, "6": 9}.get(code, 0)
