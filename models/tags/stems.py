"""Render stems for the tags' training: five seconds of one kind of sound each, kept as features.

    python -m models.tags.stems OUT --data TRAIN --packages DIR … --bank BANK --music MUSIC --count 5000
        [--held-out] [--seed 20000000]

Training mixes them anew for every batch (``models.tags.blend``): in log-mel frames a mix costs a hundredth of
what it costs in sound. Writes ``OUT/SEED.npz`` for every 200 stems: ``features`` (n, 200, 80) float16 of sound at
0.1 RMS, ``kinds`` and ``labels`` (n, 50, 12) uint8, 255 for what is not known. Resumes. Held-out
seeds (``seed % 50 == 7``) use a sound font, speakers, recordings and pieces that occur in no other.
"""

from __future__ import annotations

import argparse
import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from models.tags import fonts, sounds
from models.tags.blend import UNKNOWN
from models.tags.features import Frames
from models.tags.labels import FAMILIES, FRAME, LEARNT
from models.tags.render import long_notes
from models.tags.truth import piece_truth
from models.training import articulate, fx
from models.training.compose.composer import compose, draw_style
from models.training.dataset import is_validation
from models.training.mix import KITS, RATE, Stage, mix_drums, timed_hits
from models.training.rng import chance, log_uniform, pick, seeds, stream
from models.training.synth import tone
from models.training.synth.fluid import GM_DRUM
from models.voice import recordings
from models.voice.noises import made_noise
from realtime.errors import reported

F32 = npt.NDArray[np.float32]
Rng = np.random.Generator
SECONDS = 5.0
COUNT = int(SECONDS * RATE)
STEPS = round(SECONDS / FRAME)
CHUNK = 200
HEARD = 1.2
"""Mean feature from which a step of a rendered piece counts as heard, log10(1 + 1e5 m)."""
KINDS = {
    "drums": 8, "bass": 7, "guitar": 9, "keys": 9, "strings": 12, "brass": 10, "winds": 13, "synth": 8,
    "speech": 13, "singing": 7, "applause": 4, "other": 7, "recorded": 12, "rendered": 9,
}  # fmt: skip
"""How often each kind is drawn; ``recorded``: music without voices, ``rendered``: of models.training."""


@dataclass
class Material:
    """What stems are made of."""

    stage: Stage
    fonts: dict[str, Path]
    bank: npt.NDArray[np.int16]
    clips: list[tuple[int, int, str]]
    pieces: list[Path]
    recorded: list[recordings.Recording]
    ambience: list[recordings.Recording]
    applause: list[Path]
    held_out: bool

    @classmethod
    def open(cls, data: Path, packages: list[Path], bank: Path, music: Path, held_out: bool) -> Material:
        """Find everything; of recordings one in twenty is held out, of speakers one in twelve."""
        clips = [
            (int(s), int(n), str(w))
            for s, n, w in json.loads(bank.with_suffix(".json").read_text())
            if (zlib.crc32(str(w).encode()) % 12 == 7) == held_out or w == "sung"
        ]

        def part(found: list[recordings.Recording]) -> list[recordings.Recording]:
            return [r for k, r in enumerate(found) if (k % 20 == 7) == held_out]

        pieces = [p for p in sorted(music.glob("*.json")) if is_validation(p.stem) == held_out]
        recorded = part([r for p in packages for r in recordings.music(p)])
        ambience = part([r for p in packages for r in recordings.ambience(p)])
        clapping = sorted(q for p in packages for q in p.rglob("*.ogg") if re.search("applause|raving", q.name))
        return cls(
            Stage.open(data), fonts.locate(packages), np.load(bank.with_suffix(".npy"), mmap_mode="r"), clips,
            [p for p in pieces if p.with_suffix(".flac").exists()], recorded, ambience, clapping, held_out,
        )  # fmt: skip


