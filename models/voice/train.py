"""Train the voice network, from raw material to ONNX.

    python -m models.voice.corpus BANK --human DIR --fsdd FSDD
    python -m models.voice.train --bank BANK --music RENDERED --esc ESC10 --scenes SCENES --out OUT --seed 1

Makes the scenes that are missing (``models.voice.mixing``), trains, resumes from ``OUT/last.pt``; ends with
``OUT/final.pt`` (averaged weights) and ``OUT/voice.onnx``. One thread.
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
from torch.nn import functional

from models.training import loop
from models.training.causal import CausalConfig, CausalNet, export
from models.voice.features import LONG, SHORT, SIZE
from models.voice.labels import runs
from models.voice.mixing import FRAMES, SHARD, UNKNOWN, Material, shard
from realtime.errors import UserError

F32 = npt.NDArray[np.float32]
ONSET, ONSET_WEIGHT = 15, 4.0
"""The first 150 ms of speech count more: a late answer is a wrong one."""
AFTER, AFTER_WEIGHT = 25, 3.5
"""So do the 250 ms after its end. Pauses of up to 250 ms inside speech are labelled speech; without this the
network would wait for them to pass after every end too, which the plugin's hold does better."""
QUIET_WEIGHT = 1.3
"""A false alarm costs more than a miss."""


def weights(label: npt.NDArray[np.uint8]) -> F32:
    """Weight of every frame of one scene in the loss."""
    out = np.where(label == 0, QUIET_WEIGHT, 1.0).astype(np.float32)
    for begin, end in runs(label == 1):
        if begin and label[begin - 1] == 0:
            out[begin : min(end, begin + ONSET)] = ONSET_WEIGHT
        if end < len(label) and label[end] == 0:
            out[end : end + AFTER] = np.where(label[end : end + AFTER] == 0, AFTER_WEIGHT, out[end : end + AFTER])
    out[label == UNKNOWN] = 0.0
    return out


