"""
Render the training set: ``python -m models.training.render --data TRAIN --out DIR --hours H --seed S``.

Each piece comes from its own seed: the same seed and code give the same bytes. A run that is started again
goes on where it stopped. `models/training/README.md` describes the format.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from rich.progress import Progress, TimeRemainingColumn

from models.training import piece as pieces
from models.training import room
from models.training.dj import dj_mix
from models.training.labels import Labels, labels_of, map_times, rounded, times_of
from models.training.mix import RATE, Stage, mix
from models.training.rng import chance, is_val, pick, stream
from realtime.errors import reported

DEFAULT_MIX = {"composer": 0.66, "pop909": 0.18, "groove": 0.10, "mix": 0.06}


@dataclass
class Rendered:
    """Audio (mono float32, 24 kHz) with its labels as they go into the JSON file."""

    audio: np.ndarray
    labels: dict[str, object]


def render_seed(seed: int, source: str, stage: Stage, hearing: room.Hearing | None = None) -> Rendered:
    """
    Render the piece of a seed.

    Parameters
    ----------
    source : str
        composer, pop909, groove or mix.
    hearing : models.training.room.Hearing, optional
        Listening condition; drawn when missing.
    """
    rng = stream(seed, "render")
    listening = hearing or room.draw(rng)
    if source == "mix":
        listening.resample = float(np.clip(listening.resample, 0.93, 1.08))
        audio, labels, info = dj_mix(seed, stage)
    else:
        seconds = float(rng.uniform(30, 80))
        piece = pieces.draw(seed, source, stage.data, seconds + 8, listening.resample)
        slack = max(0.0, piece.duration - seconds)
        start = float(piece.beat_times[0]) + (float(rng.uniform(0, slack)) if chance(rng, 0.6) else 0.0)
        start -= float(rng.uniform(0, 2)) if chance(rng, 0.15) else 0.0
        seconds = min(seconds, float(piece.beat_times[-1]) - start)
        dry = mix(piece, seed, stage, start, seconds)
        audio, labels = dry.audio, labels_of(piece, dry, start, seconds)
        info = {"style": piece.style, "instruments": dry.instruments, "licences": sorted(dry.licences)}
    head = {"seed": seed, "source": source, **info, "val": is_val(seed)}
    return finish(rng, audio, labels, head, listening, stage.data)


def finish(
    rng: np.random.Generator,
    audio: np.ndarray,
    labels: Labels,
    head: dict[str, object],
    hearing: room.Hearing,
    data: Path | None,
) -> Rendered:
    """From the dry mix to what is heard: listening condition, time warps of sound and labels."""
    audio = room.hear(rng, audio, RATE, hearing, data)
    points = np.linspace(0, len(audio) / RATE, 20000)
    audio, moved = room.warp(audio, points, RATE, hearing.resample, hearing.wow)
    labels = map_times(labels, lambda t: np.interp(t, points, moved))
    for name in ("beats", "drums", "sections"):
        labels[name] = [row for row in labels[name] if times_of(row, 1)[0] < len(audio) / RATE]
    return Rendered(np.clip(audio, -0.999, 0.999), {**head, "duration": len(audio) / RATE, **rounded(labels)})


def save(folder: Path, name: str, rendered: Rendered) -> None:
    """Write the sound, then (atomically) the labels."""
    soundfile.write(folder / f"{name}.flac", rendered.audio, RATE, subtype="PCM_16")
    part = folder / f".{name}.json.part"
    part.write_text(json.dumps(rendered.labels, separators=(",", ":")))
    part.replace(folder / f"{name}.json")


def source_of(seed: int, shares: dict[str, float]) -> str:
    """The source of a seed under the given shares."""
    return pick(stream(seed, "source"), list(shares), list(shares.values()))


@lru_cache(maxsize=1)
def _stage(data: str) -> Stage:
    """The worker process's `Stage`, opened once."""
    return Stage.open(Path(data) if data else None)


def _work(task: tuple[int, str, str, str]) -> tuple[int, float, str]:
    """Render one piece in a worker process; returns its seed, its seconds, and what went wrong."""
    seed, source, data, out = task
    try:
        rendered = render_seed(seed, source, _stage(data))
    except (ValueError, IndexError, OSError, ArithmeticError) as error:
        return seed, 0.0, f"{type(error).__name__}: {error}"
    save(Path(out), f"{seed:08d}", rendered)
    return seed, len(rendered.audio) / RATE, ""


def write_index(folder: Path) -> None:
    """List the finished pieces in ``index.json``, atomically."""
    names = sorted(p.stem for p in folder.glob("[0-9]*.json"))
    part = folder / ".index.json.part"
    part.write_text(json.dumps({"pieces": names, "rate": RATE}))
    part.replace(folder / "index.json")


def parse_shares(text: str) -> dict[str, float]:
    """Read ``composer=.6,pop909=.25,…``."""
    shares = {}
    for item in text.split(","):
        name, _, value = item.partition("=")
        if name not in DEFAULT_MIX:
            raise argparse.ArgumentTypeError(f"unknown source {name!r}; choose from {', '.join(DEFAULT_MIX)}")
        shares[name] = float(value)
    return shares


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m models.training.render", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with pop909, groove, drum_oneshots, esc10")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1_000_000, help="first seed; pieces use consecutive seeds")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--mix", type=parse_shares, default=DEFAULT_MIX)
    parser.add_argument("--held-out", action="store_true", help="validation pieces only, for the benches")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    shares = args.mix if args.data else {"composer": 1.0}
    done = sum(float(json.loads(p.read_text())["duration"]) for p in args.out.glob("[0-9]*.json"))
    have = {int(p.stem) for p in args.out.glob("[0-9]*.json")}
    wanted, seed = args.hours * 3600, args.seed
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    def tasks() -> Iterator[tuple[int, str, str, str]]:
        number = seed
        while True:
            if number not in have and (is_val(number) or not args.held_out):
                yield number, source_of(number, shares), str(args.data or ""), str(args.out)
            number += 1

    with Progress(*Progress.get_default_columns(), TimeRemainingColumn()) as progress:
        bar = progress.add_task("rendering", total=wanted, completed=min(done, wanted))
        pool = multiprocessing.get_context("spawn").Pool(args.jobs) if args.jobs > 1 else None
        results = pool.imap_unordered(_work, tasks()) if pool else map(_work, tasks())
        for number, seconds, problem in results:
            if problem:
                progress.console.print(f"seed {number}: left out ({problem})")
            done += seconds
            progress.update(bar, completed=min(done, wanted))
            if done >= wanted:
                break
        if pool:
            pool.terminate()
    write_index(args.out)
    return 0


if __name__ == "__main__":
    reported(main)