def melody(rng: Rng, low: int, high: int) -> fonts.Notes:
    """Notes of one player: a single one, several with rests, a line, or chords of several players."""
    kind = pick(rng, ("single", "long", "line", "chords"), (0.32, 0.28, 0.22, 0.18))
    if kind == "single":
        at, out = float(rng.uniform(0, 1.2)), []
        while at < SECONDS - 0.5:
            length = log_uniform(rng, 0.25, 4.5)
            out.append((at, length, float(rng.integers(low, high + 1)), float(rng.uniform(0.15, 1))))
            at += length + float(rng.uniform(0.5, 2.5))
        return out
    if kind == "long":
        return long_notes(rng, SECONDS, low, high)
    pace, at, key = log_uniform(rng, 0.09, 0.7), float(rng.uniform(0, 0.4)), float(rng.integers(low, high + 1))
    out, velocity = [], float(rng.uniform(0.3, 1))
    while at < SECONDS:
        length = pace * pick(rng, (0.5, 1, 1, 1, 2, 3)) * (3 if kind == "chords" else 1)
        key = float(np.clip(key + pick(rng, (-5, -4, -3, -2, -2, -1, 0, 1, 2, 2, 3, 4, 5, 7)), low, high))
        keys = [key]
        if kind == "chords":
            keys += [key + d for d in pick(rng, ((4, 7), (3, 7), (7, 12), (5, 9), (4, 7, 12), (-12, 3, 7), (12,)))]
        if chance(rng, 0.88):
            hold = length * float(rng.uniform(0.4, 1.02))
            hard = float(np.clip(velocity + rng.normal(0, 0.12), 0.1, 1))
            out += [(at, hold, float(np.clip(k, low - 4, high + 4)), hard) for k in keys]
        at += length
    return out


def _part(rng: Rng, m: Material, family: str) -> F32:
    """One player's part of a family."""
    programs = fonts.PROGRAMS[family]
    names = sorted(n for n in m.fonts if (n == fonts.HELD_OUT) == m.held_out)
    program = pick(rng, list(programs), [fonts.WEIGHTS.get(p, 1) for p in programs])
    notes = melody(rng, *programs[program])
    if family in ("guitar", "keys") and chance(rng, 0.4):
        notes = articulate.strum(rng, notes)
    if family in ("guitar", "bass", "strings") and chance(rng, 0.1):
        notes = articulate.shorten(rng, notes)
    if family == "synth" and chance(rng, 0.6):
        return tone.render(tone.random_patch(rng, pick(rng, ("lead", "pad", "chords", "arp"))), notes, COUNT, RATE)
    if family == "bass" and chance(rng, 0.15):
        return tone.render(tone.random_patch(rng, "bass"), notes, COUNT, RATE)
    font = pick(rng, names, [fonts.FONTS[n][0] or 1.0 for n in names])
    wave = None
    if font == "freepats":
        wave = fonts.play(m.fonts[font], program, notes, COUNT, RATE)
    if wave is None:
        others = [n for n in names if n != "freepats"]
        font = font if font != "freepats" else pick(rng, others)
        assert m.stage.fluid is not None
        wave = m.stage.fluid.render(str(m.fonts[font]), program, notes, COUNT)
    if program in (29, 30) and chance(rng, 0.85):
        wave = fx.saturate(wave / (np.max(np.abs(wave)) + 1e-6), log_uniform(rng, 2, 20))
    return wave


def _alive(rng: Rng, wave: F32, family: str) -> F32:
    """What players do and sound fonts do not: vibrato, drift, swells, breath or bow."""
    t = np.arange(len(wave), dtype=np.float64)
    if family in ("strings", "winds", "brass", "singing") and chance(rng, 0.45):
        rate, cents = rng.uniform(3.5, 7.0), log_uniform(rng, 3, 45)
        depth = (2 ** (cents / 1200) - 1) / (2 * np.pi * rate / RATE)
        shape = depth * np.sin(2 * np.pi * rate * t / RATE + rng.uniform(0, 6.3))
        wave = np.interp(t + shape * np.clip(t / RATE / rng.uniform(0.05, 1.5), 0, 1), t, wave).astype(np.float32)
    if chance(rng, 0.5):
        knots = rng.normal(0, rng.uniform(1, 6), int(rng.integers(4, 24)))
        wave = wave * 10 ** (np.interp(t, np.linspace(0, len(t), len(knots)), knots) / 20).astype(np.float32)
    if chance(rng, 0.4 if family in ("strings", "winds", "brass") else 0.1):
        block = 240
        envelope = np.sqrt(np.convolve((wave**2).reshape(-1, block).mean(1), np.ones(4) / 4, "same") + 1e-12)
        hiss = rng.standard_normal(len(wave)).astype(np.float32)
        hiss = fx.equalise(hiss, fx.random_eq(rng, RATE, 14.0))
        amount = 10 ** (rng.uniform(-48, -24) / 20)
        wave = wave + (np.repeat(envelope, block) * amount * hiss).astype(np.float32)
    return wave


