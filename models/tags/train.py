"""Train the tag network on rendered clips and rendered music; resumes.

    python -m models.tags.render --data TRAIN --out CLIPS --clips 1100
    python -m models.tags.render --data TRAIN --out CLIPS --clips 100 --held-out --seed 9500000
    python -m models.training.dataset MUSIC CACHE --features models.tags.features:Frames
    python -m models.tags.train --clips CLIPS --music MUSIC --music-cache CACHE --out OUT

Ends with ``OUT/final.pt`` and ``OUT/tags.onnx``. One thread.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.tags.export import export
from models.tags.features import BANDS, FRAMES, SPEC, Frames
from models.tags.labels import FRAME, LEARNT
from models.tags.network import SECONDS, TagNet
from models.tags.truth import clip_truth, piece_truth
from models.training import loop
from models.training.dataset import cache_features, is_validation, pieces
from realtime.errors import reported

F32 = npt.NDArray[np.float32]
CHAIN = 4
"""Clips that follow one another, so that the memory is full of other things."""
PIECE_STEPS = 160
EVERY = 3
"""Of so many steps one is trained on: neighbours are alike."""
HEARD = 1.2
"""Mean feature from which a step of a rendered piece counts as heard, log10(1 + 1e5 m)."""


@dataclass(frozen=True)
class Item:
    """A clip or piece: its truth, and where its features are."""

    name: str
    truth: dict[str, Any]
    path: Path
    clip: bool


def items(folder: Path, cache: Path, clip: bool, caching: bool = True) -> list[Item]:
    """What a folder holds, as far as its features are there."""
    if caching and clip:
        for _ in cache_features(folder, cache, Frames()):
            pass
    found = [(p, cache / f"{p.stem}.npy") for p in pieces(folder)]
    return [Item(p.stem, json.loads(p.read_text()), f, clip) for p, f in found if f.exists()]


def sequence(item: Item, start: int, steps: int) -> tuple[F32, F32, F32]:
    """Features ``(steps, 4, 80)``, targets and weights ``(steps, 12)`` from step `start`; zeros beyond the end."""
    features = np.load(item.path, mmap_mode="r")
    total = len(features) // FRAMES
    part = np.asarray(features[start * FRAMES : (start + steps) * FRAMES], np.float32)
    part = part[: len(part) // FRAMES * FRAMES].reshape(-1, FRAMES, BANDS)
    if item.clip:
        target, weight = clip_truth(item.truth, total)
        target, weight = target[start : start + len(part)], weight[start : start + len(part)]
    else:
        times = (start + 1 + np.arange(len(part), dtype=np.float64)) * FRAME
        target, weight = piece_truth(item.truth, times, part.mean(axis=(1, 2)) > HEARD)
    x = np.zeros((steps, FRAMES, BANDS), np.float32)
    t, w = np.zeros((steps, len(LEARNT)), np.float32), np.zeros((steps, len(LEARNT)), np.float32)
    x[: len(part)], t[: len(part)], w[: len(part)] = part, target, weight
    return x, t, w


class Textures:
    """Textures, targets and weights of many steps, as the network's own memory makes them.

    Parameters
    ----------
    seed : int
        Of the order of the clips, their levels and colours.
    augment : bool
    """

    def __init__(self, net: TagNet, found: list[Item], seed: int, augment: bool) -> None:
        rng = np.random.default_rng(seed)
        order = [found[k] for k in rng.permutation(len(found))]
        order = order[: len(order) // CHAIN * CHAIN] if augment else order
        chain = CHAIN if augment else 1
        steps = chain * PIECE_STEPS
        x = np.zeros((steps, len(order) // chain, FRAMES, BANDS), np.float16)
        target = np.zeros((steps, len(order) // chain, len(LEARNT)), np.float32)
        weight = np.zeros_like(target)
        for k, item in enumerate(order):
            total = int(float(item.truth["duration"]) / FRAME)
            part, t, w = sequence(item, int(rng.integers(max(1, total - PIECE_STEPS + 1))), PIECE_STEPS)
            row, at = k // chain, k % chain * PIECE_STEPS
            x[at : at + PIECE_STEPS, row] = vary(part, rng) if augment else part
            target[at : at + PIECE_STEPS, row], weight[at : at + PIECE_STEPS, row] = t, w
        states, kept = net.initial(x.shape[1]), []
        with torch.no_grad():
            for k in range(steps):
                texture, states = net.hear(torch.from_numpy(x[k].astype(np.float32)), states)
                if k % EVERY == EVERY - 1 and k % PIECE_STEPS > 4:
                    kept.append((texture.half(), target[k], weight[k]))
        self.texture = torch.cat([t for t, _, _ in kept])
        self.target = torch.from_numpy(np.concatenate([t for _, t, _ in kept]))
        self.weight = torch.from_numpy(np.concatenate([w for _, _, w in kept]))


def recolour(texture: Tensor, rng: np.random.Generator) -> Tensor:
    """Another random equaliser for each step: levels move by the same curve, whatever their length."""
    count = len(texture)
    knots = rng.normal(0, 0.15, (count, 8)).astype(np.float32)
    place = np.linspace(0, 7, BANDS)
    low = np.minimum(place.astype(int), 6)
    part = (place - low).astype(np.float32)
    curve = torch.from_numpy(knots[:, low] * (1 - part) + knots[:, low + 1] * part)
    curve = curve - curve.mean(1, keepdim=True)
    size = (1 + len(SECONDS)) * BANDS
    return torch.cat([texture[:, :size] + curve.repeat(1, 1 + len(SECONDS)), texture[:, size:]], 1)


def vary(x: F32, rng: np.random.Generator) -> F32:
    """Level, equaliser, noise floor and a little shift of the bands."""
    power = np.expm1(x * np.float32(np.log(10.0)))
    curve = np.interp(np.arange(BANDS), np.linspace(0, BANDS, 7), rng.normal(0, 5, 7))
    gain = rng.uniform(-20, 10) + (curve if rng.random() < 0.7 else 0 * curve)
    if rng.random() < 0.15:
        gain[int(rng.integers(30, 75)) :] -= rng.uniform(10, 60)  # narrow bands: telephone, old records, codecs
    if rng.random() < 0.1:
        gain[: int(rng.integers(2, 20))] -= rng.uniform(10, 60)
    power *= (10 ** (gain / 20)).astype(np.float32)
    if rng.random() < 0.4:
        floor = SPEC.gamma * 10 ** (rng.uniform(-95, -55) / 20)
        tilt = 10 ** (np.linspace(0, rng.uniform(-20, 6), BANDS) / 20)
        power += (floor * tilt * rng.rayleigh(0.8, power.shape)).astype(np.float32)
    if rng.random() < 0.3:
        power = np.roll(power, int(rng.integers(-2, 3)), axis=-1)
    y = np.log1p(power, out=power)
    y *= np.float32(1 / np.log(10.0))
    return y


def loss(net: TagNet, texture: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Binary cross-entropy where there is something to ask."""
    logits, _ = net.answer(texture)
    terms = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return 3 * (terms * weight).sum() / (weight.sum() + 1)


