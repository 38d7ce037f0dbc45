"""Train the drum network on scenes that are mixed as they are needed.

    python -m models.drums.backing --data TRAIN --out BACKING --hours 10
    python -m models.training.render --data TRAIN --out MIXES --hours 10
    python -m models.drums.train --data TRAIN --backing BACKING --mixes MIXES --out OUT --seed 1

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

from models.drums.features import LABELS
from models.drums.network import DrumNet, Shape, export
from models.drums.scenes import COUNT, Scenes
from models.drums.targets import Targets
from models.training import loop
from realtime.errors import reported

HITS = 1 + len(LABELS)
CLASS_WEIGHT = (1.3, 1.3, 1.0, 0.5, 0.5, 0.4)
"""Of each class in the loss: kick and snare are what full mixes hide."""


def losses(logits: Tensor, t: Targets) -> dict[str, Tensor]:
    """Terms of the loss; arrays of `t` are ``(frames, batch, …)``."""
    weight, hit = torch.from_numpy(t.weight), torch.from_numpy(t.hit)
    term = functional.binary_cross_entropy_with_logits(logits[..., :HITS], hit, reduction="none") * weight
    any_ = term[..., 0].sum() / weight[..., 0].sum()
    classes = (term[..., 1:] * torch.tensor(CLASS_WEIGHT)).sum() / weight[..., 1].sum()
    struck = torch.from_numpy((t.strength > 0).astype(np.float32)) * weight[..., 1:]
    off = (logits[..., HITS:-1].sigmoid() - torch.from_numpy(t.strength)) ** 2 * struck
    known = torch.from_numpy((t.band >= 0).astype(np.float32))
    band = functional.binary_cross_entropy_with_logits(
        logits[..., -1:], torch.from_numpy(np.maximum(t.band, 0)), reduction="none"
    )
    return {
        "any": 5 * any_,
        "classes": 5 * classes,
        "strength": off.sum() / (struck.sum() + 1),
        "band": 0.3 * (band * known).sum() / (known.sum() + 1),
    }


class Validator:
    """Losses on scenes of held-out pieces, the same every time."""

    def __init__(self, scenes: Scenes, batches: int = 2) -> None:
        self.fixed = [scenes.batch(10_000_000 + k) for k in range(batches)]

    def __call__(self, model: nn.Module) -> dict[str, float]:
        net = cast(DrumNet, model)
        sums: dict[str, float] = {}
        for x, targets in self.fixed:
            for k, v in losses(net(x, net.initial(x.shape[1]))[0], targets).items():
                sums[k] = sums.get(k, 0.0) + float(v) / len(self.fixed)
        return sums


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=Path, help="folder with drum_oneshots")
    ap.add_argument("--backing", type=Path, required=True)
    ap.add_argument("--mixes", type=Path, help="whole rendered pieces")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=1600)
    ap.add_argument("--batch", type=int, default=64)
    ap.add_argument("--rate", type=float, default=2e-3)
    ap.add_argument("--double", action="store_true", help="scenes of 5.5 s instead of 2.7")
    ap.add_argument("--hidden", type=int, default=112)
    ap.add_argument("--from", dest="start", type=Path, help="start from the averaged weights of this checkpoint")
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    count = COUNT * (2 if a.double else 1)
    scenes = Scenes(a.data, a.backing, a.mixes, a.batch, a.seed, count=count)
    shape = Shape(hidden=a.hidden)
    net = DrumNet(shape)
    if a.start:
        net.load_state_dict(loop.load(a.start)["mean"])
    else:
        net.normalise(scenes.batch(20_000_000)[0])
    print(f"{loop.parameters(net)} parameters, {scenes.pieces} pieces", flush=True)

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        x, targets = scenes.batch(number)
        logits, _ = model(x, net.initial(x.shape[1]))
        return losses(logits, targets)

    about: dict[str, Any] = {"seed": a.seed, "shape": asdict(shape), "pieces": scenes.pieces}
    check = Validator(Scenes(a.data, a.backing, a.mixes, a.batch, a.seed, held_out=True, kits=24, count=count))
    mean = loop.train(net, step, check, a.out, loop.LoopConfig(a.steps, a.rate), about)
    net.load_state_dict(mean)
    print(f"largest difference from torch {export(net, a.out / 'drums.onnx'):.2g}")


if __name__ == "__main__":
    reported(main)
