"""Train the drum network on rendered music.

    python -m models.training.dataset DATA CACHE --features models.drums.features:Features
    python -m models.drums.train --data DATA --cache CACHE --out OUT --seed 1

Resumes from ``OUT/last.pt``; ends with ``OUT/final.pt`` (averaged weights) and ``OUT/drums.onnx``. One thread.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.drums.augment import Sampler
from models.drums.features import LABELS, SPEC
from models.drums.targets import OUTPUTS, Targets
from models.training import loop
from models.training.causal import CausalConfig, CausalNet, export
from models.training.dataset import cache_features

HITS = 1 + len(LABELS)


def losses(logits: Tensor, t: Targets) -> dict[str, Tensor]:
    """Terms of the loss; arrays of `t` are ``(frames, batch, …)``."""
    weight, hit = torch.from_numpy(t.weight), torch.from_numpy(t.hit)
    term = functional.binary_cross_entropy_with_logits(logits[..., :HITS], hit, reduction="none") * weight
    any_, classes = term[..., 0].sum() / weight[..., 0].sum(), term[..., 1:].sum() / weight[..., 1].sum()
    struck = torch.from_numpy((t.strength > 0).astype(np.float32))
    off = (logits[..., HITS:].sigmoid() - torch.from_numpy(t.strength)) ** 2 * struck
    return {"any": 5 * any_, "classes": 5 * classes, "strength": off.sum() / (struck.sum() + 1)}


class Validator:
    """Losses on held-out pieces, un-augmented, the same crops every time."""

    def __init__(self, sampler: Sampler, batches: int = 2) -> None:
        self.fixed = [sampler.batch(10_000_000 + k, augment=False) for k in range(batches)]

    def __call__(self, model: nn.Module) -> dict[str, float]:
        net = cast(CausalNet, model)
        sums: dict[str, float] = {}
        for x, targets in self.fixed:
            for k, v in losses(net(x, net.initial(x.shape[1]))[0], targets).items():
                sums[k] = sums.get(k, 0.0) + float(v) / len(self.fixed)
        return sums


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=Path, required=True, nargs="+", help="rendered folder(s)")
    ap.add_argument("--cache", type=Path, required=True, nargs="+", help="their feature caches")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=1600)
    ap.add_argument("--batch", type=int, default=64)
    ap.add_argument("--seconds", type=float, default=1.25, help="length of a sequence")
    ap.add_argument("--rate", type=float, default=2e-3)
    ap.add_argument("--hidden", type=int, default=96)
    ap.add_argument("--refresh", type=int, default=0, help="look for new pieces every so many steps")
    ap.add_argument("--from", dest="start", type=Path, help="start from the averaged weights of this checkpoint")
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    folders = list(zip(a.data, a.cache))
    if not a.refresh:
        from models.drums.features import Features

        for data, cache in folders:
            for _ in cache_features(data, cache, Features()):
                pass
    frames = int(a.seconds * SPEC.sample_rate / SPEC.hop)
    sampler = Sampler(folders, frames, a.batch, a.seed)
    config = CausalConfig(SPEC.bands, OUTPUTS, hidden=a.hidden)
    net = CausalNet(config)
    if a.start:
        net.load_state_dict(loop.load(a.start)["mean"])
    else:
        net.normalise(torch.cat([sampler.batch(20_000_000 + k)[0] for k in range(2)]))
    print(f"{loop.parameters(net)} parameters, {len(sampler.items)} pieces, {sampler.hours:.1f} h", flush=True)

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        if a.refresh and number and number % a.refresh == 0:
            sampler.refresh()
            print(f"step {number}: {len(sampler.items)} pieces, {sampler.hours:.1f} h", flush=True)
        x, targets = sampler.batch(number)
        logits, _ = model(x, net.initial(x.shape[1]))
        return losses(logits, targets)

    about: dict[str, Any] = {"seed": a.seed, "config": asdict(config), "hours": sampler.hours}
    check = Validator(Sampler(folders, frames, a.batch, a.seed, held_out=True))
    mean = loop.train(net, step, check, a.out, loop.LoopConfig(a.steps, a.rate), about)
    net.load_state_dict(mean)
    print(f"largest difference from torch {export(net, a.out / 'drums.onnx'):.2g}")


if __name__ == "__main__":
    main()