def _drums(rng: Rng, m: Material) -> F32:
    piece = compose(rng, draw_style(rng), SECONDS + 3)
    hits = timed_hits(rng, piece, float(piece.beat_times[0]), SECONDS)
    while not hits:
        piece = compose(rng, draw_style(rng), SECONDS + 3)
        hits = timed_hits(rng, piece, float(piece.beat_times[0]), SECONDS)
    if chance(rng, 0.4):
        names = sorted(n for n in m.fonts if n != "freepats" and (n == fonts.HELD_OUT) == m.held_out)
        notes = [(t, 0.2, float(GM_DRUM[v]), float(np.clip(a, 0.05, 1))) for t, v, a in hits]
        assert m.stage.fluid is not None
        return m.stage.fluid.render(str(m.fonts[pick(rng, names)]), pick(rng, KITS), notes, COUNT, drums=True)
    return mix_drums(rng, piece, hits, COUNT, m.stage, set())


def _speech(rng: Rng, m: Material, sung: bool = False) -> F32:
    own = [c for c in m.clips if (c[2] == "sung") == sung]
    out, at = np.zeros(COUNT, np.float32), int(rng.uniform(-0.5, 0.8) * RATE)
    who = pick(rng, sorted({c[2] for c in own}))
    own = [c for c in own if c[2] == who]
    pace = log_uniform(rng, 0.88, 1.14)
    while at < COUNT:
        start, length, _ = pick(rng, own)
        wave = np.asarray(m.bank[start : start + length], np.float32) / 32768
        wave = np.interp(np.arange(0, length - 1, pace), np.arange(length), wave).astype(np.float32)
        skip = max(0, -at)
        part = wave[skip : skip + COUNT - max(at, 0)]
        out[max(at, 0) : max(at, 0) + len(part)] += part
        at += len(wave) + int((rng.uniform(0.02, 0.4) if chance(rng, 0.7) else rng.uniform(0.4, 2)) * RATE)
    return out


