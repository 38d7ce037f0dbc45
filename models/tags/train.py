"""Train the tag network on stems that are mixed anew for every batch; resumes.

    python -m models.tags.stems STEMS --data TRAIN --packages DIR … --bank BANK --music MUSIC --count 7000
    python -m models.tags.stems STEMS … --count 400 --held-out --seed 21000000
    python -m models.tags.train --stems STEMS --out OUT

Ends with ``OUT/final.pt`` and ``OUT/tags.onnx``. One thread.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.scoring.roc import auc
from models.tags.blend import LN10, Stems, colour, scene
from models.tags.export import export
from models.tags.labels import FAMILIES, LEARNT
from models.tags.network import TagNet
from models.training import loop
from realtime.errors import reported
from realtime.hosting.spectral import levels_of

F32 = npt.NDArray[np.float32]
CHAIN = 2
"""Scenes that follow one another, so that the memory is full of other things."""
SETTLE = 3
"""Steps at the start that are not asked."""
FIRST = LEARNT.index(FAMILIES[0])


def batch(rng: np.random.Generator, stems: Stems, rows: int, chain: int, clean: bool = False) -> list[Tensor]:
    """Features ``(steps, rows, 4, 80)``, targets and weights ``(steps, rows, 12)``."""
    made = [[scene(rng, stems, clean) for _ in range(chain)] for _ in range(rows)]
    return [
        torch.from_numpy(np.stack([np.concatenate([s[part] for s in row]) for row in made], 1))
        for part in range(3)
    ]


def vary(x: F32, rng: np.random.Generator) -> F32:
    """Log-mel frames in another level and colour, with a noise floor, as another device would hear them."""
    y = np.log1p(colour(rng, levels_of(x)))
    y /= LN10
    return y


def losses(logits: Tensor, target: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Binary cross-entropy in which both sides of each tag weigh nearly alike, and which family a solo is of."""
    some = (target * weight).sum((0, 1)) + 20
    none = ((1 - target) * weight).sum((0, 1)) + 20
    lift = (none / some).sqrt().clamp(0.5, 4)
    terms = functional.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight
    terms = terms * (1 + (lift - 1) * target)
    families, asked = target[..., FIRST:], weight[..., FIRST:]
    solo = (families.sum(-1) == 1) & (asked.min(-1).values > 0)
    found = {"bce": 4 * terms.sum() / (weight.sum() + 1)}
    if solo.any():
        found["family"] = 0.4 * functional.cross_entropy(logits[..., FIRST:][solo], families[solo].argmax(-1))
    return found


class Validator:
    """Area under the ROC curve on held-out scenes, and right families of held-out solos."""

    def __init__(self, stems: Stems) -> None:
        rng = np.random.default_rng(0)
        self.mixed, self.solo = batch(rng, stems, 240, 1), batch(rng, stems, 160, 1, True)

    def __call__(self, model: nn.Module) -> dict[str, float]:
        net = cast(TagNet, model)
        x, target, weight = self.mixed
        logits, _, _ = net(x, net.initial(x.shape[1]))
        found = {}
        for k, name in enumerate(LEARNT):
            known = weight[SETTLE:, :, k] > 0
            label, value = target[SETTLE:, :, k][known].numpy() > 0, logits[SETTLE:, :, k][known].numpy()
            found[name] = auc(label, value)
        x, target, _ = self.solo
        logits, _, _ = net(x, net.initial(x.shape[1]))
        heard = (target[..., FIRST:] * torch.arange(x.shape[0])[:, None, None].ge(SETTLE)).sum(0)
        sounding = target[..., FIRST:].sum(-1, keepdim=True)
        likely = (logits[..., FIRST:].sigmoid() * sounding).sum(0).argmax(-1)
        right = (likely == heard.argmax(-1)).float()[heard.sum(-1) > 0]
        return {"mean": float(np.nanmean(list(found.values()))), "family": float(right.mean()), **found}


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--stems", type=Path, required=True, help="folder of models.tags.stems")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=3000)
    ap.add_argument("--batch", type=int, default=16, help="rows of two scenes")
    ap.add_argument("--rate", type=float, default=2.5e-3)
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    stems, net = Stems.load(a.stems, False), TagNet()
    print(f"{loop.parameters(net)} parameters, {len(stems)} stems", flush=True)

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        rng = np.random.default_rng((a.seed, number))
        x, target, weight = batch(rng, stems, a.batch, CHAIN)
        logits, _, _ = cast(TagNet, model)(x, net.initial(a.batch))
        return losses(logits[SETTLE:], target[SETTLE:], weight[SETTLE:])

    config = loop.LoopConfig(a.steps, a.rate, validate_every=250)
    mean = loop.train(net, step, Validator(Stems.load(a.stems, True)), a.out, config, {"seed": a.seed})
    net.load_state_dict(mean)
    print(f"largest difference from torch {export(net, a.out / 'tags.onnx'):.2g}")


if __name__ == "__main__":
    reported(main)
