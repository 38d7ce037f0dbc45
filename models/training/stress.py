"""
The DJ stress set: ``python -m models.training.stress --data TRAIN --out DIR``.

What a DJ and a room do to a tracker, one condition at a time, with exact truth: ``audio/COND__NAME.ogg``,
``truth/COND__NAME.beats`` (``time<TAB>beat in bar``, 0 unknown), for hard cuts ``truth/COND__NAME.cuts`` (seconds,
one a line), and all labels in ``labels/COND__NAME.json``. Seeds are 3 000 000 007 + 50 k: no training run uses
them, and as validation seeds they draw only held-out songs and drummers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from models.training import dj, symbolic
from models.training import piece as pieces
from models.training.compose.composer import STYLES, compose
from models.training.labels import labels_of
from models.training.mix import RATE, Stage, mix
from models.training.render import Rendered, finish
from models.training.rng import chance, log_uniform, pick, stream
from models.training.room import Hearing
from models.training.score import Piece
from realtime.errors import reported

FIRST_SEED = 3_000_000_007
SECONDS = 60.0
CLEAN = Hearing(level_db=-16.0)
PLAIN = (("groove", 8), ("drop", 8)) * 6
"""A form in which all usual parts play throughout, so that only the condition makes it hard."""
VARIED = (
    "house",
    "rock",
    "dnb",
    "hiphop",
    "trance",
    "funk",
    "jcore",
    "samba",
    "techno",
    "electro_pop",
    "reggaeton",
    "metal",
)
Form = tuple[tuple[str, int], ...]
Maker = Callable[[int, int, Stage], Rendered]


def seed_of(condition: int, number: int, first: int = FIRST_SEED) -> int:
    """Seed of a piece: disjoint from training seeds, in the validation residue."""
    return first + 50 * (1000 * condition + number)


def _finish(
    seed: int, piece: Piece, stage: Stage, hearing: Hearing, seconds: float = SECONDS, start: float = 0.0
) -> Rendered:
    seconds = min(seconds, piece.duration - start)
    dry = mix(piece, seed, stage, start, seconds)
    head: dict[str, object] = {"seed": seed, "style": piece.style, "source": piece.source}
    return finish(
        stream(seed, "stress"), dry.audio, labels_of(piece, dry, start, seconds), head, hearing, stage.data
    )


def formed(styles: tuple[str, ...], form: Form) -> Maker:
    """A steady piece with a given form (kind, bars)."""

    def make(seed: int, number: int, stage: Stage) -> Rendered:
        rng = stream(seed, "piece")
        style = replace(STYLES[styles[number % len(styles)]], electronic=0.7)
        piece = compose(rng, style, SECONDS, steady=True, form=form, tame=True)
        return _finish(seed, piece, stage, CLEAN, seconds=piece.duration)

    return make


def ramped(factor: float) -> Maker:
    """Tempo ramps: steady, then over 16 beats to `factor`, steady, and back over 16 beats."""

    def make(seed: int, number: int, stage: Stage) -> Rendered:
        rng = stream(seed, "piece")
        style = STYLES[VARIED[number % len(VARIED)]]
        bpm = log_uniform(rng, *style.tempo)
        piece = compose(rng, style, SECONDS * 1.2, bpm, steady=True, form=PLAIN, tame=True)
        at = np.arange(piece.beats)
        third = int(SECONDS * bpm / 60 / 3)
        up, down = np.clip((at - third) / 16, 0, 1), np.clip((at - 2 * third) / 16, 0, 1)
        speed = bpm * factor ** (up - down)
        piece.beat_times = np.concatenate([[0.0], np.cumsum(60 / speed)])
        return _finish(seed, piece, stage, CLEAN)

    return make


def heard(hearing: Callable[[np.random.Generator], Hearing]) -> Maker:
    """An ordinary piece (every fourth one a held-out pop song) under a listening condition."""

    def make(seed: int, number: int, stage: Stage) -> Rendered:
        rng = stream(seed, "piece")
        condition = hearing(stream(seed, "hearing"))
        if number % 4 == 3 and stage.data and symbolic.pop909_songs(stage.data, True):
            piece = pieces.draw(seed, "pop909", stage.data, SECONDS)
            piece.tame = True
            start = float(piece.time(piece.bars[min(12, len(piece.bars) - 1)][0]))
            return _finish(seed, piece, stage, condition, start=start)
        piece = compose(rng, STYLES[VARIED[number % len(VARIED)]], SECONDS, form=PLAIN, tame=True)
        return _finish(seed, piece, stage, condition)

    return make


def faded(seed: int, number: int, stage: Stage) -> Rendered:
    """A beat-matched crossfade of 16, 32 or 64 beats."""
    rng = stream(seed, "dj")
    audio, labels, info = dj.crossfade(rng, seed, stage, (16, 32, 64)[number % 3], tame=True)
    return finish(rng, audio, labels, {"seed": seed, **info}, CLEAN, stage.data)


def cut(seed: int, number: int, stage: Stage) -> Rendered:
    """Hard cuts between unrelated pieces."""
    rng = stream(seed, "dj")
    audio, labels, info = dj.cut(rng, seed, stage, tame=True)
    return finish(rng, audio, labels, {"seed": seed, **info}, CLEAN, stage.data)


def metre(*styles: str) -> Maker:
    """Pieces of given styles."""

    def make(seed: int, number: int, stage: Stage) -> Rendered:
        piece = compose(
            stream(seed, "piece"), STYLES[styles[number % len(styles)]], SECONDS, form=PLAIN, tame=True
        )
        return _finish(seed, piece, stage, CLEAN)

    return make


def _noisy(db: float) -> Callable[[np.random.Generator], Hearing]:
    return lambda rng: replace(CLEAN, noise_db=db, noise_kind=pick(rng, ("crowd", "pink", "esc")))


def _phone(rng: np.random.Generator) -> Hearing:
    return Hearing(
        room_rt60=float(rng.uniform(0.7, 1.6)),
        room_direct_db=float(rng.uniform(-6, 0)),
        speaker="phone",
        noise_db=float(rng.uniform(0, 10)),
        noise_kind="crowd",
        clip_db=float(rng.uniform(3, 12)),
        agc=chance(rng, 0.7),
        level_db=-12.0,
    )


FAST = ("house", "techno", "trance", "dnb", "electro_pop", "hard_dance")
CONDITIONS: dict[str, Maker] = {
    "clean": heard(lambda rng: CLEAN),
    "crossfade": faded,
    "cut": cut,
    "breakdown8": formed(FAST, (("drop", 16), ("breakdown", 8), ("drop", 12))),
    "breakdown16": formed(FAST, (("drop", 16), ("breakdown", 16), ("drop", 12))),
    "breakdown32": formed(FAST, (("drop", 12), ("breakdown", 32), ("drop", 12))),
    "silence8": formed(FAST, (("drop", 16), ("silence", 8), ("drop", 12))),
    "halftime": formed(("dnb", "jcore", "rock", "trance"), (("drop", 8), ("half", 8), ("drop", 8), ("half", 8))),
    "ramp_up": ramped(1.10),
    "ramp_down": ramped(0.90),
    "wow": heard(lambda rng: replace(CLEAN, wow=log_uniform(rng, 0.003, 0.01))),
    "three": metre("waltz", "three_pop"),
    "six": metre("six_eight", "jig", "twelve_eight"),
    "noise_p20": heard(_noisy(20)),
    "noise_p10": heard(_noisy(10)),
    "noise_0": heard(_noisy(0)),
    "noise_m10": heard(_noisy(-10)),
    "phone": heard(_phone),
}


def write(folder: Path, name: str, rendered: Rendered) -> None:
    """Sound as Ogg Vorbis, truth as text, everything known as JSON."""
    for part in ("audio", "truth", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(
        folder / "audio" / f"{name}.ogg", "w", RATE, 1, format="OGG", subtype="VORBIS"
    ) as file:
        for at in range(0, len(rendered.audio), RATE):
            file.write(rendered.audio[at : at + RATE])
    beats = rendered.labels["beats"]
    assert isinstance(beats, list)
    truth = folder / "truth"
    (truth / f"{name}.beats").write_text("".join(f"{row[0]:.5f}\t{row[1]}\n" for row in beats))
    cuts = rendered.labels.get("cuts")
    if isinstance(cuts, list) and cuts:
        (truth / f"{name}.cuts").write_text("".join(f"{row[0]:.5f}\n" for row in cuts))
    (folder / "labels" / f"{name}.json").write_text(json.dumps(rendered.labels, separators=(",", ":")))


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m models.training.stress", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with pop909, groove, drum_oneshots, esc10")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pieces", type=int, default=4, help="pieces a condition")
    parser.add_argument("--only", nargs="*", choices=CONDITIONS, help="conditions to render")
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="seed to count from: another is another set")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    stage = Stage.open(args.data)
    for index, (condition, maker) in enumerate(CONDITIONS.items()):
        if args.only and condition not in args.only:
            continue
        for number in range(args.pieces):
            rendered = maker(seed_of(index, number, args.first), number, stage)
            write(args.out, f"{condition}__{number:02d}", rendered)
        print(f"{condition}: {args.pieces} pieces", flush=True)
    return 0


if __name__ == "__main__":
    reported(main)
