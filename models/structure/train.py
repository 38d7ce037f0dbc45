"""Train the structure network on rendered pieces; resumes.

    python -m models.structure.render --data TRAIN --out LONG --pieces 240
    python -m models.structure.render --data TRAIN --out LONG --pieces 50 --held-out
    python -m models.training.dataset LONG LONG/features --features models.tags.features:Frames
    python -m models.structure.train --data LONG --cache LONG/features --out OUT
    python -m models.structure.tune --data LONG --cache LONG/features OUT/structure.onnx

Ends with ``OUT/final.pt`` and ``OUT/structure.onnx``. One thread. One training piece in eight is not trained on:
what is said on the way and the thresholds (`tune.py`) go by those; held-out pieces are for ``sidechain bench``.
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

from models.scoring.roc import auc
from models.structure.export import export
from models.structure.features import SIZE, condense
from models.structure.labels import EVENTS
from models.structure.network import HEARD, RATE, Answers, StructureNet
from models.structure.tracker import DELAY
from models.structure.truth import IGNORE, recent, states
from models.tags.features import BANDS, FRAMES
from models.tags.train import vary
from models.training import loop
from models.training.dataset import cached_pieces, is_validation
from realtime.errors import reported

F32 = npt.NDArray[np.float32]
WINDOWS = {"build": (0.8, 4.0), "drop": (0.1, 1.6), "breakdown": (0.8, 3.0), "change": (0.2, 2.0)}
"""Seconds after an event, beyond ``DELAY``, in which it has "just happened": a stop of a beat is no breakdown."""
MOST_STEPS = 2200
SEQUENCE, ROWS = 500, 24
"""Steps and streams of one batch; of each stream the first `WARM` are not asked."""
WARM = 50
Item = tuple[dict[str, Any], Path]


def for_tuning(name: str) -> bool:
    """Whether a training piece is kept for the choice of thresholds: one seed in eight."""
    return int(name) % 8 == 3


class Heard:
    """What the dense layers are given at every step, with the truth, as the network's own memory makes it.

    Each piece begins anywhere (at its start every other time) and is heard to its end, then another one follows.
    Arrays are ``(steps, streams, …)``.
    """

    def __init__(self, net: StructureNet, items: list[Item], seed: int, augment: bool) -> None:
        rng = np.random.default_rng(seed)
        rows = [self._row(rng, [items[k] for k in part], augment) for part in self._parts(items, rng, augment)]
        steps = max(len(r[0]) for r in rows)
        x = np.zeros((steps, len(rows), SIZE), np.float32)
        x[..., -1] = 1
        self.state = torch.full((steps, len(rows)), IGNORE)
        self.event = torch.zeros(steps, len(rows), len(EVENTS))
        for k, (a, b, c) in enumerate(rows):
            x[: len(a), k] = a
            self.state[: len(a), k], self.event[: len(a), k] = torch.from_numpy(b), torch.from_numpy(c)
        now = net.unheard(len(rows))
        self.heard = torch.zeros(steps, len(rows), HEARD, dtype=torch.float16)
        with torch.no_grad():
            for k in range(steps):
                heard, now = net.hear(torch.from_numpy(x[k]), now)
                self.heard[k] = heard.half()

    @staticmethod
    def _parts(items: list[Item], rng: np.random.Generator, augment: bool) -> list[list[int]]:
        """Pieces that follow one another in a row of about the length of the longest."""
        if not augment:
            return [[k] for k in range(len(items))]
        parts: list[list[int]] = [[]]
        length = 0.0
        for k in rng.permutation(len(items)).tolist():
            if length > MOST_STEPS / RATE / 2:
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
            start = int(rng.integers(total // 2)) if augment and rng.random() < 0.3 else 0
            frames = np.asarray(features[start * FRAMES : total * FRAMES], np.float32)
            if augment:
                frames = vary(frames.reshape(-1, FRAMES, BANDS), rng).reshape(-1, BANDS)
            times = (start + 1 + np.arange(total - start)) / RATE - DELAY
            state = states(truth, times)
            state[: int(4 * RATE)] = IGNORE
            out.append((condense(frames, frames[0]), state, recent(truth, times, WINDOWS)))
        a, b, c = (np.concatenate(p) for p in zip(*out))
        return a, b, c


def losses(answers: Answers, state: Tensor, event: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Terms of the loss: states, the rarer the heavier, and events, where the truth is known."""
    known = state != IGNORE
    terms = functional.binary_cross_entropy_with_logits(answers.event[known], event[known], reduction="none")
    return {
        "state": functional.cross_entropy(answers.state[known], state[known], weight=weight),
        "event": 4 * (terms * (1 + 3 * event[known])).mean(),
    }


