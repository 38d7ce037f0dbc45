"""Train the voice network, from tracks to ONNX.

    python -m models.voice.train --tracks TRACKS --out OUT --seed 1     # of models.voice.tracks; see CARD.md

Mixes while it trains, resumes from ``OUT/last.pt``; ends with ``OUT/final.pt`` (averaged weights) and
``OUT/voice.onnx``. One thread.
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

from models.training import loop
from models.voice.mixing import Mixer
from models.voice.network import VoiceConfig, VoiceNet, export, import_step
from realtime.errors import reported

Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def batch(mixer: Mixer, step: int) -> Batch:
    """Features, labels, weights and shares of one step."""
    x, y, weight, share = (torch.from_numpy(a) for a in mixer.batch(step))
    return x, y, weight, share


def loss(logits: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy per judged frame."""
    term = functional.binary_cross_entropy_with_logits(logits[..., 0], y, reduction="none") * weight
    return term.sum() / (weight.sum() + 1)


def share_loss(logits: Tensor, share: Tensor) -> Tensor:
    """Cross-entropy of the share of the voice in each third band, where that is known."""
    told = (share >= 0).float()
    term = functional.binary_cross_entropy_with_logits(logits, share.clamp_min(0), reduction="none") * told
    return term.sum() / (told.sum() + 1)


class Validator:
    """Loss, and errors at threshold 0.5, on scenes of speakers and pieces that training never hears."""

    def __init__(self, mixer: Mixer, batches: int = 4) -> None:
        self.fixed = [batch(mixer, 10_000_000 + k) for k in range(batches)]

    def __call__(self, model: nn.Module) -> dict[str, float]:
        net = cast(VoiceNet, model)
        total, missed, alarms = 0.0, [], []
        for x, y, weight, _ in self.fixed:
            logits, _, _ = net(x, net.initial(x.shape[1]))
            total += float(loss(logits, y, weight)) / len(self.fixed)
            on, judged = logits[..., 0] > 0, weight > 0
            missed.append(float((~on)[judged & (y == 1)].float().mean()))
            alarms.append(float(on[judged & (y == 0)].float().mean()))
        return {"loss": total, "missed": float(np.mean(missed)), "alarms": float(np.mean(alarms))}


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--tracks", type=Path, required=True, help="folder with train and held-out")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=4000)
    ap.add_argument("--batch", type=int, default=32)
    ap.add_argument("--rate", type=float, default=2e-3)
    ap.add_argument("--front", type=int, default=96)
    ap.add_argument("--hidden", type=int, default=128)
    ap.add_argument("--share", type=float, default=1.0, help="weight of the loss of the voice's shares")
    ap.add_argument(
        "--from", dest="start", type=Path, help="start from a checkpoint's averaged weights, or from ONNX"
    )
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    mixer = Mixer(a.tracks / "train", a.batch, a.seed)
    config = VoiceConfig(a.front, a.hidden)
    net = VoiceNet(config)
    if a.start and a.start.suffix != ".onnx":
        net.load_state_dict(loop.load(a.start)["mean"], strict=False)  # it may lack the shares
    else:
        net.normalise(torch.cat([batch(mixer, 20_000_000 + k)[0] for k in range(2)], 1))
        if a.start:
            import_step(net, a.start)
    hours = a.steps * a.batch * mixer.frames / 360_000
    print(f"{loop.parameters(net)} parameters, {hours:.0f} h of scenes", flush=True)

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        x, y, weight, share = batch(mixer, number)
        voice, shares, _ = model(x, net.initial(x.shape[1]))
        return {"voice": loss(voice, y, weight), "share": a.share * share_loss(shares, share)}

    about: dict[str, Any] = {"seed": a.seed, "config": asdict(config), "hours": hours}
    check = Validator(Mixer(a.tracks / "held-out", a.batch, a.seed))
    mean = loop.train(net, step, check, a.out, loop.LoopConfig(a.steps, a.rate), about)
    net.load_state_dict(mean)
    print(f"largest difference from torch {export(net, a.out / 'voice.onnx'):.2g}")


if __name__ == "__main__":
    reported(main)
