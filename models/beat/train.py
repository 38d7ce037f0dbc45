"""Train the beat network on rendered music.

    python -m models.training.dataset DATA CACHE --features models.beat.features:Features
    python -m models.beat.train --data DATA --cache CACHE --out OUT --seed 1

Resumes from ``OUT/last.pt``; ends with ``OUT/final.pt`` (averaged weights) and ``OUT/beat.onnx``. One thread: on
small machines a second one slows the recurrent layers down.
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

from models.beat import distill
from models.beat.augment import Sampler
from models.beat.export import export
from models.beat.features import Features
from models.beat.network import BeatNet, Heads, NetConfig
from models.beat.targets import IGNORE, TEMPO_BINS, Targets, tempo_position
from models.training import loop
from models.training.dataset import cache_features
from realtime.errors import reported


def losses(heads: Heads, t: Targets, settle: int = 50) -> dict[str, Tensor]:
    """Terms of the loss; arrays of `t` are ``(frames, batch)``.

    Nothing is asked of the first `settle` frames but the beat: the network has to hear before it can tell.
    """
    weight = torch.from_numpy(t.weight)
    late = weight.clone()
    late[:settle] = 0
    total, total_late = weight.sum() + 1, late.sum() + 1
    beat = torch.from_numpy(t.beat)
    bce = functional.binary_cross_entropy_with_logits
    out = {"beat": (bce(heads.beat, beat, reduction="none") * weight).sum() / total}
    at = torch.from_numpy(t.at_beat) * late
    term = bce(heads.downbeat, torch.from_numpy(t.downbeat), reduction="none")
    out["downbeat"] = (term * at).sum() / (at.sum() + 1)
    bins = torch.arange(TEMPO_BINS, dtype=torch.float32)
    target = torch.exp(-0.5 * (bins - torch.from_numpy(tempo_position(t.tempo))[..., None]) ** 2)
    target = target / target.sum(-1, keepdim=True)
    known = late * torch.from_numpy((t.tempo > 0).astype(np.float32))
    out["tempo"] = -((target * heads.tempo.log_softmax(-1)).sum(-1) * known).sum() / total_late
    for name, logits, truth in (("phase", heads.phase, t.phase), ("metre", heads.metre, t.metre)):
        term = functional.cross_entropy(
            logits.flatten(0, 1), torch.from_numpy(truth).flatten(), ignore_index=IGNORE, reduction="none"
        )
        out[name] = (term * late.flatten()).sum() / total_late
    return {k: v * distill.TERMS[k] for k, v in out.items()}


class Validator:
    """Losses on held-out pieces, un-augmented, the same crops every time."""

    def __init__(self, sampler: Sampler, batches: int = 3) -> None:
        self.fixed = [sampler.batch(10_000_000 + k, augment=False) for k in range(batches)]

    def __call__(self, model: nn.Module) -> dict[str, float]:
        net = cast(BeatNet, model)
        sums: dict[str, float] = {}
        for x, targets in self.fixed:
            heads, _ = net(x, net.initial(x.shape[1]))
            for k, v in losses(heads, targets).items():
                sums[k] = sums.get(k, 0.0) + v.item() / distill.TERMS[k] / len(self.fixed)
        return sums


def normalise(net: BeatNet, sampler: Sampler) -> None:
    """Set the input's mean and scale from some training sound."""
    x = torch.cat([sampler.batch(20_000_000 + k)[0].flatten(0, 1) for k in range(2)])
    net.mean.copy_(x.mean(0))
    net.scale.copy_(x.std(0).clamp_min(0.05))


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=Path, required=True, nargs="+", help="rendered folder(s)")
    ap.add_argument("--cache", type=Path, nargs="+", help="their feature caches (default DATA/features)")
    ap.add_argument("--weight", type=int, nargs="+", help="how often a piece of each is drawn (default 1)")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=1800)
    ap.add_argument("--batch", type=int, default=32)
    ap.add_argument("--seconds", type=float, default=24.0, help="length of a sequence")
    ap.add_argument("--rate", type=float, default=1.5e-3)
    ap.add_argument("--core", choices=("gru", "tcn", "ssm"), default="gru")
    ap.add_argument("--front", type=int, default=128)
    ap.add_argument("--hidden", type=int, default=160)
    ap.add_argument("--layers", type=int, default=2)
    ap.add_argument("--resonators", action="store_true", help="add the bank of damped oscillators")
    ap.add_argument("--from", dest="start", type=Path, help="start from this checkpoint or exported network")
    learn = ap.add_mutually_exclusive_group()
    learn.add_argument("--teacher", type=Path, metavar="ONNX", help="learn from this ensemble's answers as well")
    learn.add_argument(
        "--answers", action="store_true", help="learn from what models.beat.answers or .hindsight has kept as well"
    )
    ap.add_argument("--trust", type=float, default=0.5, help="share of the loss that is the teacher's")
    ap.add_argument(
        "--mixed", action="store_true", help="matrices in bfloat16: faster only where the processor has it"
    )
    ap.add_argument("--refresh", type=int, default=0, help="look for new pieces every so many steps")
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    caches = a.cache or [d / "features" for d in a.data]
    if not a.refresh:
        for data, cache in zip(a.data, caches):
            for _ in cache_features(data, cache, Features()):
                pass
    folders = list(zip(a.data, caches, a.weight or [1] * len(caches)))
    frames = int(a.seconds * 50)
    sampler = Sampler(folders, frames, a.batch, a.seed, taught=a.answers)
    config = NetConfig(a.core, a.front, a.hidden, a.layers, resonators=a.resonators)
    teachers = distill.Teachers(a.teacher) if a.teacher else None
    if a.start and a.start.suffix == ".onnx":
        net = distill.recovered(a.start)[0]
        config = net.config
    else:
        net = BeatNet(config)
        normalise(net, sampler)
        if a.start:
            net.load_state_dict(loop.load(a.start)["mean"], strict=False)
    net.mixed = a.mixed
    print(f"{loop.parameters(net)} parameters, {len(sampler.items)} pieces, {sampler.hours:.1f} h", flush=True)

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        if a.refresh and number and number % a.refresh == 0:
            sampler.refresh()
            print(f"step {number}: {len(sampler.items)} pieces, {sampler.hours:.1f} h", flush=True)
        if a.answers:
            x, targets, taught, weight = sampler.lesson(number)
        else:
            x, targets = sampler.batch(number)
            weight = torch.from_numpy(targets.weight)
        heads, _ = model(x, net.initial(x.shape[1]))
        hard = losses(heads, targets)
        if teachers is not None:
            taught = teachers(x)
        elif not a.answers:
            return hard
        soft = distill.losses(heads, taught, weight)
        return {k: v * (1 - a.trust) for k, v in hard.items()} | {k: v * a.trust for k, v in soft.items()}

    about: dict[str, Any] = {"seed": a.seed, "config": asdict(config), "hours": sampler.hours}
    check = Validator(Sampler(folders, frames, a.batch, a.seed, held_out=True))
    mean = loop.train(net, step, check, a.out, loop.LoopConfig(a.steps, a.rate), about)
    net.load_state_dict(mean)
    export(net, a.out / "beat.onnx")


if __name__ == "__main__":
    reported(main)
