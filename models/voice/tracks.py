"""Makes the tracks that training mixes: voices alone, music without voices, noises, songs that are sung.

    python -m models.voice.tracks TRACKS --bank BANK --music RENDERED --esc ESC10 \\
        [--packages DIR …] [--seed 1] [--held-out]

Writes ``TRACKS/KIND.npy`` (int16, 8 s at 24 kHz each, a track a row) and ``TRACKS/KIND-labels.npy`` (uint8 a
frame of 10 ms: 0, 1, or 255 = not judged) for the kinds voice and sung. A track depends on its number, the seed
and the material alone; kinds that are complete are kept.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from models.training import fx
from models.training.dataset import is_validation
from models.training.rng import chance, log_uniform, pick
from models.training.room import room_response
from models.voice import recordings
from models.voice.features import FPS
from models.voice.labels import FRAME, close_gaps, speech_frames
from models.voice.noises import made_noise
from realtime.errors import UserError, reported

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Rng = np.random.Generator
Spans = tuple[tuple[float, float], ...]
RATE = 24_000
SECONDS = 8
LENGTH = SECONDS * RATE
FRAMES = SECONDS * FPS
UNKNOWN = 255
UNIT = 0.08
"""RMS of every track as stored (of a voice: while it is active); peaks above full scale are clipped."""
COUNTS = {"voice": 7000, "music": 4500, "noise": 2600, "sung": 500}
REAL_MUSIC, AMBIENCE = 0.65, 0.45
"""Shares of recorded music in the music, and of the packages' ambience in the noise."""
NOT_HELD_OUT = ("steel-sky", "queen")
"""Their speakers are told apart by the scene alone, so any may be heard in training too."""


@dataclass(frozen=True)
class Song:
    """A rendered piece: where it is, its length, and when somebody sings."""

    path: Path
    seconds: float
    vocals: Spans


class Material:
    """Everything tracks are made of.

    Raises
    ------
    UserError
        If a part is missing.
    """

    def __init__(
        self, bank: Path, music: Path, esc: Path, held_out: bool = False, packages: Sequence[Path] = ()
    ) -> None:
        try:
            self._samples = np.load(bank.with_suffix(".npy"), mmap_mode="r")
            index = json.loads(bank.with_suffix(".json").read_text())
        except (OSError, ValueError) as error:
            raise UserError(f"{bank}: no bank of speech ({error}); make one with models.voice.corpus") from error
        self.speakers: dict[str, list[tuple[int, int]]] = {}
        for start, length, speaker in index:
            self.speakers.setdefault(speaker, []).append((start, length))
        names = sorted(self.speakers)
        kept = [k % 12 == 5 and n.split()[0] not in NOT_HELD_OUT for k, n in enumerate(names)]
        self.names = [n for n, k in zip(names, kept) if k == held_out or n == "sung"]
        # a speaker counts by how much there is of it, but not in proportion: many voices matter most
        self.shares = [min(60.0, sum(n for _, n in self.speakers[k]) / RATE) ** 0.5 for k in self.names]
        self.shares = [4 * s if n == "sung" else s for n, s in zip(self.names, self.shares)]
        songs = [_song(p) for p in sorted(music.glob("*.json")) if p.stem != "index"]
        songs = [s for s in songs if s and is_validation(s.path.stem) == held_out]
        self.plain = [s for s in songs if s and not s.vocals]
        self.sung = [s for s in songs if s and s.vocals] or self.plain
        self.noises = [recordings.Recording(p) for p in sorted(esc.rglob("*.ogg"))]
        self.real = [r for k, r in enumerate(_all(recordings.music, packages)) if (k % 20 == 7) == held_out]
        self.ambience = [r for k, r in enumerate(_all(recordings.ambience, packages)) if (k % 20 == 7) == held_out]
        if not self.plain or not self.noises:
            raise UserError(f"{music}, {esc}: need rendered music without voices and ESC-10 clips")

    def clip(self, rng: Rng, speaker: str) -> F32:
        """One clip of a speaker."""
        start, length = pick(rng, self.speakers[speaker])
        return self._samples[start : start + length].astype(np.float32) / np.float32(32768)

    def song(self, rng: Rng, songs: list[Song]) -> tuple[F32, Spans]:
        """Eight seconds of a song, and when somebody sings in them."""
        song = pick(rng, songs)
        start = float(rng.uniform(0, max(0.0, song.seconds - SECONDS)))
        x, _ = soundfile.read(song.path, start=int(start * RATE), frames=LENGTH, dtype="float32", always_2d=True)
        mono = x.mean(axis=1)
        return np.pad(mono, (0, LENGTH - len(mono))), tuple((a - start, b - start) for a, b in song.vocals)


