"""Makes training scenes: somebody speaks or sings, or nobody does, over music, noise or silence.

    python -m models.voice.mixing SCENES --bank BANK --music RENDERED --esc ESC10 [--scenes 5000] [--seed 1]

Writes shards ``SCENES/NNN.npz`` of features (float16) and labels (uint8: 0, 1, or 255 = not judged). A scene
depends on its number, the seed and the material alone; a run that is started again goes on.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from scipy import signal

from models.training import fx
from models.training.dataset import is_validation
from models.training.rng import chance, log_uniform, pick
from models.training.room import pink, room_response
from models.training.spectra import mel_frames
from models.voice.features import FPS, LONG, SHORT
from models.voice.labels import FRAME, close_gaps, speech_frames
from realtime.errors import UserError

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Rng = np.random.Generator
RATE = 24_000
SECONDS = 8
LENGTH = SECONDS * RATE
FRAMES = SECONDS * FPS
SHARD = 100
UNKNOWN = 255


@dataclass(frozen=True)
class Song:
    """A rendered piece: where it is, whether somebody sings, and when."""

    path: Path
    seconds: float
    vocals: tuple[tuple[float, float], ...]


class Material:
    """Everything scenes are made of.

    Raises
    ------
    UserError
        If a part is missing.
    """

    def __init__(self, bank: Path, music: Path, esc: Path, held_out: bool = False) -> None:
        try:
            self._samples = np.load(bank.with_suffix(".npy"), mmap_mode="r")
            index = json.loads(bank.with_suffix(".json").read_text())
        except (OSError, ValueError) as error:
            raise UserError(f"{bank}: no bank of speech ({error}); make one with models.voice.corpus") from error
        self.speakers: dict[str, list[tuple[int, int]]] = {}
        for start, length, speaker in index:
            self.speakers.setdefault(speaker, []).append((start, length))
        names = sorted(self.speakers)
        self.names = [n for k, n in enumerate(names) if (k % 12 == 5) == held_out or n == "sung"]
        # a speaker counts by how much there is of it, but not in proportion: many voices matter most
        self.shares = [min(20.0, sum(n for _, n in self.speakers[k]) / RATE) ** 0.5 for k in self.names]
        self.shares = [8 * s if n == "sung" else s for n, s in zip(self.names, self.shares)]
        songs = [_song(p) for p in sorted(music.glob("*.json")) if p.stem != "index"]
        songs = [s for s in songs if s and is_validation(s.path.stem) == held_out]
        self.plain = [s for s in songs if s and not s.vocals]
        self.sung = [s for s in songs if s and s.vocals]
        self.noises = sorted(esc.rglob("*.ogg"))
        if not self.plain or not self.noises:
            raise UserError(f"{music}, {esc}: need rendered music without voices and ESC-10 clips")

    def clip(self, rng: Rng, speaker: str) -> F32:
        """One clip of a speaker."""
        start, length = pick(rng, self.speakers[speaker])
        return self._samples[start : start + length].astype(np.float32) / np.float32(32768)

    def music(self, rng: Rng, songs: list[Song]) -> tuple[F32, tuple[tuple[float, float], ...]]:
        """Eight seconds of a song at unit RMS, and when somebody sings in them."""
        song = pick(rng, songs)
        start = float(rng.uniform(0, max(0.0, song.seconds - SECONDS)))
        x, _ = soundfile.read(song.path, start=int(start * RATE), frames=LENGTH, dtype="float32")
        x = np.pad(x, (0, LENGTH - len(x)))
        scale = float(np.sqrt(np.mean(x**2))) + 1e-6
        return np.asarray(x / scale, np.float32), tuple((a - start, b - start) for a, b in song.vocals)

    def noise(self, rng: Rng) -> F32:
        """Eight seconds of recorded or made noise at unit RMS."""
        if chance(rng, 0.65):
            x, rate = soundfile.read(pick(rng, self.noises), dtype="float32", always_2d=True)
            mono = soxr.resample(x.mean(axis=1), rate * float(np.exp(rng.uniform(-0.2, 0.2))), RATE)
            mono = np.tile(mono, -(-LENGTH // len(mono)) + 1)
            start = int(rng.integers(len(mono) - LENGTH))
            x = mono[start : start + LENGTH].astype(np.float32)
        else:
            x = made_noise(rng)
        return np.asarray(x / (np.sqrt(np.mean(x**2)) + 1e-6), np.float32)


def _song(path: Path) -> Song | None:
    audio = path.with_suffix(".flac")
    if not audio.exists():
        return None
    truth = json.loads(path.read_text())
    if bool(truth["vocals"]) != ("vocal" in truth["instruments"]):
        return None  # talk over the music, or a voice too faint to be labelled
    spans = tuple((float(a), float(b)) for a, b in truth["vocals"])
    return Song(audio, float(truth["duration"]), spans)


def made_noise(rng: Rng) -> F32:
    """Steady, pulsing or tonal noise."""
    x = pink(rng, LENGTH, float(rng.uniform(0, 1.0)))
    kind = rng.random()
    t = np.arange(LENGTH) / RATE
    if kind < 0.3:  # slow swells
        x = x * np.interp(t, np.linspace(0, SECONDS, 24), 10 ** rng.normal(0, 0.4, 24)).astype(np.float32)
    elif kind < 0.5:  # hum and machines
        f = log_uniform(rng, 45, 400)
        tone = sum(
            np.sin(2 * np.pi * f * k * t + rng.uniform(0, 6)) / k for k in range(1, int(rng.integers(2, 12)))
        )
        x = x * np.float32(0.3) + np.asarray(tone, np.float32)
    elif kind < 0.7:  # knocks and clicks
        hits = np.zeros(LENGTH, np.float32)
        for at in rng.uniform(0, SECONDS - 0.2, int(rng.integers(4, 40))):
            n = int(log_uniform(rng, 0.002, 0.12) * RATE)
            hits[int(at * RATE) :][:n] += (rng.standard_normal(n) * np.exp(-5 * np.arange(n) / n)).astype(
                np.float32
            )
        band = fx.biquad("peak", log_uniform(rng, 150, 5000), 2, 15, RATE)
        x = x * np.float32(0.02) + fx.equalise(hits, [band])
    return np.asarray(x, np.float32)


def talk(rng: Rng, material: Material) -> F32:
    """Eight seconds of one dry voice with pauses, at unit level of its active parts."""
    speaker = pick(rng, material.names, material.shares)
    speed = float(np.exp(rng.uniform(-0.18, 0.18)))
    out = np.zeros(LENGTH, np.float32)
    at = int(rng.uniform(0.0, 2.5) * RATE)
    while at < LENGTH - RATE // 2:
        until = at + int(rng.uniform(0.6, 4.0) * RATE)
        gain = np.float32(10 ** (rng.normal(0, 3) / 20))
        while at < min(until, LENGTH - RATE // 4):
            clip = material.clip(rng, speaker)
            n = int(len(clip) / speed)
            clip = np.interp(np.arange(n) * speed, np.arange(len(clip)), clip).astype(np.float32)
            fade = min(n, 48)
            clip[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
            part = clip[: LENGTH - at]
            scale = float(np.sqrt(np.mean(part**2))) + 1e-4
            out[at : at + len(part)] += part * (gain / np.float32(scale))
            at += len(part) + int(max(0.0, rng.normal(0.02, 0.05)) * RATE)
        at += int(log_uniform(rng, 0.3, 3.0) * RATE)
    return out


def scene(rng: Rng, material: Material) -> tuple[F32, U8]:
    """Sound and labels of one scene."""
    kind = rng.random()
    label = np.zeros(FRAMES, np.uint8)
    if kind < 0.12:  # a rendered song, sung
        x, spans = material.music(rng, material.sung) if material.sung else material.music(rng, material.plain)
        label = _sung_label(spans)
    else:
        x = _background(rng, material, 0.75 if kind < 0.40 else 0.42)
        if kind >= 0.40:
            x, label = _with_voice(rng, material, x)
    return _heard(rng, x), label


def _with_voice(rng: Rng, material: Material, x: F32) -> tuple[F32, U8]:
    voice = talk(rng, material)
    active = speech_frames(voice)
    label = close_gaps(active).astype(np.uint8)
    # level of the voice where it is active, and of the background everywhere
    loud = np.sqrt(np.mean(voice.reshape(FRAMES, FRAME)[active] ** 2)) if active.any() else 1.0
    voice = voice / np.float32(loud + 1e-6)
    voice = fx.equalise(voice, fx.random_eq(rng, RATE, 4.0))
    if chance(rng, 0.15):
        voice = fx.compress(voice, -18, 4, 0.005, 0.1, RATE)
    if chance(rng, 0.35):
        voice = fx.convolve(
            voice, room_response(rng, RATE, log_uniform(rng, 0.12, 0.9), float(rng.uniform(-2, 14)))
        )
    snr = float(rng.uniform(-5, 25)) if chance(rng, 0.85) else float(rng.uniform(25, 60))
    return voice + x * np.float32(10 ** (-snr / 20)), label


def _background(rng: Rng, material: Material, musical: float) -> F32:
    """Music, noise, or both, at unit RMS."""
    if chance(rng, musical):
        x, _ = material.music(rng, material.plain)
        if chance(rng, 0.2):
            x = x + material.noise(rng) * np.float32(10 ** (rng.uniform(-20, 0) / 20))
    else:
        x = material.noise(rng)
        if chance(rng, 0.2):
            x = x + material.noise(rng) * np.float32(10 ** (rng.uniform(-10, 5) / 20))
    if chance(rng, 0.08):  # it begins or ends within the scene
        cut = int(rng.integers(LENGTH))
        x[slice(0, cut) if chance(rng, 0.5) else slice(cut, None)] = 0.0
    return np.asarray(x / (np.sqrt(np.mean(x**2)) + 1e-6), np.float32)


def _heard(rng: Rng, x: F32) -> F32:
    """Microphone, telephone, level and the floor of the converter."""
    if chance(rng, 0.4):
        top = log_uniform(rng, 3300, 9000)
        x = signal.sosfilt(signal.butter(6, top, fs=RATE, output="sos").astype(np.float32), x)
    if chance(rng, 0.3):
        x = fx.equalise(np.asarray(x, np.float32), fx.random_eq(rng, RATE, 4.0))
    if chance(rng, 0.1):
        x = fx.saturate(np.asarray(x, np.float32), float(rng.uniform(0.5, 3)))
    x = x * (10 ** (rng.uniform(-46, -12) / 20))
    if chance(rng, 0.5):
        x = np.asarray(x + rng.standard_normal(len(x)) * 10 ** (rng.uniform(-100, -65) / 20), np.float32)
    return np.clip(x, -1, 1).astype(np.float32)


def _sung_label(spans: tuple[tuple[float, float], ...]) -> U8:
    """Labels of a song from its notes; near their edges, and in short rests, nothing is judged."""
    label = np.zeros(FRAMES, np.uint8)
    for begin, end in spans:
        label[max(0, round(begin * FPS)) : max(0, round(end * FPS))] = 1
    edge = np.abs(np.diff(label.astype(int), prepend=label[0])) > 0
    label[np.convolve(edge, np.ones(21), "same") > 0] = UNKNOWN
    return label


def features(x: F32) -> npt.NDArray[np.float16]:
    """Frames of a scene, as ``models.voice.features`` gives them live."""
    return np.concatenate([mel_frames(x, SHORT), mel_frames(x, LONG)], axis=1).astype(np.float16)


def shard(number: int, seed: int, material: Material, path: Path) -> None:
    """Write one shard."""
    x, y = np.empty((SHARD, FRAMES, SHORT.bands + LONG.bands), np.float16), np.empty((SHARD, FRAMES), np.uint8)
    for k in range(SHARD):
        sound, y[k] = scene(np.random.default_rng((seed, number, k)), material)
        x[k] = features(sound)
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(file, x=x, y=y)
    os.replace(partial, path)


def main() -> None:
    """Make scenes from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out", type=Path)
    ap.add_argument("--bank", type=Path, required=True)
    ap.add_argument("--music", type=Path, required=True)
    ap.add_argument("--esc", type=Path, required=True)
    ap.add_argument("--scenes", type=int, default=5000)
    ap.add_argument("--held-out", action="store_true", help="of speakers and pieces that are kept for validation")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--part", default="0/1", help="K/N: every Nth shard from the Kth, to share the work")
    a = ap.parse_args()
    part, parts = (int(n) for n in a.part.split("/"))
    material = Material(a.bank, a.music, a.esc, a.held_out)
    told = f"{len(material.names)} speakers, {len(material.plain)} pieces without voice, {len(material.sung)} with"
    print(told, flush=True)
    a.out.mkdir(parents=True, exist_ok=True)
    for k in range(part, a.scenes // SHARD, parts):
        path = a.out / f"{k:03d}.npz"
        if not path.exists():
            shard(k, a.seed + 1_000_000 * a.held_out, material, path)
            print(path.name, flush=True)


if __name__ == "__main__":
    main()
