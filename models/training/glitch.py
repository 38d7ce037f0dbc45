"""Producers' tricks on the finished mix: stutters, gates, tape stops, reverses, fades, lo-fi. The beat goes on."""

from __future__ import annotations

import numpy as np

from models.training import fx
from models.training.rng import chance, log_uniform, pick
from models.training.score import Piece


def stutter(x: np.ndarray, a: int, z: int, slice_length: int) -> None:
    """Repeat the first slice of a span through the span, in place."""
    piece = x[a : a + slice_length].copy()
    fade = min(48, len(piece) // 4)
    if fade:
        piece[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    for at in range(a, z, slice_length):
        n = min(slice_length, z - at, len(piece))
        x[at : at + n] = piece[:n]


def tape_stop(x: np.ndarray, a: int, z: int) -> None:
    """Slow down to a standstill, in place."""
    u = np.linspace(0, 1, z - a)
    place = a + (u - u**2 / 2) * (z - a)
    x[a:z] = np.interp(place, np.arange(len(x)), x) * np.minimum(1, 8 * (1 - u))


def gate(
    x: np.ndarray, piece: Piece, start: float, a: float, z: float, rate: float, cells: str, per_beat: int
) -> None:
    """Rhythmic gate over beats `a` to `z` from a pattern of ``x`` and ``.``, in place."""
    step = round((z - a) * per_beat)
    for i in range(step):
        if cells[i % len(cells)] == "x":
            continue
        lo, hi = (round((float(piece.time(a + (i + d) / per_beat)) - start) * rate) for d in (0, 1))
        if 0 <= lo < hi <= len(x):
            n = min(60, (hi - lo) // 3)
            x[lo : lo + n] *= np.linspace(1, 0.05, n, dtype=np.float32)
            x[lo + n : hi] *= np.float32(0.05)


def glitches(rng: np.random.Generator, piece: Piece, x: np.ndarray, start: float, rate: float) -> None:
    """Random tricks near the ends of bars, more in game music and club styles, in place."""
    eager = 0.5 if piece.style in ("jcore", "speedcore", "artcore", "dubstep", "hard_dance", "chiptune") else 0.12
    if not chance(rng, eager * (0.3 + piece.electronic)):
        return
    every = pick(rng, (4, 8, 8, 16))
    for i, (bar, beats) in enumerate(piece.bars):
        if i % every != every - 1 or not chance(rng, 0.5):
            continue
        length = pick(rng, (0.5, 1, 1, 2, float(beats)))
        first, last = bar + beats - length, float(bar + beats)
        a, z = (round((float(piece.time(b)) - start) * rate) for b in (first, last))
        if a < 1 or z > len(x) - 1 or z - a < 1000:
            continue
        kind = pick(rng, ("stutter", "stutter", "tape", "reverse", "gate", "stop"))
        beat = (z - a) / length
        if kind == "stutter":
            stutter(x, a, z, max(200, int(beat * pick(rng, (0.125, 0.25, 0.25, 0.5, 1 / 3, 1 / 6)))))
        elif kind == "tape":
            tape_stop(x, a, z)
        elif kind == "reverse":
            x[a:z] = x[a:z][::-1].copy() * np.linspace(0.2, 1, z - a, dtype=np.float32)
        elif kind == "gate":
            gate(
                x, piece, start, first, last, rate, "".join("x" if chance(rng, 0.6) else "." for _ in range(8)), 4
            )
        else:
            x[a:z] *= np.float32(0.02)


def finish_mix(rng: np.random.Generator, piece: Piece, x: np.ndarray, start: float, rate: float) -> np.ndarray:
    """Glitches, trance gates, fades, lo-fi resampling and bit reduction, vinyl crackle."""
    glitches(rng, piece, x, start, rate)
    level = float(np.sqrt(np.mean(x**2))) + 1e-6
    if chance(rng, 0.08):
        n = min(len(x), int(rng.uniform(2, 14) * rate))
        x[:n] *= np.linspace(0, 1, n, dtype=np.float32) ** 2
    if chance(rng, 0.05):
        n = min(len(x), int(rng.uniform(3, 14) * rate))
        x[-n:] *= np.linspace(1, 0, n, dtype=np.float32) ** 2
    if chance(rng, 0.05):
        hold = int(rng.integers(2, 6))
        x = np.repeat(x[::hold], hold)[: len(x)]
    if chance(rng, 0.05):
        steps = 2.0 ** rng.integers(4, 9)
        peak = float(np.max(np.abs(x))) + 1e-9
        x = np.asarray(np.round(x / peak * steps) / steps * peak, dtype=np.float32)
    if chance(rng, 0.05):
        crackle = (rng.random(len(x)) < 10 / rate) * rng.normal(0, 3, len(x)) * level * rng.uniform(0.3, 2)
        x = x + fx.equalise(crackle.astype(np.float32), [fx.biquad("high_pass", 700, 0.7, 0, rate)])
    if chance(rng, 0.06):
        x = fx.sweep(
            x,
            *(
                (9000.0, log_uniform(rng, 300, 2000))
                if chance(rng, 0.5)
                else (log_uniform(rng, 300, 2000), 9000.0)
            ),
            True,
            rate,
        )
    return x
