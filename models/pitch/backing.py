"""What voices are mixed with in training: chords and lines, rendered music, noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
import soxr

from models.pitch.features import RATE
from models.pitch.voices import F32, LENGTH, SECONDS, Rng, read, table
from models.training.fx import biquad, equalise
from models.training.rng import chance, log_uniform, pick
from models.training.room import noise

_CHORDS = (
    (0, 4, 7),
    (0, 3, 7),
    (0, 4, 7, 10),
    (0, 3, 7, 10),
    (0, 4, 7, 11),
    (0, 5, 7),
    (0, 7, 12, 16),
    (0, 4, 7, 14),
)


def unit(x: F32) -> F32:
    """At unit RMS."""
    return np.asarray(x / (np.sqrt(np.mean(np.square(x))) + 1e-9), np.float32)


def _note(rng: Rng, wave: F32, hz: float, n: int, decay: float, attack: float) -> F32:
    t = np.arange(n) / RATE
    env = np.minimum(1, t / attack) * np.exp(-t / decay) * np.clip((t[-1] - t) / 0.01, 0, 1)
    return read(wave, t * hz + rng.random()) * env.astype(np.float32)


def chords(rng: Rng) -> F32:
    """Chords with or without bass, a broken-up line above them, drums; unit RMS. Never one tone alone."""
    out = np.zeros(LENGTH, np.float32)
    root, length = rng.uniform(38, 62), log_uniform(rng, 0.25, 2.5)
    decay = log_uniform(rng, 0.15, 1.5) if chance(rng, 0.4) else 50.0
    attack, detune = log_uniform(rng, 0.003, 0.1), rng.uniform(0, 0.08)
    waves = [table(rng, 1200.0 if chance(rng, 0.5) else 600.0) for _ in range(3)]
    bass, line = chance(rng, 0.5), chance(rng, 0.5)
    loud, step = rng.uniform(0.4, 1.2), pick(rng, (0.125, 0.167, 0.2, 0.25, 0.33, 0.5))
    at = 0.0
    while at < SECONDS:
        n = min(int(length * RATE), LENGTH - int(at * RATE))
        if n < 200:
            break
        base, shape = root + int(rng.integers(-5, 7)), pick(rng, _CHORDS)
        part = out[int(at * RATE) :][:n]
        for k in shape:
            key = base + k + rng.normal(0, detune)
            part += rng.uniform(0.6, 1) * _note(rng, waves[0], _hz(key), n, decay, attack)
        if bass:
            part += rng.uniform(0.4, 1.3) * _note(
                rng, waves[1], _hz(base - 12), n, log_uniform(rng, 0.2, 9), 0.005
            )
        if line:
            for begin in range(0, n - 400, int(step * RATE)):
                m = min(int(step * RATE * float(rng.uniform(0.5, 1.5))), n - begin)
                key = base + pick(rng, shape) + 12 * int(rng.integers(0, 3))
                part[begin : begin + m] += loud * _note(
                    rng, waves[2], _hz(key), m, log_uniform(rng, 0.1, 1), 0.003
                )
        at += length
    out = unit(out)
    if chance(rng, 0.5):
        out += np.float32(log_uniform(rng, 0.1, 0.8)) * drums(rng)
    return unit(out)


def _hz(key: float) -> float:
    return float(440 * 2 ** ((key - 69) / 12))


def drums(rng: Rng) -> F32:
    """Bursts of noise and kicks on a grid; unit RMS."""
    out, step = np.zeros(LENGTH + RATE, np.float32), rng.uniform(0.1, 0.3)
    kick_hz, bright = rng.uniform(40, 70), log_uniform(rng, 1500, 6000)
    for i, at in enumerate(np.arange(0, SECONDS, step)):
        n = int(log_uniform(rng, 0.02, 0.2) * RATE)
        t = np.arange(n) / RATE
        start = int(at * RATE)
        hit = rng.standard_normal(n) * np.exp(-t / log_uniform(rng, 0.01, 0.1))
        out[start : start + n] += (rng.uniform(0.1, 1) * hit).astype(np.float32)
        if i % 4 == 0:
            n = int(0.2 * RATE)
            t = np.arange(n) / RATE
            kick = np.sin(2 * np.pi * (kick_hz * t - 4 * np.exp(-t / 0.02))) * np.exp(-t / 0.07)
            out[start : start + n] += 1.5 * kick.astype(np.float32)
    return unit(equalise(out[:LENGTH], [biquad("high_shelf", bright, 0.7, 9, RATE)]))


class Music:
    """Rendered pieces in which nobody sings, a part of them without a lead."""

    def __init__(self, folder: Path) -> None:
        self._songs: list[tuple[Path, float]] = []
        for path in sorted(folder.glob("[0-9]*.json")):
            truth = json.loads(path.read_text())
            plain = (
                not truth["vocals"] and "vocal" not in truth["instruments"] and "lead" not in truth["instruments"]
            )
            if plain and len(truth["instruments"]) > 1:
                self._songs.append((path.with_suffix(".flac"), float(truth["duration"])))

    def cut(self, rng: Rng) -> F32:
        """A scene's length of one of them, unit RMS."""
        path, seconds = pick(rng, self._songs)
        start = int(rng.uniform(0, max(0.0, seconds - SECONDS)) * 24_000)
        x, rate = soundfile.read(path, start=start, frames=SECONDS * 24_000, dtype="float32")
        x = soxr.resample(np.pad(x, (0, SECONDS * rate - len(x))), rate, RATE)
        return unit(np.asarray(x[:LENGTH], np.float32))


def noises(rng: Rng, data: Path | None) -> F32:
    """White, pink, recorded or crowd noise, unit RMS."""
    kind = pick(rng, ("white", "pink", "esc", "crowd"), (4, 3, 3, 1))
    if kind == "white":
        return rng.standard_normal(LENGTH).astype(np.float32)
    return noise(rng, kind, LENGTH, RATE, data)
