"""Render what drums are heard through: bass and the rest of a band, with the hits that belong to them.

    python -m models.drums.backing --data TRAIN --out BACKING --hours 8 --seed 7000000

A piece is ``SEED.npy`` (int16, bass and rest, 24 kHz) and ``SEED.json``, written last: the hits as time, voice and
velocity. The drums themselves are struck when a training step asks for them (:mod:`models.drums.scenes`), with
another kit, room and level each time. A run that is started again goes on; a seed always gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.training import articulate, fx
from models.training import piece as pieces
from models.training.compose.composer import STYLES, compose
from models.training.mix import LEVEL_DB, PROGRAMS, RATE, ROCK, Stage, timed_hits, timed_notes
from models.training.rng import chance, is_val, log_uniform, pick, stream
from models.training.score import Piece, Track
from models.training.synth import tone
from realtime.errors import reported

F32 = npt.NDArray[np.float32]
SECONDS = 36.0
BAND = ("rock", "punk", "metal", "shuffle", "funk", "soul", "rockabilly", "country", "indie", "anime_rock",
        "ballad", "groove_rock", "groove_punk", "gospel", "ska", "reggae", "swing", "disco", "rnb",
        "hiphop")  # fmt: skip
GUITARS = (27, 28, 29, 30)
LOUD = 0.05
"""Root mean square of either stem where it sounds."""


def draw(seed: int, data: Path | None) -> Piece:
    """The piece of a seed: human performances with a composed band, composed bands, songs."""
    rng = stream(seed, "backing")
    source = pick(rng, ("groove", "composer", "pop909"), (0.4, 0.38, 0.22)) if data else "composer"
    if source == "composer" and chance(rng, 0.75):
        names = [n for n in BAND if n in STYLES]
        return compose(rng, STYLES[pick(rng, names)], SECONDS + 8, tame=chance(rng, 0.6))
    return pieces.draw(seed, source, data, SECONDS + 8)


def render(seed: int, stage: Stage) -> tuple[npt.NDArray[np.int16], list[tuple[float, str, float]]]:
    """Both stems of a seed, shape ``(2, n)``, and its hits."""
    piece = draw(seed, stage.data)
    rng = stream(seed, "stems")
    spare = max(0.0, piece.duration - SECONDS)
    start = float(piece.beat_times[0]) + float(rng.uniform(0, spare))
    seconds = min(SECONDS, float(piece.beat_times[-1]) - start)
    count = int(seconds * RATE)
    hits = timed_hits(rng, piece, start, seconds)
    stems = np.zeros((2, count), np.float32)
    heavy = chance(rng, 0.55)
    for track in piece.tracks:
        notes = timed_notes(rng, piece, track, start, seconds)
        if not notes:
            continue
        wave = _part(rng, piece, track, notes, count, stage, heavy)
        level = _level(wave)
        if level > 1e-6:
            gain = 10 ** ((LEVEL_DB[track.role] + rng.normal(0, 4)) / 20) / level
            stems[0 if track.role == "bass" else 1] += wave * np.float32(gain)
    if chance(rng, 0.5):
        tail = fx.reverb_tail(rng, RATE, log_uniform(rng, 0.3, 2.0), float(rng.uniform(0.3, 0.9)), 0.01)
        stems[1] += fx.convolve(stems[1], tail) * np.float32(rng.uniform(0.05, 0.5))
    for stem in stems:
        level = _level(stem)
        if level > 1e-6:
            stem *= np.float32(LOUD / level)
    return (np.clip(stems, -0.999, 0.999) * 32767).astype(np.int16), hits


def _part(
    rng: np.random.Generator,
    piece: Piece,
    track: Track,
    notes: list[tuple[float, float, float, float]],
    count: int,
    stage: Stage,
    heavy: bool,
) -> F32:
    """One part as a band plays it: mostly sound fonts, guitars through an amplifier."""
    role = track.role
    if role == "vocal" and chance(rng, 0.7):
        return articulate.vocalise(rng, notes, count, RATE)
    if stage.fluid is None or chance(rng, 0.1 + 0.5 * piece.electronic):
        return tone.render(tone.random_patch(rng, role, piece.style), notes, count, RATE)
    table = ROCK if role in ROCK and (heavy or chance(rng, 0.4)) else PROGRAMS
    program = pick(rng, table[role])
    guitar = program in GUITARS and role != "bass"
    if guitar or chance(rng, 0.2):
        notes = articulate.strum(rng, notes)
    if guitar and chance(rng, 0.3):
        notes = articulate.shorten(rng, notes)
    if guitar and role == "chords" and chance(rng, 0.6):
        notes = powered(notes)
    wave = stage.fluid.render(pick(rng, stage.fonts), program, notes, count)
    if guitar and (heavy or program > 28):
        wave = amplified(rng, wave)
        if chance(rng, 0.4):  # doubled, as on most records
            second = stage.fluid.render(pick(rng, stage.fonts), pick(rng, GUITARS), notes, count)
            late = int(rng.uniform(0.002, 0.02) * RATE)
            wave[late:] += amplified(rng, second)[: count - late]
    elif role == "bass" and chance(rng, 0.4):
        wave = fx.saturate(wave / (np.abs(wave).max() + 1e-6), log_uniform(rng, 1, 8))
    return fx.equalise(wave, fx.random_eq(rng, RATE)) if chance(rng, 0.4) else wave


def powered(notes: list[tuple[float, float, float, float]]) -> list[tuple[float, float, float, float]]:
    """Power chords: root, fifth and octave of the lowest note of each chord, in a guitar's low range."""
    lowest: dict[int, tuple[float, float, float, float]] = {}
    for note in notes:
        slot = round(note[0] * 25)
        if slot not in lowest or note[2] < lowest[slot][2]:
            lowest[slot] = note
    made = []
    for t, d, p, v in lowest.values():
        root = 40 + (p - 40) % 12
        made += [(t, d, root + k, v) for k in (0, 7, 12)]
    return made