def _all(
    kind: Callable[[Path], list[recordings.Recording]], folders: Sequence[Path]
) -> list[recordings.Recording]:
    return [r for folder in folders for r in kind(folder)]


def _song(path: Path) -> Song | None:
    audio = path.with_suffix(".flac")
    if not audio.exists():
        return None
    truth = json.loads(path.read_text())
    if bool(truth["vocals"]) != ("vocal" in truth["instruments"]):
        return None  # talk over the music, or a voice too faint to be labelled
    spans = tuple((float(a), float(b)) for a, b in truth["vocals"])
    return Song(audio, float(truth["duration"]), spans)


def music(rng: Rng, material: Material) -> tuple[F32, None]:
    """Music in which nobody sings, now and then faster or slower with its pitch."""
    if material.real and chance(rng, REAL_MUSIC):
        return _unit(_excerpt(rng, pick(rng, material.real))), None
    x, _ = material.song(rng, material.plain)
    if chance(rng, 0.3):
        speed = float(np.exp(rng.uniform(-0.2, 0.2)))
        x = np.interp(np.arange(LENGTH) * speed % (LENGTH - 1), np.arange(LENGTH), x).astype(np.float32)
    return _unit(x), None


def _excerpt(rng: Rng, of: recordings.Recording, speed: float = 1.0) -> F32:
    """Eight seconds of a recording from anywhere, repeated if it is shorter; silence if it cannot be read."""
    start = float(rng.uniform(0, max(0.0, of.seconds() - SECONDS * speed)))
    found = of.read(start, SECONDS * speed + 0.1)
    if found is None or not len(found[0]):
        return np.zeros(LENGTH, np.float32)
    mono = soxr.resample(found[0], found[1] * speed, RATE)
    return np.tile(mono, -(-LENGTH // len(mono)))[:LENGTH].astype(np.float32)


def noise(rng: Rng, material: Material) -> tuple[F32, None]:
    """Recorded or made noise."""
    if chance(rng, 0.3):
        return _unit(made_noise(rng, LENGTH, RATE)), None
    ambient = bool(material.ambience) and chance(rng, AMBIENCE)
    of = pick(rng, material.ambience if ambient else material.noises)
    x = _excerpt(rng, of, float(np.exp(rng.uniform(-0.3, 0.3))))
    return _unit(np.roll(x, int(rng.integers(LENGTH)))), None


def sung(rng: Rng, material: Material) -> tuple[F32, U8]:
    """A song with its singer; near the edges of a phrase, and in short rests, nothing is judged."""
    x, spans = material.song(rng, material.sung)
    label = np.zeros(FRAMES, np.uint8)
    for begin, end in spans:
        label[max(0, round(begin * FPS)) : max(0, round(end * FPS))] = 1
    edge = np.abs(np.diff(label.astype(int), prepend=label[0])) > 0
    label[np.convolve(edge, np.ones(21), "same") > 0] = UNKNOWN
    return _unit(x), label


def talk(rng: Rng, material: Material) -> F32:
    """One dry voice with pauses: faster or slower, higher or lower than it was recorded, and some louder words."""
    speaker = pick(rng, material.names, material.shares)
    speed = float(np.exp(np.clip(rng.normal(0, 0.12), -0.3, 0.3)))
    out = np.zeros(LENGTH, np.float32)
    at = int(rng.uniform(0.0, 2.5) * RATE)
    while at < LENGTH - RATE // 2:
        until = at + int(rng.uniform(0.6, 4.0) * RATE)
        gain = np.float32(10 ** (rng.normal(0, 3) / 20))
        while at < min(until, LENGTH - RATE // 4):
            clip = material.clip(rng, speaker)
            clip = soxr.resample(clip, RATE * speed, RATE).astype(np.float32)
            fade = min(len(clip), 48)
            clip[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
            part = clip[: LENGTH - at]
            scale = float(np.sqrt(np.mean(part**2))) + 1e-4
            out[at : at + len(part)] += part * (gain / np.float32(scale))
            at += len(part) + int(max(0.0, rng.normal(0.02, 0.05)) * RATE)
        at += int(log_uniform(rng, 0.3, 3.0) * RATE)
    return out


def voice(rng: Rng, material: Material) -> tuple[F32, U8]:
    """A voice as a microphone hears it, labelled by what was dry."""
    x = talk(rng, material)
    active = speech_frames(x)
    label = close_gaps(active).astype(np.uint8)
    loud = np.sqrt(np.mean(x.reshape(FRAMES, FRAME)[active] ** 2)) if active.any() else 1.0
    x = fx.equalise(x / np.float32(loud + 1e-6), fx.random_eq(rng, RATE, 4.0))
    if chance(rng, 0.3):  # from whispered to shouted
        x = fx.equalise(
            x, [fx.biquad("high_shelf", log_uniform(rng, 500, 2000), 0.5, float(rng.uniform(-8, 10)), RATE)]
        )
    if chance(rng, 0.15):
        x = fx.compress(x, -18, 4, 0.005, 0.1, RATE)
    if chance(rng, 0.35):
        x = fx.convolve(x, room_response(rng, RATE, log_uniform(rng, 0.12, 0.9), float(rng.uniform(-2, 14))))
    loud = np.sqrt(np.mean(x.reshape(FRAMES, FRAME)[active] ** 2)) if active.any() else 1.0
    return np.asarray(x * np.float32(UNIT / (loud + 1e-6)), np.float32), label


def _unit(x: F32) -> F32:
    return np.asarray(x * np.float32(UNIT / (np.sqrt(np.mean(x**2)) + 1e-6)), np.float32)


MAKERS: dict[str, Callable[[Rng, Material], tuple[F32, U8 | None]]] = {
    "voice": voice, "music": music, "noise": noise, "sung": sung,
}  # fmt: skip


def make(folder: Path, material: Material, counts: dict[str, int], seed: int) -> None:
    """Write the kinds that are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, count in counts.items():
        path = folder / f"{kind}.npy"
        if path.exists():
            continue
        partial = folder / f"{kind}.part"
        sounds = np.lib.format.open_memmap(partial, "w+", np.int16, (count, LENGTH))
        labels = np.zeros((count, FRAMES), np.uint8)
        for k in range(count):
            x, label = MAKERS[kind](np.random.default_rng((seed, sorted(MAKERS).index(kind), k)), material)
            sounds[k] = np.clip(x * 32767, -32767, 32767).astype(np.int16)
            if label is not None:
                labels[k] = label
        sounds.flush()
        if kind in ("voice", "sung"):
            np.save(folder / f"{kind}-labels.npy", labels)
        os.replace(partial, path)
        print(f"{count} tracks: {kind}", flush=True)


def main() -> None:
    """Make tracks from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out", type=Path)
    ap.add_argument("--bank", type=Path, required=True)
    ap.add_argument("--music", type=Path, required=True)
    ap.add_argument("--esc", type=Path, required=True)
    ap.add_argument("--packages", type=Path, nargs="*", default=[], help="unpacked, with music and ambience")
    ap.add_argument("--held-out", action="store_true", help="of speakers and pieces that are kept for validation")
    ap.add_argument("--share", type=float, default=1.0, help="of the usual number of tracks")
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    material = Material(a.bank, a.music, a.esc, a.held_out, a.packages)
    told = f"{len(material.names)} speakers, {len(material.plain)} rendered pieces without voice, "
    told += f"{len(material.sung)} with, {len(material.real)} recorded ones, {len(material.ambience)} ambiences"
    print(told, flush=True)
    counts = {kind: max(1, round(n * a.share)) for kind, n in COUNTS.items()}
    make(a.out, material, counts, a.seed + 1_000_000 * a.held_out)


if __name__ == "__main__":
    reported(main)
