"""Makes training scenes of the pitch network: one voice, clean or in noise, a room, or over an accompaniment.

    python -m models.pitch.scenes SCENES --music RENDERED [--speech BANK] [--data TRAIN] [--count 2500] [--seed 1]

Writes shards ``SCENES/NNN.npz`` of sound (int16), its peak (float32), pitch per hop (float32, Hz; 0 = none) and
weight (uint8, 16 = 1). A scene depends on its number, the seed and the material alone; a run that is started again
goes on.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.pitch.backing import Music, chords, noises, unit
from models.pitch.features import HOP, RATE
from models.pitch.voices import F32, LENGTH, Instruments, Rng, Speech, Voice, waves
from models.training import fx
from models.training.rng import chance, log_uniform, stream
from models.training.room import room_response
from realtime.errors import reported

SHARD = 50


class Scene(NamedTuple):
    """Sound, its peak, and per hop the pitch in Hz (0 = none) and how much it is to count."""

    sound: npt.NDArray[np.int16]
    peak: np.float32
    pitch: F32
    weight: npt.NDArray[np.uint8]


class Material:
    """Everything scenes are made of."""

    def __init__(self, music: Path, speech: Path | None, data: Path | None) -> None:
        self.music, self.data = Music(music), data
        self.speech = Speech(speech) if speech else None
        try:
            self.instruments: Instruments | None = Instruments()
        except OSError:  # no FluidSynth or no sound fonts: waves alone
            self.instruments = None

    def voice(self, rng: Rng) -> Voice:
        """A single voice of any kind."""
        kind = rng.random()
        if kind < 0.22 and self.instruments:
            return self.instruments.voice(rng)
        if kind < 0.36 and self.speech:
            return self.speech.voice(rng)
        return waves(rng)


def mixed(rng: Rng, material: Material) -> tuple[F32, F32, F32]:
    """Sound, pitch in Hz (0 = none), weight per frame."""
    voice = material.voice(rng)
    x, pitch, weight = voice.sound, voice.pitch, voice.weight.copy()
    active = np.repeat(pitch > 0, HOP)
    loud = float(np.sqrt(np.mean(np.square(x[active])))) if active.any() else 0.1
    x = x / np.float32(loud + 1e-6)
    if chance(rng, 0.2):
        x = fx.equalise(x, fx.random_eq(rng, RATE))
    kind = rng.random()
    if chance(rng, 0.2):
        wet = room_response(rng, RATE, log_uniform(rng, 0.15, 1.5), float(rng.uniform(-3, 15)))
        x = fx.convolve(x, wet)[:LENGTH]
    if kind < 0.22:
        x = x + np.float32(log_uniform(rng, 1e-5, 3e-3)) * rng.standard_normal(LENGTH).astype(np.float32)
    elif kind < 0.45:
        x = x + np.float32(10 ** (-rng.uniform(-5, 30) / 20)) * noises(rng, material.data)
    else:
        absent = chance(rng, 0.05)
        music = chance(rng, 0.35)
        backing = material.music.cut(rng) if music else chords(rng)
        if chance(rng, 0.3):
            backing = unit(fx.equalise(backing, fx.random_eq(rng, RATE)))
        gain = 10 ** (-(rng.uniform(-6, 12) if chance(rng, 0.4) else rng.uniform(-2, 4)) / 20)
        x = (0 if absent else x) + np.float32(gain) * backing
        if absent:
            pitch, weight = np.zeros_like(pitch), np.ones_like(weight)
        if music:  # something in it may lead
            weight[pitch <= 0] *= 0.3
        if chance(rng, 0.2):
            x = x + np.float32(10 ** (-rng.uniform(10, 30) / 20)) * noises(rng, material.data)
    level = 10 ** (rng.uniform(-45, -10) / 20)
    return np.asarray(x * np.float32(level), np.float32), pitch, weight


def scene(number: int, seed: int, material: Material) -> Scene:
    """The scene of that number."""
    rng = stream(seed * 100_000 + number, "pitch scene")
    sound, pitch, weight = mixed(rng, material)
    peak = np.float32(np.abs(sound).max() + 1e-9)
    whole = np.round(sound * (32_767 / peak)).astype(np.int16)
    return Scene(whole, peak, np.asarray(pitch, np.float32), np.round(16 * weight).astype(np.uint8))


def shard(number: int, seed: int, material: Material, path: Path) -> None:
    """Write a shard, whole or not at all."""
    found = [scene(number * SHARD + k, seed, material) for k in range(SHARD)]
    part = path.with_suffix(".part.npz")
    sound, peak, pitch, weight = (np.stack([s[i] for s in found]) for i in range(4))
    np.savez(part, sound=sound, peak=peak, pitch=pitch, weight=weight)
    os.replace(part, path)


def main() -> None:
    """Make scenes from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("scenes", type=Path)
    ap.add_argument("--music", type=Path, required=True, help="rendered folder")
    ap.add_argument("--speech", type=Path, help="bank of models.voice.corpus")
    ap.add_argument("--data", type=Path, help="folder with esc10")
    ap.add_argument("--count", type=int, default=2500, help="scenes")
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    a.scenes.mkdir(parents=True, exist_ok=True)
    material = Material(a.music, a.speech, a.data)
    for k in range(a.count // SHARD):
        path = a.scenes / f"{k:03d}.npz"
        if not path.exists():
            shard(k, a.seed, material, path)


if __name__ == "__main__":
    reported(main)
