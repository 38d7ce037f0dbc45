"""Render whole pieces of a few minutes, in which sections come and go as in a set, for training and scoring.

    python -m models.structure.render --data TRAIN --out DIR --pieces 60 [--held-out] [--seed 1]

Writes ``SEED.flac`` and ``SEED.json`` as ``models.training.render`` does (which cuts 30 to 80 seconds out of a
piece: too short for what happens over minutes); its ``sections`` say what plays (`playing.py`). Resumes.
``--held-out``: seeds of which ``seed % 50 == 7``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from models.structure.forms import draw_form, dress
from models.structure.playing import rows
from models.training import room
from models.training.compose.composer import compose, draw_style
from models.training.labels import labels_of
from models.training.mix import RATE, Stage, mix
from models.training.render import Rendered, finish, save
from models.training.rng import chance, is_val, log_uniform, seeds, stream
from realtime.errors import reported

PLANS = ("club", "epic", "game", "song")
TAME = 0.7
FORMS = 0.7
"""Share of the pieces with the long sections of `forms.py`; the others have the composer's own, short and wild."""


def make(seed: int, stage: Stage) -> Rendered:
    """The piece of a seed, 130 to 220 s."""
    rng = stream(seed, "structure")
    style = draw_style(rng)
    while style.plan not in PLANS or (style.plan == "song" and not chance(rng, 0.4)):
        style = draw_style(rng)
    hearing = room.draw(rng)
    seconds, tame = float(rng.uniform(130, 220)), chance(rng, TAME)
    if chance(rng, FORMS):
        tempo = log_uniform(rng, *style.tempo)
        form = draw_form(rng, style.plan in ("club", "epic"), 60 * style.metre / tempo, seconds)
        piece = compose(
            rng, style, seconds, tempo / hearing.resample, speed=hearing.resample, tame=tame, form=form
        )
        dress(rng, piece, form)
    else:
        piece = compose(rng, style, seconds, speed=hearing.resample, tame=tame)
    start = float(piece.beat_times[0])
    seconds = float(piece.beat_times[-1]) - start
    dry = mix(piece, seed, stage, start, seconds)
    labels = labels_of(piece, dry, start, seconds)
    labels["sections"] = rows(piece, dry.audio, start, seconds, RATE)
    head: dict[str, object] = {
        "seed": seed,
        "source": "composer",
        "style": piece.style,
        "instruments": dry.instruments,
        "licences": sorted(dry.licences),
        "val": is_val(seed),
    }
    return finish(rng, dry.audio, labels, head, hearing, stage.data)


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
