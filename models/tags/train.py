"""Train the tag network on rendered clips and, a quarter of the time, rendered music; resumes.

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
from models.tags.network import TagNet
from models.tags.truth import clip_truth, piece_truth
from models.training import loop
from models.training.dataset import cache_features, is_validation, pieces

F32 = npt.NDArray[np.float32]
MUSIC_SHARE = 0.25
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


class Sampler:
    """Batches of sequences, a function of ``(seed, step)``."""

    def __init__(self, clips: list[Item], music: list[Item], steps: int, batch: int, seed: int) -> None:
        self.clips, self.music = clips, music
        self.steps, self.size, self.seed = steps, batch, seed

    def batch(self, step: int, augment: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """Features, targets and weights, time first."""
        rng = np.random.default_rng((self.seed, step))
        rows = []
        for _ in range(self.size):
            parts, left = [], self.steps
            while left > 0:
                n = left if rng.random() < 0.6 else min(left, int(rng.integers(20, self.steps)))
                pool = self.music if self.music and rng.random() < MUSIC_SHARE else self.clips
                item = pool[int(rng.integers(len(pool)))]
                total = int(float(item.truth["duration"]) / FRAME)
                parts.append(sequence(item, int(rng.integers(max(1, total - n + 1))), n))
                left -= n
            x, t, w = (np.concatenate(c) for c in zip(*parts))
            rows.append((vary(x, rng) if augment else x, t, w))
        x, t, w = (np.stack(c, 1) for c in zip(*rows))
        return torch.from_numpy(x), torch.from_numpy(t), torch.from_numpy(w)


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


def loss(net: TagNet, x: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Binary cross-entropy where there is something to ask; the first half second is left out."""
    logits, _, _ = net(x, net.initial(x.shape[1]))
    terms = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    w = weight.clone()
    w[:5] = 0
    return 3 * (terms * w).sum() / (w.sum() + 1)


class Validator:
    """Loss and mean area under the ROC curve on held-out clips."""

    def __init__(self, clips: list[Item]) -> None:
        rows = [sequence(i, 0, 160) for i in clips]
        self.x, self.target, self.weight = (torch.from_numpy(np.stack(c, 1)) for c in zip(*rows))

    def __call__(self, model: nn.Module) -> dict[str, float]:
        net = cast(TagNet, model)
        logits, _, _ = net(self.x, net.initial(self.x.shape[1]))
        found = {}
        for k, name in enumerate(LEARNT):
            known = self.weight[5:, :, k] > 0
            found[name] = auc(self.target[5:, :, k][known].numpy() > 0, logits[5:, :, k][known].numpy())
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
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=500)
    ap.add_argument("--batch", type=int, default=24)
    ap.add_argument("--rate", type=float, default=2e-3)
    ap.add_argument("--refresh", type=int, default=0, help="look for new clips every so many steps")
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    clips = items(a.clips, a.clips / "features", True)
    music = items(a.music, a.music_cache, False) if a.music else []
    seen = [i for i in clips if not is_validation(i.name)]
    sampler = Sampler(seen, [i for i in music if not is_validation(i.name)], 150, a.batch, a.seed)
    net = TagNet()
    x = torch.cat([sampler.batch(20_000_000 + k)[0].flatten(0, 2) for k in range(2)])
    net.mean.copy_(x.mean(0))
    net.scale.copy_(x.std(0).clamp_min(0.05))
    print(
        f"{sum(p.numel() for p in net.parameters())} parameters, {len(seen)} clips, {len(music)} pieces",
        flush=True,
    )

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        if a.refresh and number and number % a.refresh == 0:
            sampler.clips = [i for i in items(a.clips, a.clips / "features", True) if not is_validation(i.name)]
            new = items(a.music, a.music_cache, False) if a.music else []
            sampler.music = [i for i in new if not is_validation(i.name)]
            print(f"step {number}: {len(sampler.clips)} clips, {len(sampler.music)} pieces", flush=True)
        return {"bce": loss(cast(TagNet, model), *sampler.batch(number))}

    check = Validator([i for i in clips if is_validation(i.name)])
    config = loop.LoopConfig(a.steps, a.rate, validate_every=100)
    mean = loop.train(net, step, check, a.out, config, {"seed": a.seed})
    net.load_state_dict(mean)
    print(f"largest difference from torch {export(net, a.out / 'tags.onnx'):.2g}")


if __name__ == "__main__":
    main()