class Scenes:
    """Batches from shards of scenes: cuts of them, a third of which change to another scene on the way."""

    def __init__(self, folder: Path, batch: int, seed: int, frames: int = 400) -> None:
        found = [np.load(p) for p in sorted(folder.glob("*.npz"))]
        if not found:
            raise UserError(f"{folder}: no scenes; make some with models.voice.mixing")
        self.x: npt.NDArray[np.float16] = np.concatenate([f["x"] for f in found])
        self.label: npt.NDArray[np.uint8] = np.concatenate([f["y"] for f in found])
        self.weight = np.stack([weights(row) for row in self.label])
        self.size, self.seed, self.frames = batch, seed, frames

    def batch(self, step: int, augment: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """Features ``(frames, batch, 104)``, labels and weights ``(frames, batch)`` of one step."""
        rng = np.random.default_rng((self.seed, step))
        x = np.empty((self.frames, self.size, SIZE), np.float32)
        y, weight = np.empty((2, self.frames, self.size), np.float32)
        for k in range(self.size):
            cut = int(rng.integers(self.frames)) if rng.random() < 0.33 else 0
            for begin, end in ((0, cut), (cut, self.frames)):
                row, at = int(rng.integers(len(self.x))), int(rng.integers(FRAMES - (end - begin) + 1))
                part = slice(at, at + end - begin)
                x[begin:end, k] = self.x[row, part]
                y[begin:end, k] = self.label[row, part] == 1
                weight[begin:end, k] = self.weight[row, part]
            if augment:
                x[:, k] = vary(x[:, k], rng)
        return torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(weight)


def vary(x: F32, rng: np.random.Generator) -> F32:
    """A smooth equaliser and a level on top of the scene's own, in both windows; now and then a notch."""
    knots = rng.normal(0, 0.12, 6) + rng.uniform(-0.3, 0.3)
    gain = np.interp(CENTRES, np.linspace(CENTRES[0], CENTRES.max(), 6), knots).astype(np.float32)
    y = np.maximum(x + gain * (x > 0.3), 0.0)
    if rng.random() < 0.2:
        low = rng.uniform(CENTRES.min(), CENTRES.max())
        y[:, (low < CENTRES) & (low + rng.uniform(50, 300) > CENTRES)] *= np.float32(rng.uniform(0, 0.7))
    return y.astype(np.float32)


def _centres() -> npt.NDArray[np.float64]:
    """Middle of every band, mel."""
    ends = [[2595 * np.log10(1 + f / 700) for f in (s.fmin, s.fmax)] for s in (SHORT, LONG)]
    return np.concatenate([np.linspace(a, b, s.bands + 2)[1:-1] for (a, b), s in zip(ends, (SHORT, LONG))])


CENTRES = _centres()


def loss(logits: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy per judged frame."""
    term = functional.binary_cross_entropy_with_logits(logits[..., 0], y, reduction="none") * weight
    return term.sum() / (weight.sum() + 1)


class Validator:
    """Loss, and errors at threshold 0.5, on scenes of speakers and pieces that training never hears."""

    def __init__(self, scenes: Scenes, batches: int = 4) -> None:
        self.fixed = [scenes.batch(10_000_000 + k, augment=False) for k in range(batches)]

    def __call__(self, model: nn.Module) -> dict[str, float]:
        net = cast(CausalNet, model)
        total, missed, alarms = 0.0, [], []
        for x, y, weight in self.fixed:
            logits, _ = net(x, net.initial(x.shape[1]))
            total += float(loss(logits, y, weight)) / len(self.fixed)
            on, judged = logits[..., 0] > 0, weight > 0
            missed.append(float((~on)[judged & (y == 1)].float().mean()))
            alarms.append(float(on[judged & (y == 0)].float().mean()))
        return {"loss": total, "missed": float(np.mean(missed)), "alarms": float(np.mean(alarms))}


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--bank", type=Path, required=True)
    ap.add_argument("--music", type=Path, required=True, help="rendered folder")
    ap.add_argument("--esc", type=Path, required=True)
    ap.add_argument("--scenes", type=Path, required=True, help="folder for the scenes, made where missing")
    ap.add_argument("--count", type=int, default=5000, help="scenes")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=1400)
    ap.add_argument("--batch", type=int, default=48)
    ap.add_argument("--rate", type=float, default=2e-3)
    ap.add_argument("--hidden", type=int, default=112)
    ap.add_argument("--layers", type=int, default=1)
    ap.add_argument("--from", dest="start", type=Path, help="start from the averaged weights of this checkpoint")
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    for part, held_out, count in (("train", False, a.count), ("held-out", True, 2 * SHARD)):
        folder = a.scenes / part
        folder.mkdir(parents=True, exist_ok=True)
        numbers = [k for k in range(count // SHARD) if not (folder / f"{k:03d}.npz").exists()]
        material = Material(a.bank, a.music, a.esc, held_out) if numbers else None
        for k in numbers:
            assert material is not None
            shard(k, a.seed + 1_000_000 * held_out, material, folder / f"{k:03d}.npz")
    scenes = Scenes(a.scenes / "train", a.batch, a.seed)
    config = CausalConfig(SIZE, 1, 96, a.hidden, a.layers, context=3, rise=1.0)
    net = CausalNet(config)
    if a.start:
        net.load_state_dict(loop.load(a.start)["mean"])
    else:
        net.normalise(torch.cat([scenes.batch(20_000_000 + k)[0] for k in range(2)]))
    hours = len(scenes.x) * FRAMES / 360_000
    print(f"{loop.parameters(net)} parameters, {len(scenes.x)} scenes, {hours:.1f} h", flush=True)

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        x, y, weight = scenes.batch(number)
        return {"voice": loss(model(x, net.initial(x.shape[1]))[0], y, weight)}

    about: dict[str, Any] = {"seed": a.seed, "config": asdict(config), "hours": hours}
    check = Validator(Scenes(a.scenes / "held-out", a.batch, a.seed))
    mean = loop.train(net, step, check, a.out, loop.LoopConfig(a.steps, a.rate), about)
    net.load_state_dict(mean)
    print(f"largest difference from torch {export(net, a.out / 'voice.onnx'):.2g}")


if __name__ == "__main__":
    main()
