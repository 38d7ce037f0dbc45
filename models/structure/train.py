"""Train the structure network on rendered pieces; resumes.

    python -m models.structure.render --data TRAIN --out LONG --pieces 70
    python -m models.structure.render --data TRAIN --out LONG --pieces 25 --held-out
    python -m models.training.dataset LONG LONG/features --features models.tags.features:Frames
    python -m models.training.dataset MUSIC CACHE --features models.tags.features:Frames
    python -m models.structure.train --data LONG MUSIC --cache LONG/features CACHE --out OUT

Ends with ``OUT/final.pt`` and ``OUT/structure.onnx``. One thread.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.structure.export import export
from models.structure.features import SIZE, condense
from models.structure.labels import EVENTS
from models.structure.network import RATE, StructureNet
from models.structure.tracker import DELAY
from models.structure.truth import IGNORE, recent, states
from models.tags.features import BANDS, FRAMES
from models.tags.train import auc, vary
from models.training import loop
from models.training.dataset import cached_pieces, is_validation

F32 = npt.NDArray[np.float32]
WINDOW = 1.2
"""Seconds for which an event has "just happened"."""
FEWEST = 2
"""Sections below which a piece says nothing about structure."""
Item = tuple[dict[str, Any], Path]


def usable(truth: dict[str, Any]) -> bool:
    """Whether the sections of a piece are known: composed ones'."""
    return truth["source"] == "composer" and len(truth["sections"]) >= FEWEST


class Sampler:
    """Batches of sequences, a function of ``(seed, step)``."""

    def __init__(self, items: list[Item], steps: int, batch: int, seed: int) -> None:
        self.items, self.steps, self.size, self.seed = items, steps, batch, seed

    def batch(self, step: int, augment: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """Features ``(steps, batch, 31)``, states ``(steps, batch)`` and events ``(steps, batch, 4)``."""
        rng = np.random.default_rng((self.seed, step))
        rows = []
        for _ in range(self.size):
            parts, left = [], self.steps
            while left > 50:
                parts.append(self._crop(rng, left, augment))
                left -= len(parts[-1][0])
            x = np.zeros((left, SIZE), np.float32)
            x[:, -1] = 1
            parts.append((x, np.full(left, IGNORE), np.zeros((left, len(EVENTS)), np.float32)))
            rows.append(tuple(np.concatenate(c) for c in zip(*parts)))
        x, state, event = (np.stack(c, 1) for c in zip(*rows))
        return torch.from_numpy(x), torch.from_numpy(state.astype(np.int64)), torch.from_numpy(event)

    def _crop(self, rng: np.random.Generator, most: int, augment: bool) -> tuple[F32, Any, F32]:
        truth, path = self.items[int(rng.integers(len(self.items)))]
        features = np.load(path, mmap_mode="r")
        total = len(features) // FRAMES
        n = min(most, total)
        start = int(rng.integers(total - n + 1))
        frames = np.asarray(features[start * FRAMES : (start + n) * FRAMES], np.float32)
        if augment:
            frames = vary(frames.reshape(-1, FRAMES, BANDS), rng).reshape(-1, BANDS)
        times = (start + 1 + np.arange(n)) / RATE - DELAY
        state = states(truth, times)
        state[: int(4 * RATE)] = IGNORE
        return condense(frames, frames[0]), state, recent(truth, times, WINDOW)


def losses(net: StructureNet, x: Tensor, state: Tensor, event: Tensor) -> dict[str, Tensor]:
    """Terms of the loss."""
    answers, _ = net(x, net.initial(x.shape[1]))
    known = (state != IGNORE).float()
    where = functional.cross_entropy(
        answers.state.flatten(0, 1), state.flatten(), ignore_index=IGNORE, reduction="sum"
    )
    terms = functional.binary_cross_entropy_with_logits(answers.event, event, reduction="none")
    weight = known[..., None] * (1 + 2 * event)
    return {
        "state": where / (known.sum() + 1),
        "event": 4 * (terms * weight).sum() / (known.sum() + 1) / len(EVENTS),
    }


class Validator:
    """Share of right states and area under the ROC curve of the events, on held-out pieces."""

    def __init__(self, sampler: Sampler) -> None:
        self.fixed = [sampler.batch(10_000_000 + k, augment=False) for k in range(2)]

    def __call__(self, model: nn.Module) -> dict[str, float]:
        net = cast(StructureNet, model)
        found: dict[str, float] = {}
        for x, state, event in self.fixed:
            answers, _ = net(x, net.initial(x.shape[1]))
            known = state != IGNORE
            right = (answers.state.argmax(-1) == state)[known].float().mean().item()
            found["state"] = found.get("state", 0) + right / len(self.fixed)
            for k, name in enumerate(EVENTS):
                value = auc(event[..., k][known].numpy() > 0, answers.event[..., k][known].numpy())
                found[name] = found.get(name, 0) + value / len(self.fixed)
        return found


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=Path, nargs="+", required=True, help="rendered folders")
    ap.add_argument("--cache", type=Path, nargs="+", required=True, help="their features")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=400)
    ap.add_argument("--batch", type=int, default=12)
    ap.add_argument("--seconds", type=float, default=90.0)
    ap.add_argument("--rate", type=float, default=2e-3)
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    found = [p for data, cache in zip(a.data, a.cache) for p in cached_pieces(data, cache) if usable(p[0].truth)]
    seen = [(p.truth, path) for p, path in found if not is_validation(p.name)]
    held_out = [(p.truth, path) for p, path in found if is_validation(p.name)]
    steps = int(a.seconds * RATE)
    net = StructureNet()
    print(f"{sum(p.numel() for p in net.parameters())} parameters, {len(seen)} pieces", flush=True)
    sampler = Sampler(seen, steps, a.batch, a.seed)

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        return losses(cast(StructureNet, model), *sampler.batch(number))

    config = loop.LoopConfig(a.steps, a.rate, validate_every=100)
    check = Validator(Sampler(held_out, steps, a.batch, a.seed))
    mean = loop.train(net, step, check, a.out, config, {"seed": a.seed})
    net.load_state_dict(mean)
    print(f"largest difference from torch {export(net, a.out / 'structure.onnx'):.2g}")


if __name__ == "__main__":
    main()