class Validator:
    """Share of right states, their mean over states, and area under the ROC curve of the events."""

    def __init__(self, pieces: Heard) -> None:
        self.data = pieces

    def __call__(self, model: nn.Module) -> dict[str, float]:
        net, data = cast(StructureNet, model), self.data
        known = data.state != IGNORE
        answers, _ = net.answer(data.heard.float(), net.initial(data.heard.shape[1])[2])
        right = answers.state.argmax(-1) == data.state
        found = {
            "state": right[known].float().mean().item(),
            "mean": float(np.mean([right[data.state == k].float().mean().item() for k in range(4)])),
        }
        for k, name in enumerate(EVENTS):
            found[name] = auc(data.event[known][:, k].numpy() > 0, answers.event[known][:, k].numpy())
        return found


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=Path, nargs="+", required=True, help="rendered folders")
    ap.add_argument("--cache", type=Path, nargs="+", required=True, help="their features")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=700)
    ap.add_argument("--rate", type=float, default=3e-3)
    ap.add_argument(
        "--passes", type=int, default=2, help="how often each piece is heard, each time in other colours"
    )
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    found = [p for data, cache in zip(a.data, a.cache) for p in cached_pieces(data, cache)]
    seen = [(p.truth, path) for p, path in found if not is_validation(p.name) and not for_tuning(p.name)]
    tuning = [(p.truth, path) for p, path in found if not is_validation(p.name) and for_tuning(p.name)]
    net = StructureNet()
    passes = [Heard(net, seen, 1000 * a.seed + k, True) for k in range(a.passes)]
    some = torch.cat([p.heard[::20].flatten(0, 1)[:20_000].float() for p in passes])
    net.mean.copy_(some.mean(0))
    net.scale.copy_(some.std(0).clamp_min(0.05))
    share = torch.bincount(passes[0].state[passes[0].state != IGNORE], minlength=4).float()
    weight = (share / share.sum() * 4) ** -0.5
    print(f"{loop.parameters(net)} parameters, {len(seen)} pieces, {share.sum() / RATE / 3600:.1f} h", flush=True)

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        rng = np.random.default_rng((a.seed, number))
        data = passes[number % len(passes)]
        steps, rows = data.state.shape
        starts = rng.integers(max(1, steps - SEQUENCE), size=ROWS)
        which = torch.from_numpy(rng.integers(rows, size=ROWS))
        index = torch.from_numpy(starts + np.arange(SEQUENCE)[:, None])
        heard, state, event = (x[index, which] for x in (data.heard, data.state, data.event))
        net = cast(StructureNet, model)
        answers, _ = net.answer(heard.float(), net.initial(ROWS)[2])
        late = Answers(*(y[WARM:] for y in answers))
        return losses(late, state[WARM:], event[WARM:], weight)

    check = Validator(Heard(net, tuning, 0, False))
    config = loop.LoopConfig(a.steps, a.rate, weight_decay=1e-2, decay=0.99, validate_every=100)
    mean = loop.train(net, step, check, a.out, config, {"seed": a.seed})
    net.load_state_dict(mean)
    print(f"largest difference from torch {export(net, a.out / 'structure.onnx'):.2g}")


if __name__ == "__main__":
    reported(main)
