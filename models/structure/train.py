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
from models.structure.network import RATE, Answers, StructureNet
from models.structure.tracker import DELAY
from models.structure.truth import IGNORE, recent, states
from models.tags.features import BANDS, FRAMES
from models.tags.train import auc, vary
from models.training import loop
from models.training.dataset import cached_pieces, is_validation
from realtime.errors import reported

F32 = npt.NDArray[np.float32]
WINDOW = 1.2
"""Seconds for which an event has "just happened"."""
MOST_STEPS = 2200
EVERY = 2
"""Of so many steps one is trained on: neighbours are alike."""
FEWEST = 2
"""Sections below which a piece says nothing about structure."""
Item = tuple[dict[str, Any], Path]


def usable(truth: dict[str, Any]) -> bool:
    """Whether the sections of a piece are known: composed ones'."""
    return truth["source"] == "composer" and len(truth["sections"]) >= FEWEST


class Heard:
    """What the dense layers are given at many steps, with the truth, as the network's own memory makes it.

    Each piece begins anywhere (at its start every other time) and is heard to its end, then another one follows.
    """

    def __init__(self, net: StructureNet, items: list[Item], seed: int, augment: bool) -> None:
        rng = np.random.default_rng(seed)
        rows = [self._row(rng, [items[k] for k in part], augment) for part in self._parts(items, rng, augment)]
        steps = max(len(r[0]) for r in rows)
        x = np.zeros((steps, len(rows), SIZE), np.float32)
        x[..., -1] = 1
        state = np.full((steps, len(rows)), IGNORE)
        event = np.zeros((steps, len(rows), len(EVENTS)), np.float32)
        for k, (a, b, c) in enumerate(rows):
            x[: len(a), k], state[: len(a), k], event[: len(a), k] = a, b, c
        now, kept = net.initial(len(rows)), []
        with torch.no_grad():
            for k in range(steps):
                heard, now = net.hear(torch.from_numpy(x[k]), now)
                known = state[k] != IGNORE
                if known.any() and (not augment or k % EVERY == 0):
                    kept.append((heard[torch.from_numpy(known)].half(), state[k][known], event[k][known]))
        self.heard = torch.cat([h for h, _, _ in kept])
        self.state = torch.from_numpy(np.concatenate([s for _, s, _ in kept]).astype(np.int64))
        self.event = torch.from_numpy(np.concatenate([e for _, _, e in kept]))

    @staticmethod
    def _parts(items: list[Item], rng: np.random.Generator, augment: bool) -> list[list[int]]:
        """Pieces that follow one another in a row of about the length of the longest."""
        if not augment:
            return [[k] for k in range(len(items))]
        parts: list[list[int]] = [[]]
        length = 0.0
        for k in rng.permutation(len(items)).tolist():
            if length > MOST_STEPS / RATE:
                parts.append([])
                length = 0.0
            parts[-1].append(k)
            length += float(items[k][0]["duration"])
        return parts

    @staticmethod
    def _row(rng: np.random.Generator, items: list[Item], augment: bool) -> tuple[F32, Any, F32]:
        out = []
        for truth, path in items:
            features = np.load(path)
            total = len(features) // FRAMES
            start = int(rng.integers(total // 2)) if augment and rng.random() < 0.5 else 0
            frames = np.asarray(features[start * FRAMES : total * FRAMES], np.float32)
            if augment:
                frames = vary(frames.reshape(-1, FRAMES, BANDS), rng).reshape(-1, BANDS)
            times = (start + 1 + np.arange(total - start)) / RATE - DELAY
            state = states(truth, times)
            state[: int(4 * RATE)] = IGNORE
            out.append((condense(frames, frames[0]), state, recent(truth, times, WINDOW)))
        a, b, c = (np.concatenate(p) for p in zip(*out))
        return a, b, c


def losses(answers: Answers, state: Tensor, event: Tensor) -> dict[str, Tensor]:
    """Terms of the loss: states, the rarer the heavier, and events."""
    share = torch.bincount(state, minlength=4).float() / len(state)
    weight = (share.clamp_min(0.02) * 4) ** -0.5
    terms = functional.binary_cross_entropy_with_logits(answers.event, event, reduction="none")
    return {
        "state": functional.cross_entropy(answers.state, state, weight=weight),
        "event": 4 * (terms * (1 + 2 * event)).mean(),
    }


class Validator:
    """Share of right states and area under the ROC curve of the events, on held-out pieces."""

    def __init__(self, held_out: Heard) -> None:
        self.data = held_out

    def __call__(self, model: nn.Module) -> dict[str, float]:
        answers = cast(StructureNet, model).answer(self.data.heard.float())
        found = {"state": (answers.state.argmax(-1) == self.data.state).float().mean().item()}
        for k, name in enumerate(EVENTS):
            found[name] = auc(self.data.event[:, k].numpy() > 0, answers.event[:, k].numpy())
        return found


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=Path, nargs="+", required=True, help="rendered folders")
    ap.add_argument("--cache", type=Path, nargs="+", required=True, help="their features")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=2500)
    ap.add_argument("--batch", type=int, default=512)
    ap.add_argument("--rate", type=float, default=2e-3)
    ap.add_argument(
        "--passes", type=int, default=2, help="how often each piece is heard, each time in other colours"
    )
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    found = [p for data, cache in zip(a.data, a.cache) for p in cached_pieces(data, cache) if usable(p[0].truth)]
    seen = [(p.truth, path) for p, path in found if not is_validation(p.name)]
    held_out = [(p.truth, path) for p, path in found if is_validation(p.name)]
    net = StructureNet()
    passes = [Heard(net, seen, 1000 * a.seed + k, True) for k in range(a.passes)]
    heard, state, event = (torch.cat([getattr(p, n) for p in passes]) for n in ("heard", "state", "event"))
    some = heard[:: max(1, len(heard) // 20_000)].float()
    net.mean.copy_(some.mean(0))
    net.scale.copy_(some.std(0).clamp_min(0.05))
    print(
        f"{sum(p.numel() for p in net.parameters())} parameters, {len(seen)} pieces, {len(heard)} steps",
        flush=True,
    )

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        rng = np.random.default_rng((a.seed, number))
        pick = torch.from_numpy(rng.integers(len(heard), size=a.batch))
        return losses(cast(StructureNet, model).answer(heard[pick].float()), state[pick], event[pick])

    check = Validator(Heard(net, held_out, 0, False))
    config = loop.LoopConfig(a.steps, a.rate, weight_decay=1e-2, validate_every=250)
    mean = loop.train(net, step, check, a.out, config, {"seed": a.seed})
    net.load_state_dict(mean)
    print(f"largest difference from torch {export(net, a.out / 'structure.onnx'):.2g}")


if __name__ == "__main__":
    reported(main)