class Validator:
    """Area under the ROC curve on held-out clips."""

    def __init__(self, held_out: Textures) -> None:
        self.data = held_out

    def __call__(self, model: nn.Module) -> dict[str, float]:
        logits, _ = cast(TagNet, model).answer(self.data.texture.float())
        found = {}
        for k, name in enumerate(LEARNT):
            known = self.data.weight[:, k] > 0
            found[name] = auc(self.data.target[known, k].numpy() > 0, logits[known, k].numpy())
        return {"mean": float(np.nanmean(list(found.values()))), **found}


def auc(label: npt.NDArray[np.bool_], value: F32) -> float:
    """Chance that a step with the tag has the higher value."""
    rank = np.empty(len(value))
    rank[np.argsort(value, kind="stable")] = np.arange(1, len(value) + 1)
    positive, negative = int(label.sum()), int((~label).sum())
    if not positive or not negative:
        return float("nan")
    return float((rank[label].sum() - positive * (positive + 1) / 2) / (positive * negative))


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--clips", type=Path, required=True, help="folder of models.tags.render")
    ap.add_argument("--music", type=Path, help="folder of models.training.render")
    ap.add_argument("--music-cache", type=Path, help="its features")
    ap.add_argument("--most-music", type=int, default=200, help="pieces of it")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=3000)
    ap.add_argument("--batch", type=int, default=384)
    ap.add_argument("--rate", type=float, default=2e-3)
    ap.add_argument(
        "--passes", type=int, default=2, help="how often each clip is heard, each time in other colours"
    )
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    clips = items(a.clips, a.clips / "features", True)
    music = items(a.music, a.music_cache, False)[: a.most_music] if a.music else []
    seen = [i for i in [*clips, *music] if not is_validation(i.name)]
    net = TagNet()
    heard = [Textures(net, seen, 1000 * a.seed + k, True) for k in range(a.passes)]
    texture, target, weight = (torch.cat([getattr(h, n) for h in heard]) for n in ("texture", "target", "weight"))
    some = texture[:: max(1, len(texture) // 20_000)].float()
    net.mean.copy_(some.mean(0))
    net.scale.copy_(some.std(0).clamp_min(0.05))
    print(
        f"{sum(p.numel() for p in net.parameters())} parameters, {len(seen)} clips, {len(texture)} steps",
        flush=True,
    )

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        rng = np.random.default_rng((a.seed, number))
        pick = torch.from_numpy(rng.integers(len(texture), size=a.batch))
        x = recolour(texture[pick].float(), rng)
        return {"bce": loss(cast(TagNet, model), x, target[pick], weight[pick])}

    check = Validator(Textures(net, [i for i in clips if is_validation(i.name)], 0, False))
    config = loop.LoopConfig(a.steps, a.rate, validate_every=250)
    mean = loop.train(net, step, check, a.out, config, {"seed": a.seed})
    net.load_state_dict(mean)
    print(f"largest difference from torch {export(net, a.out / 'tags.onnx'):.2g}")


if __name__ == "__main__":
    reported(main)
