"""Noise that is made: steady, pulsing, tonal, dripping, ticking, chopping."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import signal

from models.training import fx
from models.training.rng import log_uniform
from models.training.room import pink

F32 = npt.NDArray[np.float32]
Rng = np.random.Generator


def made_noise(rng: Rng, length: int, rate: int) -> F32:
    """`length` samples of one kind of noise."""
    kinds = (_swells, _machine, _knocks, _drops, _ticks, _chopped, _engine, _band)
    base = pink(rng, length, float(rng.uniform(0, 1.0))).astype(np.float32)
    if rng.random() < 0.15:
        return base
    return np.asarray(kinds[int(rng.integers(len(kinds)))](rng, base, rate), np.float32)


def _swells(rng: Rng, base: F32, rate: int) -> F32:
    """Wind, waves, passing cars: levels that wander, slowly or at the pace of syllables."""
    points = int(log_uniform(rng, 4, 60))
    shape = np.interp(np.linspace(0, 1, len(base)), np.linspace(0, 1, points), 10 ** rng.normal(0, 0.4, points))
    return np.asarray(base * shape, np.float32)


def _machine(rng: Rng, base: F32, rate: int) -> F32:
    """Hum with harmonics, which may drift."""
    drift = 1 + 0.02 * np.cumsum(rng.standard_normal(len(base) // 2400 + 2)) * float(rng.random() < 0.5)
    hertz = log_uniform(rng, 45, 400) * np.interp(np.arange(len(base)) / 2400, np.arange(len(drift)), drift)
    phase = 2 * np.pi * np.cumsum(hertz) / rate
    tone = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, int(rng.integers(2, 12))))
    return np.asarray(np.float32(rng.uniform(0.1, 1.0)) * base / base.std() + tone, np.float32)


def _engine(rng: Rng, base: F32, rate: int) -> F32:
    """Saws and motors: a pulse train of uneven strength through a broad resonance, revving up and down."""
    points = int(rng.integers(3, 12))
    hertz = log_uniform(rng, 25, 180) * 2 ** np.interp(
        np.linspace(0, 1, len(base)), np.linspace(0, 1, points), rng.normal(0, 0.3, points)
    )
    turn = np.floor(np.cumsum(hertz) / rate)
    pulses = np.diff(turn, prepend=0.0) * rng.uniform(0.4, 1, len(base))
    body = fx.equalise(
        pulses.astype(np.float32) * 12,
        [fx.biquad("peak", log_uniform(rng, 200, 3000), 1, 15, rate) for _ in range(3)],
    )
    return np.asarray(body + base / base.std() * np.float32(rng.uniform(0.05, 0.6)), np.float32)


def _knocks(rng: Rng, base: F32, rate: int) -> F32:
    """Knocks and clicks at any time."""
    hits = np.zeros(len(base), np.float32)
    for at in rng.uniform(0, max(1, len(base) - 0.2 * rate), int(rng.integers(4, 40))):
        n = min(int(log_uniform(rng, 0.002, 0.12) * rate), len(base) - int(at))
        hits[int(at) :][:n] += (rng.standard_normal(n) * np.exp(-5 * np.arange(n) / n)).astype(np.float32)
    band = fx.biquad("peak", log_uniform(rng, 150, 5000), 2, 15, rate)
    return np.asarray(base / base.std() * np.float32(0.02) + fx.equalise(hits, [band]), np.float32)


def _drops(rng: Rng, base: F32, rate: int) -> F32:
    """Rain and crackling: very many short clicks of very different strength."""
    dense = rng.random(len(base)) < log_uniform(rng, 20, 3000) / rate
    clicks = dense * rng.standard_normal(len(base)) * np.exp(rng.normal(0, 1, len(base)))
    band = fx.biquad("peak", log_uniform(rng, 500, 8000), 1, 12, rate)
    hits = fx.equalise(np.asarray(clicks, np.float32), [band])
    return np.asarray(hits / (hits.std() + 1e-6) + base / base.std() * np.float32(rng.uniform(0, 0.7)), np.float32)


def _ticks(rng: Rng, base: F32, rate: int) -> F32:
    """A clock: two ticks that take turns."""
    period = int(log_uniform(rng, 0.12, 1.2) * rate)
    out = base / base.std() * np.float32(log_uniform(rng, 0.003, 0.1))
    tick = [_tick(rng, rate) for _ in range(2)]
    for k, at in enumerate(range(int(rng.integers(period)), len(base), period)):
        part = tick[k % 2][: len(base) - at]
        out[at : at + len(part)] += part
    return np.asarray(out, np.float32)


def _tick(rng: Rng, rate: int) -> F32:
    n = int(log_uniform(rng, 0.01, 0.15) * rate)
    t = np.arange(n) / rate
    ring = np.sin(2 * np.pi * log_uniform(rng, 800, 7000) * t) + 0.7 * rng.standard_normal(n)
    return np.asarray(ring * np.exp(-6 * t * rate / n), np.float32)


def _chopped(rng: Rng, base: F32, rate: int) -> F32:
    """Blades: noise whose level beats 4 to 40 times a second."""
    phase = 2 * np.pi * log_uniform(rng, 4, 40) * np.arange(len(base)) / rate
    depth, sharp = rng.uniform(0.3, 1), float(rng.integers(1, 6))
    return np.asarray(base * (1 - depth + depth * (0.5 + 0.5 * np.sin(phase)) ** sharp), np.float32)


def _band(rng: Rng, base: F32, rate: int) -> F32:
    """Noise of a band, as whistling wind or steam."""
    centre, width = log_uniform(rng, 200, 6000), log_uniform(rng, 0.1, 1.5)
    edges = [max(30.0, centre * 2**-width), min(0.48 * rate, centre * 2**width)]
    some = signal.sosfilt(signal.butter(2, edges, "band", fs=rate, output="sos"), base)
    return np.asarray(some / (some.std() + 1e-9) + base / base.std() * 0.1, np.float32)