def _cut(rng: Rng, found: list[recordings.Recording], fill: bool) -> F32:
    """Five seconds of a recording, repeated if it is shorter and is to fill them."""
    for _ in range(20):
        source = pick(rng, found)
        length = source.seconds()
        read = source.read(float(rng.uniform(0, max(0.0, length - SECONDS - 0.5))), SECONDS + 0.2)
        if read is None or len(read[0]) < 0.2 * read[1]:
            continue
        wave = np.asarray(soxr.resample(*read, RATE), np.float32)
        wave = np.tile(wave, -(-COUNT // len(wave))) if fill else np.pad(wave, (0, max(0, COUNT - len(wave))))
        if np.sqrt(np.mean(wave[:COUNT] ** 2)) > 1e-4:
            return wave[:COUNT]
    return np.zeros(COUNT, np.float32)


def sound(rng: Rng, m: Material, kind: str) -> F32:
    """Five seconds of one kind, all but rendered music."""
    data = m.stage.data
    if kind == "speech":
        wave = _speech(rng, m)
    elif kind == "singing":
        how = pick(rng, ("own", "bank", "font"), (0.6, 0.2, 0.2))
        if how == "own":
            wave = articulate.vocalise(rng, melody(rng, 42, 78), COUNT, RATE)
        else:
            wave = _speech(rng, m, sung=True) if how == "bank" else _alive(rng, _part(rng, m, "singing"), kind)
    elif kind == "drums":
        wave = _drums(rng, m)
    elif kind == "applause":
        how = pick(rng, ("own", "recorded", "like"), (0.6, 0.2, 0.2))
        if how == "recorded" and m.applause and not m.held_out:
            wave = _cut(rng, [recordings.Recording(p) for p in m.applause], True)
        elif how == "like" and data is not None:
            wave, like = sounds.recorded(rng, COUNT, RATE, data, m.held_out)
            wave = wave if like in sounds.APPLAUSE_LIKE else sounds.applause(rng, COUNT, RATE)
        else:
            wave = sounds.applause(rng, COUNT, RATE)
    elif kind == "other":
        how = pick(rng, ("esc", "ambience", "made"), (0.35, 0.45, 0.2))
        wave = (
            _cut(rng, m.ambience, chance(rng, 0.5))
            if how == "ambience" and m.ambience
            else made_noise(rng, COUNT, RATE)
        )
        if how == "esc" and data is not None:
            wave, like = sounds.recorded(rng, COUNT, RATE, data, m.held_out)
            while like in sounds.APPLAUSE_LIKE:
                wave, like = sounds.recorded(rng, COUNT, RATE, data, m.held_out)
    elif kind == "recorded":
        wave = _cut(rng, m.recorded, True)
    else:
        wave = _alive(rng, _part(rng, m, kind), kind)
        if chance(rng, 0.15):
            wave = (wave + _alive(rng, _part(rng, m, kind), kind)).astype(np.float32)
    if kind not in ("recorded", "other") and chance(rng, 0.55):
        tail = fx.reverb_tail(rng, RATE, log_uniform(rng, 0.15, 2.2), float(rng.uniform(0.2, 0.9)), 0.01)
        wave = (wave + fx.convolve(wave, tail) * np.float32(rng.uniform(0.1, 1.0))).astype(np.float32)
    if kind in ("recorded", *FAMILIES) and chance(rng, 0.25):
        wave = fx.chain(rng, wave, RATE)
    return wave


def make(seed: int, m: Material, frames: Frames) -> tuple[F32, str, npt.NDArray[np.uint8]]:
    """Features ``(200, 80)``, kind and labels ``(50, 12)`` of a seed."""
    rng = stream(seed, "tag stem")
    kind = pick(rng, list(KINDS), list(KINDS.values()))
    labels = np.full((STEPS, len(LEARNT)), UNKNOWN, np.uint8)
    start = 0.0
    if kind == "rendered":
        path = pick(rng, m.pieces)
        truth = json.loads(path.read_text())
        start = round(float(rng.uniform(0, max(0.0, truth["duration"] - SECONDS))), 1)
        wave = soundfile.read(path.with_suffix(".flac"), COUNT, int(start * RATE), dtype="float32")[0]
        wave = np.pad(wave, (0, COUNT - len(wave)))
    else:
        wave = sound(rng, m, kind)
    level = (
        np.sqrt(np.mean(wave[np.abs(wave) > 1e-3 * np.abs(wave).max()] ** 2)) if np.abs(wave).max() > 0 else 1.0
    )
    found = frames.clip((wave * (0.1 / max(float(level), 1e-6))).astype(np.float32))
    if kind == "rendered":
        loud = found.reshape(STEPS, -1).mean(1) > HEARD
        target, weight = piece_truth(truth, start + (1 + np.arange(STEPS, dtype=np.float64)) * FRAME, loud)
        labels = np.where(weight > 0, target, UNKNOWN).astype(np.uint8)
    elif kind == "recorded":
        labels[:, [LEARNT.index(t) for t in ("speech", "singing", "applause")]] = 0
        labels[:, LEARNT.index("music")] = found.reshape(STEPS, -1).mean(1) > HEARD
    return found, kind, labels


def main() -> None:
    """Render from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out", type=Path)
    ap.add_argument("--data", type=Path, required=True, help="folder with esc10, drum_oneshots")
    ap.add_argument("--packages", type=Path, nargs="+", required=True, help="folders of unpacked packages")
    ap.add_argument("--bank", type=Path, required=True, help="of models.voice.corpus")
    ap.add_argument("--music", type=Path, required=True, help="folder of models.training.render")
    ap.add_argument("--count", type=int, default=5000)
    ap.add_argument("--held-out", action="store_true")
    ap.add_argument("--seed", type=int, default=20_000_000)
    a = ap.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    m, frames = Material.open(a.data, a.packages, a.bank, a.music, a.held_out), Frames()
    print(
        {n: len(getattr(m, n)) for n in ("fonts", "clips", "pieces", "recorded", "ambience", "applause")},
        flush=True,
    )
    wanted = list(seeds(a.seed, a.count, a.held_out))
    for first in range(0, len(wanted), CHUNK):
        chunk = wanted[first : first + CHUNK]
        target = a.out / f"{chunk[0]:08d}.npz"
        if target.exists():
            continue
        made = [make(s, m, frames) for s in chunk]
        partial = target.with_name(f".{target.name}")
        np.savez(
            partial, features=np.stack([f for f, _, _ in made]).astype(np.float16),
            kinds=np.array([k for _, k, _ in made]), labels=np.stack([t for _, _, t in made]),
        )  # fmt: skip
        partial.replace(target)
        print(f"{first + len(chunk)} stems", flush=True)


if __name__ == "__main__":
    reported(main)
