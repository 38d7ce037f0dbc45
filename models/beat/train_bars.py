"""Train the count of the bar on rendered music.

    python -m models.beat.train_bars --data DATA [DATA …] --out OUT --seed 1
    python -m models.beat.barnet models/beat/bars.onnx OUT/final.pt

DATA are rendered folders, or such as ``models.beat.hindsight`` writes; features are kept in ``DATA/features``.
Resumes from ``OUT/last.pt``. One thread.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.beat import barset
from models.beat.barnet import CLASSES, BarConfig, BarNet
from models.beat.beatwise import POOLED, QUARTERS, SIZE
from models.beat.features import LONG, SHORT, Features
from models.training import loop
from models.training.dataset import cache_features
from realtime.errors import reported

F32 = npt.NDArray[np.float32]
Batch = tuple[Tensor, Tensor, Tensor]
CHORD = slice(0, LONG.bands)
RISE = slice(LONG.bands, 2 * LONG.bands)
ATTACKS = slice(2 * LONG.bands, SIZE)
BANDS = SHORT.bands // POOLED
NEW = 2
"""Beats at the start of a sequence of which nothing is asked."""


def batch(
    pieces: list[list[barset.Counted]], rng: np.random.Generator, size: int, beats: int, augment: bool = True
) -> Batch:
    """Rows ``(beats, size, SIZE)``, targets ``(beats, size, CLASSES)`` and weights ``(beats, size)``."""
    x = np.zeros((beats, size, SIZE), np.float32)
    y, w = np.zeros((beats, size, CLASSES), np.float32), np.zeros((beats, size), np.float32)
    for k in range(size):
        piece = pieces[int(rng.integers(len(pieces)))] if augment else pieces[k % len(pieces)]
        one = piece[int(rng.integers(len(piece)))] if augment else piece[1 + k // len(pieces)]
        n = len(one.rows)
        start = int(rng.integers(max(1, n - beats + 1))) if augment and rng.random() < 0.7 else 0
        part = slice(start, min(n, start + beats))
        heard = one.rows[part].astype(np.float32)
        if augment:
            _vary(heard, rng)
        count = len(heard)
        x[:count, k] = heard
        y[:count, k], w[:count, k] = barset.targets(one.beats[part])
        w[:NEW, k] = 0.0
    return torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(w)


def _vary(heard: F32, rng: np.random.Generator) -> None:
    """Another key, equaliser and balance; some bands missing. In place."""
    chord, rise = heard[:, CHORD], heard[:, RISE]
    curve = np.interp(np.linspace(0, 7, LONG.bands), np.arange(8), rng.normal(0, 0.15, 8))
    chord[:] = np.where(chord > 0.02, np.maximum(chord + curve + rng.normal(0, 0.2), 0.0), chord)
    shift = int(rng.integers(-3, 4))  # of mel bands: much like another key
    chord[:], rise[:] = np.roll(chord, shift, 1), np.roll(rise, shift, 1)
    rise *= np.float32(rng.uniform(0.6, 1.4))
    attacks = heard[:, ATTACKS].reshape(len(heard), QUARTERS, BANDS)
    attacks *= np.exp(np.interp(np.linspace(0, 4, BANDS), np.arange(5), rng.normal(0, 0.25, 5))).astype(np.float32)
    attacks *= np.float32(rng.uniform(0.6, 1.4))
    if rng.random() < 0.25:
        low = int(rng.integers(0, BANDS - 2))
        attacks[:, :, low : low + int(rng.integers(2, 8))] = 0.0
    heard[:, ATTACKS] = attacks.reshape(len(heard), -1)


def losses(logits: Tensor, y: Tensor, w: Tensor) -> dict[str, Tensor]:
    """Cross entropy."""
    return {"bar": -((y * logits.log_softmax(-1)).sum(-1) * w).sum() / (w.sum() + 1)}


class Validator:
    """Loss, and share of right answers, on the held-out pieces as they might be found live."""

    def __init__(self, pieces: list[list[barset.Counted]], beats: int) -> None:
        rng = np.random.default_rng(0)
        self.fixed = batch(pieces, rng, len(pieces) * (barset.VERSIONS - 1), beats, augment=False)

    def __call__(self, model: nn.Module) -> dict[str, float]:
        net = cast(BarNet, model)
        x, y, w = self.fixed
        logits, _ = net(x, net.initial(x.shape[1]))
        right = (y.gather(-1, logits.argmax(-1, keepdim=True))[..., 0] > 0) * w
        return {"bar": losses(logits, y, w)["bar"].item(), "right": (right.sum() / w.sum()).item()}


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=Path, required=True, nargs="+", help="rendered folder(s)")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=1000)
    ap.add_argument("--batch", type=int, default=48)
    ap.add_argument("--beats", type=int, default=96, help="length of a sequence")
    ap.add_argument("--rate", type=float, default=2e-3)
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    pieces, held_out = [], []
    for data in a.data:
        cache = data / "features"
        for _ in cache_features(data, cache, Features()):
            pass
        barset.prepare(data, cache, cache / "bars")
        pieces += barset.load(cache / "bars", False)
        held_out += barset.load(cache / "bars", True)
    config = BarConfig()
    net = BarNet(config)
    some = np.concatenate([p[0].rows for p in pieces[:400]]).astype(np.float32)
    net.mean.copy_(torch.from_numpy(some.mean(0)))
    net.scale.copy_(torch.from_numpy(some.std(0)).clamp_min(0.02))
    print(f"{loop.parameters(net)} parameters, {len(pieces)} pieces, {len(held_out)} held out", flush=True)

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        x, y, w = batch(pieces, np.random.default_rng((a.seed, number)), a.batch, a.beats)
        return losses(model(x, net.initial(x.shape[1]))[0], y, w)

    about: dict[str, Any] = {"seed": a.seed, "config": asdict(config)}
    settings = loop.LoopConfig(a.steps, a.rate, weight_decay=1e-2, validate_every=100)
    loop.train(net, step, Validator(held_out, a.beats), a.out, settings, about)


if __name__ == "__main__":
    reported(main)