def amplified(rng: np.random.Generator, wave: F32) -> F32:
    """Distortion and a loudspeaker cabinet."""
    driven = fx.saturate(wave / (np.abs(wave).max() + 1e-6), log_uniform(rng, 3, 40))
    cabinet = [
        fx.biquad("high_pass", log_uniform(rng, 60, 120), 0.8, 0, RATE),
        fx.biquad("peak", log_uniform(rng, 1500, 3500), 1.0, float(rng.uniform(0, 8)), RATE),
        fx.biquad("low_pass", log_uniform(rng, 3500, 7000), 0.8, 0, RATE),
        fx.biquad("low_pass", 8000.0, 0.7, 0, RATE),
    ]
    out = fx.equalise(driven, cabinet)
    return np.asarray(out / np.float32(_level(out) + 1e-6), np.float32)


def _level(wave: F32) -> float:
    """Root mean square of what is not silence."""
    active = wave[np.abs(wave) > 1e-4 * (np.abs(wave).max(initial=0.0) + 1e-9)]
    return float(np.sqrt(np.mean(active**2))) if len(active) else 0.0


def save(folder: Path, seed: int, stems: npt.NDArray[np.int16], hits: list[tuple[float, str, float]]) -> None:
    """Write the stems, then (atomically) the hits."""
    np.save(folder / f"{seed:08d}.npy", stems)
    part = folder / f".{seed:08d}.part"
    rows = [[round(t, 5), voice, round(v, 3)] for t, voice, v in hits]
    part.write_text(json.dumps({"duration": stems.shape[1] / RATE, "hits": rows, "val": is_val(seed)}))
    os.replace(part, folder / f"{seed:08d}.json")


def main() -> None:
    """Render from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=Path, help="folder with pop909, groove")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--hours", type=float, default=8.0)
    ap.add_argument("--seed", type=int, default=7_000_000)
    a = ap.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    stage = Stage.open(a.data)
    done, seed, began = 0.0, a.seed, time.process_time()
    while done < a.hours * 3600:
        path = a.out / f"{seed:08d}.json"
        if not path.exists():
            try:
                save(a.out, seed, *render(seed, stage))
            except (ValueError, IndexError, OSError, ArithmeticError) as error:
                print(f"seed {seed}: left out ({type(error).__name__}: {error})", flush=True)
        if path.exists():
            done += float(json.loads(path.read_text())["duration"])
        seed += 1
        if seed % 50 == 0:
            print(f"{done / 3600:.2f} h, {time.process_time() - began:.0f} s of processor time", flush=True)


if __name__ == "__main__":
    reported(main)
