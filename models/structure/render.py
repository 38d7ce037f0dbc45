"""Render whole pieces of a few minutes, in which sections come and go as in a set, for training and scoring.

    python -m models.structure.render --data TRAIN --out DIR --pieces 60 [--held-out] [--seed 1]

Writes ``SEED.flac`` and ``SEED.json`` as ``models.training.render`` does (which cuts 30 to 80 seconds out of a
piece: too short for what happens over minutes). Resumes. ``--held-out``: seeds of which ``seed % 50 == 7``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from models.training import room
from models.training.compose.composer import compose, draw_style
from models.training.labels import labels_of
from models.training.mix import Stage, mix
from models.training.render import Rendered, finish, save
from models.training.rng import chance, is_val, seeds, stream
from realtime.errors import reported

PLANS = ("club", "epic", "game", "song")
TAME = 0.7


def make(seed: int, stage: Stage) -> Rendered:
    """The piece of a seed, 130 to 220 s."""
    rng = stream(seed, "structure")
    style = draw_style(rng)
    while style.plan not in PLANS or (style.plan == "song" and not chance(rng, 0.4)):
        style = draw_style(rng)
    hearing = room.draw(rng)
    piece = compose(rng, style, float(rng.uniform(130, 220)), speed=hearing.resample, tame=chance(rng, TAME))
    start = float(piece.beat_times[0])
    seconds = float(piece.beat_times[-1]) - start
    dry = mix(piece, seed, stage, start, seconds)
    head: dict[str, object] = {
        "seed": seed,
        "source": "composer",
        "style": piece.style,
        "instruments": dry.instruments,
        "licences": sorted(dry.licences),
        "val": is_val(seed),
    }
    return finish(rng, dry.audio, labels_of(piece, dry, start, seconds), head, hearing, stage.data)


def main() -> None:
    """Render from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=Path, help="folder with drum_oneshots and esc10")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--pieces", type=int, default=60)
    ap.add_argument("--held-out", action="store_true")
    ap.add_argument("--seed", type=int, default=8_000_000)
    a = ap.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    stage = Stage.open(a.data)
    for done, seed in enumerate(seeds(a.seed, a.pieces, a.held_out), 1):
        if not (a.out / f"{seed:08d}.json").exists():
            save(a.out, f"{seed:08d}", make(seed, stage))
            print(f"{done} pieces", flush=True)


if __name__ == "__main__":
    reported(main)
