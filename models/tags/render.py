"""Render sound for the tags: short clips whose every source's level is known tenth by tenth of a second.

    python -m models.tags.render --data TRAIN --out DIR --clips 600 [--held-out] [--seed 1]

Writes ``SEED.flac`` (24 kHz, mono) and ``SEED.json`` (level of every stem in dB against the whole clip's, ten
times a second). Resumes; each clip comes from its own seed. ``--held-out`` takes seeds of which
``seed % 50 == 7``, whose espeak voices, spoken-digit speaker and ESC-10 fold occur in no other.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from models.tags import sounds
from models.tags.labels import FAMILIES, FRAME, STEMS
from models.training import articulate, fx, room
from models.training.compose.composer import compose, draw_style
from models.training.mix import FONT_WEIGHT, RATE, Stage, mix_drums, timed_hits, timed_notes
from models.training.rng import chance, is_val, log_uniform, pick, seeds, stream
from models.training.score import Piece
from models.training.synth import tone
from models.training.synth.fluid import FONTS
from realtime.errors import reported

F32 = npt.NDArray[np.float32]
Timed = list[tuple[float, float, float, float]]

SECONDS = 16.0
PROGRAMS: dict[str, tuple[int, ...]] = {
    "bass": (32, 32, 33, 33, 34, 35, 36, 37),
    "guitar": (24, 24, 25, 25, 26, 27, 27, 28, 29, 30, 30, 31),
    "keys": (0, 0, 0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21),
    "strings": (40, 40, 41, 41, 42, 42, 43, 44, 45, 48, 48, 49),
    "brass": (56, 56, 57, 57, 58, 59, 60, 60, 61, 61),
    "winds": (64, 65, 66, 67, 68, 69, 70, 70, 71, 71, 72, 73, 73, 74, 75),
    "synth": (80, 81, 82, 83, 84, 86, 87, 88, 89, 90, 91, 93, 94, 95, 62, 63, 50, 51),
}
"""General MIDI programs of the families."""

RANGE = {"bass": (26, 52), "guitar": (40, 76), "keys": (28, 92), "strings": (30, 92), "brass": (32, 82),
         "winds": (34, 94), "synth": (36, 90), "singing": (42, 78)}  # fmt: skip
LEVEL_DB = {"drums": 0.0, "bass": -2.0, "singing": -2.0, "speech": 2.0, "applause": 0.0, "other": 0.0}
KINDS = {
    "solo": 0.28,
    "few": 0.27,
    "band": 0.21,
    "talk": 0.09,
    "talk_over": 0.04,
    "acappella": 0.04,
    "noise": 0.07,
}
FLOOR_DB = -120


@dataclass
class Clip:
    """Stems of one clip, by name."""

    stems: dict[str, F32] = field(default_factory=dict)
    licences: set[str] = field(default_factory=set)
    kind: str = ""

    def add(self, name: str, wave: F32) -> None:
        """Mix into a stem."""
        self.stems[name] = self.stems[name] + wave if name in self.stems else wave


def long_notes(rng: np.random.Generator, seconds: float, low: float, high: float) -> Timed:
    """Single notes of all lengths with rests, anywhere in the range, as in a lesson or a sample library."""
    out: Timed = []
    at, pitch = float(rng.uniform(0, 0.5)), rng.uniform(low, high)
    longest = log_uniform(rng, 0.3, 4.0)
    while at < seconds:
        pitch = float(np.clip(pitch + rng.normal(0, 5), low, high)) if chance(rng, 0.7) else rng.uniform(low, high)
        length = log_uniform(rng, 0.12, longest)
        out.append((at, length, float(round(pitch)), float(rng.uniform(0.2, 1))))
        at += length + (0.0 if chance(rng, 0.5) else float(rng.uniform(0.02, 0.8)))
    return out


def fold(notes: Timed, low: float, high: float) -> Timed:
    """Bring every note into the range by octaves."""
    out = []
    for t, d, p, v in notes:
        while p < low:
            p += 12
        while p > high:
            p -= 12
        out.append((t, d, p, v))
    return out


def _notes(rng: np.random.Generator, piece: Piece, family: str, solo: bool) -> Timed:
    low, high = RANGE[family]
    if chance(rng, 0.45 if solo else 0.12):
        return long_notes(rng, SECONDS, low, high)
    wanted = {"bass": ("bass",), "singing": ("vocal", "lead")}.get(family, ("chords", "pad", "lead", "vocal"))
    tracks = [t for t in piece.tracks if t.role in wanted and t.notes]
    if not tracks:
        return long_notes(rng, SECONDS, low, high)
    notes = timed_notes(rng, piece, pick(rng, tracks), float(piece.beat_times[0]), SECONDS)
    return fold(notes, low, high) or long_notes(rng, SECONDS, low, high)


def _pitched(rng: np.random.Generator, clip: Clip, stage: Stage, family: str, notes: Timed, count: int) -> F32:
    """A part of a family by sound font or, for synth and singing, mostly by synthesis."""
    if family == "singing" and (stage.fluid is None or chance(rng, 0.85)):
        return articulate.vocalise(rng, notes, count, RATE)
    if stage.fluid is None or (family == "synth" and chance(rng, 0.75)):
        role = pick(rng, ("lead", "pad", "chords", "arp"))
        return tone.render(tone.random_patch(rng, role), notes, count, RATE)
    if family in ("guitar", "keys") and chance(rng, 0.4):
        notes = articulate.strum(rng, notes)
    if family in ("guitar", "bass", "strings") and chance(rng, 0.12):
        notes = articulate.shorten(rng, notes)
    program = pick(rng, (52, 53, 54)) if family == "singing" else pick(rng, PROGRAMS[family])
    font = pick(rng, stage.fonts, [FONT_WEIGHT.get(name, 1.0) for name in stage.fonts])
    clip.licences.add(FONTS[font])
    wave = stage.fluid.render(font, program, notes, count)
    if program in (29, 30) and chance(rng, 0.85):
        wave = fx.saturate(wave / (np.max(np.abs(wave)) + 1e-6), log_uniform(rng, 2, 20))
    return wave


def _gate(rng: np.random.Generator, wave: F32) -> F32:
    """Let a part enter and leave."""
    if chance(rng, 0.45):
        return wave
    times = np.sort(rng.uniform(0, SECONDS, int(rng.integers(1, 4))))
    on, grid = chance(rng, 0.5), np.arange(len(wave)) / RATE
    mask = np.zeros(len(wave), np.float32)
    edges = [0.0, *times.tolist(), SECONDS]
    for a, z in pairwise(edges):
        if on:
            rise = np.clip((grid - a) / 0.03, 0, 1) * np.clip((z - grid) / 0.08, 0, 1)
            mask = np.maximum(mask, rise.astype(np.float32))
        on = not on
    gated = wave * mask
    return gated if np.mean(gated**2) > 0.02 * np.mean(wave**2) else wave


def make(seed: int, stage: Stage) -> tuple[F32, dict[str, object]]:
    """The sound and the truth of a seed."""
    rng, held_out = stream(seed, "tags"), is_val(seed)
    count = int(SECONDS * RATE)
    clip = Clip(kind=pick(rng, list(KINDS), list(KINDS.values())))
    piece = compose(rng, draw_style(rng), SECONDS + 4)
    melodic = [f for f in FAMILIES if f not in ("drums", "bass")]
    wanted: list[str] = []
    if clip.kind == "solo":
        wanted = [pick(rng, FAMILIES)]
    elif clip.kind in ("few", "talk_over"):
        wanted = [str(f) for f in rng.choice(np.array([*FAMILIES, "singing"]), int(rng.integers(2, 4)), False)]
    elif clip.kind == "band":
        wanted = [
            "drums",
            "bass",
            *(str(f) for f in rng.choice(np.array(melodic), int(rng.integers(1, 4)), False)),
        ]
        wanted += ["singing"] if chance(rng, 0.4) else []
    elif clip.kind == "acappella":
        wanted = ["singing"] * pick(rng, (1, 1, 2, 3))
    for family in wanted:
        if family == "drums":
            hits = timed_hits(rng, piece, float(piece.beat_times[0]), SECONDS)
            if not hits:
                continue
            wave = mix_drums(rng, piece, hits, count, stage, clip.licences)
        else:
            notes = _notes(rng, piece, family, clip.kind == "solo")
            wave = _pitched(rng, clip, stage, family, notes, count)
        if chance(rng, 0.35):
            wave = fx.equalise(wave, fx.random_eq(rng, RATE))
        clip.add(family, _gate(rng, wave))
    _noises(rng, clip, stage, count, held_out)
    return _finish(rng, seed, clip, stage, count)


def _noises(rng: np.random.Generator, clip: Clip, stage: Stage, count: int, held_out: bool) -> None:
    """Talk, applause, recorded noises, where the kind of clip wants them."""
    if clip.kind in ("talk", "talk_over"):
        wave, licence = sounds.speech(rng, count, RATE, stage.data, held_out)
        clip.add("speech", wave)
        clip.licences.add(licence)
    if (clip.kind == "noise" and chance(rng, 0.5)) or chance(rng, 0.05):
        clip.add("applause", _gate(rng, sounds.applause(rng, count, RATE)))
        if chance(rng, 0.3):
            crowd = room.crowd(rng, count, RATE)
            clip.add("other", crowd * np.float32(0.3 * np.std(clip.stems["applause"])))
    elif clip.kind == "noise" or chance(rng, 0.06):
        if stage.data is not None and chance(rng, 0.7):
            wave, kind = sounds.recorded(rng, count, RATE, stage.data, held_out)
            clip.licences.add("CC BY 3.0 (ESC-10)")
            clip.add("applause" if kind in sounds.APPLAUSE_LIKE else "other", _gate(rng, wave))
        else:
            kind = pick(rng, ("pink", "hum", "crowd"))
            clip.add("other", _gate(rng, room.noise(rng, kind, count, RATE, None)))


def _finish(
    rng: np.random.Generator, seed: int, clip: Clip, stage: Stage, count: int
) -> tuple[F32, dict[str, object]]:
    out, send = np.zeros(count, np.float32), np.zeros(count, np.float32)
    music = any(n in FAMILIES for n in clip.stems)
    for name, wave in clip.stems.items():
        active = wave[np.abs(wave) > 1e-4]
        level = float(np.sqrt(np.mean(active**2))) if len(active) else 1.0
        db = LEVEL_DB.get(name, -4.0) + rng.normal(0, 3.5)
        db -= float(rng.uniform(4, 20)) if music and name in ("applause", "other") else 0.0
        clip.stems[name] = wave * np.float32(0.1 * 10 ** (db / 20) / max(level, 1e-6))
        out += clip.stems[name]
        send += clip.stems[name] * np.float32(rng.random() ** 2 * 0.6)
    if chance(rng, 0.5):
        tail = fx.reverb_tail(rng, RATE, log_uniform(rng, 0.2, 2.5), float(rng.uniform(0.2, 0.9)), 0.01)
        out += fx.convolve(send, tail)
    if chance(rng, 0.3):
        out = fx.chain(rng, out, RATE)
    frames = int(count / RATE / FRAME)
    whole = _power(out, frames)
    reference = np.mean(whole) + 1e-12
    levels = {
        name: np.maximum(np.round(10 * np.log10(_power(wave, frames) / reference + 1e-12)), FLOOR_DB)
        for name, wave in clip.stems.items()
    }
    hearing = room.draw(rng)
    hearing.resample, hearing.wow = 1.0, 0.0
    hearing.level_db = float(rng.uniform(-40, -9))
    hearing.noise_kind = pick(rng, ("pink", "hum"))
    audio = room.hear(rng, out, RATE, hearing, None)
    if chance(rng, 0.3):
        a = int(rng.uniform(0, 0.8) * count)
        z = min(count, a + int(rng.uniform(1, 5) * RATE))
        audio[a:z] = rng.standard_normal(z - a).astype(np.float32) * np.float32(
            10 ** (rng.uniform(-110, -72) / 20)
        )
        for values in levels.values():
            values[int(a / RATE / FRAME) : int(z / RATE / FRAME) + 1] = FLOOR_DB
    truth: dict[str, object] = {
        "seed": seed, "kind": clip.kind, "val": is_val(seed), "duration": SECONDS,
        "licences": sorted(clip.licences),
        "levels": {n: levels[n].astype(int).tolist() for n in STEMS if n in levels},
    }  # fmt: skip
    return np.clip(audio, -0.999, 0.999), truth


def _power(wave: F32, frames: int) -> npt.NDArray[np.float64]:
    step = int(RATE * FRAME)
    return np.asarray((wave[: frames * step].astype(np.float64) ** 2).reshape(frames, step).mean(axis=1))


def main() -> None:
    """Render from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=Path, help="folder with fsdd, esc10, drum_oneshots")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--clips", type=int, default=600)
    ap.add_argument("--held-out", action="store_true")
    ap.add_argument("--seed", type=int, default=9_000_000)
    a = ap.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    stage = Stage.open(a.data)
    for done, seed in enumerate(seeds(a.seed, a.clips, a.held_out), 1):
        target = a.out / f"{seed:08d}.json"
        if target.exists():
            continue
        audio, truth = make(seed, stage)
        soundfile.write(target.with_suffix(".flac"), audio, RATE, subtype="PCM_16")
        partial = target.with_suffix(".part")
        partial.write_text(json.dumps(truth, separators=(",", ":")))
        os.replace(partial, target)
        if done % 50 == 0:
            print(f"{done} clips", flush=True)


if __name__ == "__main__":
    reported(main)
