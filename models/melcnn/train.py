"""Train the mel CNN on rendered music; resumes.

    python -m models.training.render --data TRAIN --out MUSIC --hours 33 --seed 5000000 \
        --mix composer=.66,pop909=.18,groove=.10,mix=.06
    python -m models.melcnn.train --music MUSIC --out OUT

Ends with ``OUT/final.pt`` and ``OUT/melcnn.onnx``, and prints how good it is on the held-out pieces (seed % 50 is
7). One thread.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.melcnn.features import F32, LENGTH, SIZE, SPEC, Picture, level
from models.melcnn.labels import GENRES, PARTS, genre
from models.melcnn.network import Answer, MelCNN
from models.scoring.roc import auc
from models.training import loop
from models.training.export import PARITY, export_onnx, parity
from realtime.errors import reported

PICTURES = 6
"""Places in a piece that are looked at."""
BATCH = 64
_STEP = 5.0 / 255
_MOST_SPAN = 6


@dataclass(frozen=True)
class Set:
    """Pictures and what is true of them.

    Attributes
    ----------
    pictures : ndarray of uint8, shape (n, 128, 128)
        In steps of 5/255 of log10.
    genres : ndarray of int, shape (n,)
        -1: not known.
    parts : ndarray of float32, shape (n, 6)
        Whether a part plays.
    pieces : ndarray of int, shape (n,)
        Seed of the piece.
    """

    pictures: npt.NDArray[np.uint8]
    genres: npt.NDArray[np.int64]
    parts: F32
    pieces: npt.NDArray[np.int64]

    def take(self, chosen: npt.NDArray[np.bool_]) -> Set:
        """Some of them."""
        return Set(self.pictures[chosen], self.genres[chosen], self.parts[chosen], self.pieces[chosen])


def truth(piece: dict[str, object], begin: float, end: float) -> F32:
    """Which parts play between two times, shape (6,).

    Drums and voice are known to the hit and the span; of the others only whether the piece has them at all.
    """
    has = piece["instruments"]
    assert isinstance(has, list)
    plays = np.array([p in has for p in PARTS], np.float32)
    drums, vocals = piece["drums"], piece["vocals"]
    assert isinstance(drums, list)
    assert isinstance(vocals, list)
    plays[0] = sum(begin <= hit[0] <= end for hit in drums) >= 2
    if piece["source"] == "composer" and plays[-1] and vocals:
        plays[-1] = any(span[0] < end - 0.5 and span[1] > begin + 0.5 for span in vocals)
    return plays


def gather(music: Path, cache: Path) -> Set:
    """Pictures of all pieces but mixes, from `cache` if they are there."""
    if not cache.exists():
        picture, rows = Picture(), []
        for path in sorted(music.glob("*.json")):
            piece = json.loads(path.read_text(encoding="utf-8"))
            audio = path.with_suffix(".flac")
            if piece["source"] == "mix" or piece["duration"] < 12 or not audio.exists():
                continue
            rows += list(_pictures(picture, audio, piece))
        stacked = [np.stack(column) for column in zip(*rows)]
        with cache.with_suffix(".part").open("wb") as f:
            np.savez(f, pictures=stacked[0], genres=stacked[1], parts=stacked[2], pieces=stacked[3])
        cache.with_suffix(".part").replace(cache)
    with np.load(cache) as stored:
        return Set(*(stored[k] for k in ("pictures", "genres", "parts", "pieces")))


def _pictures(picture: Picture, audio: Path, piece: dict[str, object]) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    seed = np.int64(str(piece["seed"]))
    with soundfile.SoundFile(audio) as file:
        for k in range(PICTURES):
            start = int((0.06 + 0.88 * k / PICTURES) * (file.frames - LENGTH))
            file.seek(start)
            sound = file.read(LENGTH, dtype="float32")
            if len(sound) < LENGTH or float(np.sqrt(np.mean(sound**2))) < 1e-3:
                continue
            begin = start / SPEC.sample_rate
            plays = truth(piece, begin, begin + LENGTH / SPEC.sample_rate)
            shown = np.clip(np.round(picture.raw(sound) / _STEP), 0, 255).astype(np.uint8)
            found.append((shown, np.int64(genre(str(piece["style"]))), plays, seed))
    return found


def pictures(given: npt.NDArray[np.uint8]) -> F32:
    """Stored pictures as the live plugin sees them."""
    return level(given.astype(np.float32) * np.float32(_STEP))


def vary(rng: np.random.Generator, shown: F32) -> F32:
    """Another loudspeaker, and holes in time and pitch (Park et al., SpecAugment, 2019)."""
    n = len(shown)
    knots = rng.normal(0, 0.35, (n, 5))
    grid = np.linspace(0, 4, SIZE)
    tilt = np.stack([np.interp(grid, np.arange(5), k) for k in knots])
    out = shown + tilt[:, :, None].astype(np.float32)
    for picture in out:
        for axis in (0, 1):
            at, wide = int(rng.integers(0, SIZE)), int(rng.integers(0, 3 * _MOST_SPAN))
            if axis == 0:
                picture[at : at + wide] = 0
            else:
                picture[:, at : at + wide] = 0
    return out


def score(net: nn.Module, held: Set) -> dict[str, float]:
    """Share of right genres by picture and by piece, mean over genres, and mean AUC of the parts."""
    answer = Answer(net).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        found = [
            answer(torch.from_numpy(pictures(held.pictures[k : k + 64]))) for k in range(0, len(held.genres), 64)
        ]
    genres = torch.cat([g for g, _ in found]).numpy()
    parts = torch.cat([p for _, p in found]).numpy()
    known = held.genres >= 0
    right = genres.argmax(1) == held.genres
    by_genre = [float(right[held.genres == g].mean()) for g in np.unique(held.genres[known])]
    seeds = np.unique(held.pieces[known])
    pieces = [genres[held.pieces == s].mean(0).argmax() == held.genres[held.pieces == s][0] for s in seeds]
    third = (np.argsort(-genres, axis=1)[:, :3] == held.genres[:, None]).any(1)
    aucs = [auc(held.parts[:, k] > 0.5, parts[:, k]) for k in range(len(PARTS))]
    return {
        "genre": float(right[known].mean()),
        "top3": float(third[known].mean()),
        "mean_over_genres": float(np.mean(by_genre)),
        "piece": float(np.mean(pieces)),
        **{f"auc_{p}": a for p, a in zip(PARTS, aucs)},
    }


def export(net: MelCNN, path: Path) -> float:
    """Write the ONNX; returns the largest difference from torch; raises ``RuntimeError`` if it exceeds 1e-4."""
    step, given = Answer(net.eval()), {"picture": torch.randn(3, SIZE, SIZE)}
    export_onnx(step, given, ["genres", "parts"], {"picture": 0, "genres": 0, "parts": 0}, path)
    difference = parity(step, given, path)
    if difference > PARITY:
        raise RuntimeError(f"{path}: ONNX differs from torch by {difference:.2g}")
    return difference


def train(music: Path, out: Path, steps: int, seed: int) -> dict[str, float]:
    """The whole training; returns the held-out figures."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    every = gather(music, out / "pictures.npz")
    held = every.pieces % 50 == 7
    ours, theirs = every.take(~held), every.take(held)
    counts = np.bincount(ours.genres[ours.genres >= 0], minlength=len(GENRES))
    # Rare genres weigh more, but not as much more as they are rare: they would be learnt by heart
    share = 1 / np.sqrt(np.maximum(counts, 1))
    weight = torch.from_numpy((share / share[counts > 0].mean()).astype(np.float32))
    net = MelCNN()

    def losses(step: int, model: nn.Module) -> loop.Losses:
        rng = np.random.default_rng((seed, step))
        chosen = rng.integers(0, len(ours.genres), BATCH)
        shown = torch.from_numpy(vary(rng, pictures(ours.pictures[chosen])))
        genres, parts = model(shown)
        wanted = torch.from_numpy(ours.genres[chosen])
        told: Tensor = functional.cross_entropy(
            genres, wanted, weight=weight, ignore_index=-1, label_smoothing=0.05
        )
        heard = functional.binary_cross_entropy_with_logits(parts, torch.from_numpy(ours.parts[chosen]))
        return {"genre": told, "parts": 0.5 * heard}

    config = loop.LoopConfig(steps=steps, rate=1.5e-3, warmup=40, validate_every=200, decay=0.99)
    mean = loop.train(net, losses, lambda model: score(model, theirs), out, config, {"seed": seed})
    net.load_state_dict(mean)
    export(net, out / "melcnn.onnx")
    return score(net, theirs)


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--music", type=Path, required=True)
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--steps", type=int, default=1200)
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    for name, value in train(a.music, a.out, a.steps, a.seed).items():
        print(f"{name:>18} {value:.3f}")


if __name__ == "__main__":
    reported(main)
