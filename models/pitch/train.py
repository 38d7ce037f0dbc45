"""Train the pitch network on scenes, up to ONNX.

    python -m models.pitch.scenes SCENES --music RENDERED --speech BANK --data TRAIN --count 2200 --seed 1
    python -m models.pitch.scenes HELD --music RENDERED --speech BANK --data TRAIN --count 100 --seed 2
    python -m models.pitch.train --scenes SCENES --held-out HELD --out OUT --seed 1 --steps 1950

Resumes from ``OUT/last.pt``; ends with ``OUT/final.pt`` (averaged weights) and ``OUT/pitch.onnx``. One thread.
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

from models.pitch.features import BINS, FLOOR, HOP, LONGEST, OCTAVE, PITCHES, SIZE, SPECTRA, Evidence
from models.pitch.network import NetConfig, PitchNet, export
from models.pitch.periodicity import LOWEST
from models.pitch.scenes import Scene
from models.training import loop
from realtime.errors import UserError, reported

F32 = npt.NDArray[np.float32]

_WIDTH = 0.7  # of the wanted distribution, bins
_BLIND, _DEAF = 0.05, 0.12
"""Share of sequences without spectra, and without periodicity: neither may become all that counts."""
_SPECTRA = len(SPECTRA) * BINS


def features(sound: F32, phase: int) -> npt.NDArray[np.uint8]:
    """What the network sees of a recording at every second hop, from hop `phase` on, as in the host."""
    evidence, hops = Evidence(), len(sound) // HOP
    out = np.zeros(((hops - phase + 1) // 2, SIZE), np.uint8)
    padded = np.concatenate([np.zeros(LONGEST - HOP, np.float32), sound])
    for k in range(hops):
        block = padded[k * HOP : k * HOP + LONGEST]
        sounds = evidence.listen(block) > FLOOR
        if k % 2 == phase:
            np.minimum(evidence.frame(block, sounds) * 255 + 0.5, 255, out=out[k // 2], casting="unsafe")
    return out


class Scenes:
    """Batches of cuts from shards of scenes; odd scenes are looked at from their second hop on."""

    def __init__(self, folder: Path, batch: int, seed: int, frames: int) -> None:
        paths = sorted(p for p in folder.glob("[0-9]*.npz") if ".part" not in p.name)
        if not paths:
            raise UserError(f"{folder}: no scenes; make some with models.pitch.scenes")
        x, pitch, weight = [], [], []
        for path in paths:
            with np.load(path) as shard:
                scenes = zip(*(shard[name] for name in Scene._fields))
                for k, (sound, peak, hz, counts) in enumerate(scenes):
                    bins = np.where(hz > 0, OCTAVE * np.log2(np.maximum(hz, 1) / LOWEST), -1)
                    x.append(features(sound * (peak / np.float32(32_767)), k % 2))
                    pitch.append(bins[k % 2 :: 2].astype(np.float32))
                    weight.append(counts[k % 2 :: 2] / np.float32(16))
        self.x, self.pitch, self.weight = np.stack(x), np.stack(pitch), np.stack(weight)
        self.length, self.size, self.seed, self.frames = self.x.shape[1], batch, seed, frames

    def batch(self, step: int, augment: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """Features ``(frames, batch, SIZE)``, pitch in bins (negative: none) and weight ``(frames, batch)``."""
        rng = np.random.default_rng((self.seed, step))
        x = np.empty((self.frames, self.size, SIZE), np.uint8)
        pitch, weight = np.empty((2, self.frames, self.size), np.float32)
        for k in range(self.size):
            row, at = int(rng.integers(len(self.x))), int(rng.integers(self.length - self.frames + 1))
            part = slice(at, at + self.frames)
            x[:, k], pitch[:, k], weight[:, k] = self.x[row, part], self.pitch[row, part], self.weight[row, part]
        found = torch.from_numpy(x).float() / 255
        if augment:
            draws = rng.random(self.size)
            found[:, np.flatnonzero(draws < _DEAF), _SPECTRA:] = 0.0
            found[:, np.flatnonzero(draws > 1 - _BLIND), :_SPECTRA] = 0.0
        return found, torch.from_numpy(pitch), torch.from_numpy(weight)


def losses(pitch: Tensor, voiced: Tensor, wanted: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Cross-entropy of pitch where there is one, and of voicing."""
    sung = (wanted >= 0).float()
    goal = torch.exp(-0.5 * ((torch.arange(PITCHES) - wanted[..., None]) / _WIDTH) ** 2)
    goal = goal / (goal.sum(-1, keepdim=True) + 1e-6)
    off = -(goal * pitch).sum(-1) * sung * weight
    voicing = functional.binary_cross_entropy_with_logits(voiced, sung, reduction="none") * weight
    return {"pitch": off.sum() / ((sung * weight).sum() + 1), "voicing": voicing.sum() / (weight.sum() + 1)}


class Validator:
    """Losses, right pitches (within half a semitone) and right voicing on scenes that training never hears."""

    def __init__(self, scenes: Scenes, batches: int = 3) -> None:
        self.fixed = [scenes.batch(10_000_000 + k, augment=False) for k in range(batches)]

    def __call__(self, model: nn.Module) -> dict[str, float]:
        net, total = cast(PitchNet, model), np.zeros(4)
        for x, wanted, weight in self.fixed:
            pitch, voiced, _ = net(x, net.initial(x.shape[1]))
            terms = losses(pitch, voiced, wanted, weight)
            sung = (wanted >= 0) & (weight > 0)
            right = (pitch.argmax(-1) - wanted).abs()[sung] <= 1.5
            heard = ((voiced > 0) == (wanted >= 0))[weight > 0]
            total += [float(terms["pitch"]), float(terms["voicing"]), right.float().mean(), heard.float().mean()]
        return dict(zip(("pitch", "voicing", "right", "voiced"), (total / len(self.fixed)).tolist()))


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--scenes", type=Path, required=True)
    ap.add_argument("--held-out", type=Path, required=True)
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=2000)
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--frames", type=int, default=75)
    ap.add_argument("--rate", type=float, default=4e-3)
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    scenes, config = Scenes(a.scenes, a.batch, a.seed, a.frames), NetConfig()
    net = PitchNet(config)
    hours = scenes.x.shape[0] * scenes.length / 180_000
    print(f"{loop.parameters(net)} parameters, {len(scenes.x)} scenes, {hours:.1f} h", flush=True)

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        x, wanted, weight = scenes.batch(number)
        pitch, voiced, _ = cast(PitchNet, model)(x, net.initial(x.shape[1]))
        return losses(pitch, voiced, wanted, weight)

    about: dict[str, Any] = {"seed": a.seed, "config": asdict(config), "hours": hours}
    check = Validator(Scenes(a.held_out, 24, a.seed, 150))
    mean = loop.train(net, step, check, a.out, loop.LoopConfig(a.steps, a.rate), about)
    net.load_state_dict(mean)
    print(f"largest difference from torch {export(net, a.out / 'pitch.onnx'):.2g}")


if __name__ == "__main__":
    reported(main)
