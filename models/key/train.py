"""Train the key and chord network on rendered music; resumes.

    python -m models.training.dataset DATA CACHE --features models.key.features:Salience
    python -m models.key.train --data DATA --cache CACHE --out OUT

Ends with ``OUT/final.pt`` and ``OUT/key.onnx``. One thread.
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

from models.key.export import export
from models.key.features import FPS, SEMITONES, Salience
from models.key.network import KeyNet
from models.key.truth import IGNORE, labels
from models.training import loop
from models.training.dataset import Piece, cache_features, cached_pieces, is_validation
from realtime.errors import reported

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
CHORD_DELAY, KEY_DELAY = 0.3, 0.5
"""Seconds by which the answers trail the sound: the middle of the shorter window lies 0.17 s back."""
SETTLE = 2.0
"""Seconds of key before which nothing is asked."""


class Sampler:
    """Batches of sequences, a function of ``(seed, step)``."""

    def __init__(self, pieces: list[tuple[Piece, Path]], frames: int, batch: int, seed: int) -> None:
        self.items = pieces
        self.frames, self.size, self.seed = frames, batch, seed

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Features ``(frames, batch, 72)``, chord and key classes ``(frames, batch)``."""
        rng = np.random.default_rng((self.seed, step))
        x = np.zeros((self.frames, self.size, SEMITONES), np.float32)
        chord = np.full((self.frames, self.size), IGNORE)
        key = np.full((self.frames, self.size), IGNORE)
        for k in range(self.size):
            at = 0
            while at < self.frames:  # now and then another piece follows at once, as from a DJ
                n = self.frames - at if rng.random() < 0.75 else int(rng.integers(80, self.frames))
                n = min(n, self.frames - at)
                x[at : at + n, k], chord[at : at + n, k], key[at : at + n, k] = self._crop(rng, n)
                at += n
        return torch.from_numpy(x), torch.from_numpy(chord), torch.from_numpy(key)

    def _crop(self, rng: np.random.Generator, frames: int) -> tuple[F32, I64, I64]:
        piece, path = self.items[int(rng.integers(len(self.items)))]
        features = np.load(path, mmap_mode="r")
        start = int(rng.integers(max(1, len(features) - frames + 1)))
        source = np.asarray(features[start : start + frames], np.float32)
        times = (start + 1 + np.arange(frames)) / FPS
        chord, _ = labels(piece.truth, times - CHORD_DELAY)
        _, key = labels(piece.truth, times - KEY_DELAY)
        key[: int(SETTLE * FPS)] = IGNORE
        chord[len(source) :], key[len(source) :] = IGNORE, IGNORE
        x = np.zeros((frames, SEMITONES), np.float32)
        x[: len(source)] = vary(source, rng)
        return x, chord.astype(np.int64), key.astype(np.int64)


def vary(x: F32, rng: np.random.Generator) -> F32:
    """A smooth random equaliser and a little forgetfulness."""
    tilt = np.interp(np.arange(SEMITONES), np.linspace(0, SEMITONES, 6), np.exp(rng.normal(0, 0.3, 6)))
    x = x * tilt.astype(np.float32)
    if rng.random() < 0.2:
        x[:, : int(rng.integers(6, 24))] = 0  # small loudspeakers
    return x * (rng.random(x.shape) > 0.03)


def losses(net: KeyNet, x: Tensor, chord: Tensor, key: Tensor) -> dict[str, Tensor]:
    """Cross-entropies of chord and key."""
    answers, _ = net(x, net.initial(x.shape[1]))
    out = {}
    for name, logits, truth in (("chord", answers.chord, chord), ("key", answers.key, key)):
        known = max(1, int((truth != IGNORE).sum()))
        out[name] = (
            functional.cross_entropy(
                logits.flatten(0, 1), truth.flatten(), ignore_index=IGNORE, reduction="sum", label_smoothing=0.02
            )
            / known
        )
    return out


class Validator:
    """Loss and share of right frames on held-out pieces."""

    def __init__(self, sampler: Sampler, batches: int = 2) -> None:
        self.fixed = [sampler.batch(10_000_000 + k) for k in range(batches)]

    def __call__(self, model: nn.Module) -> dict[str, float]:
        net = cast(KeyNet, model)
        sums: dict[str, float] = {}
        for x, chord, key in self.fixed:
            answers, _ = net(x, net.initial(x.shape[1]))
            for name, logits, truth in (("chord", answers.chord, chord), ("key", answers.key, key)):
                known = truth != IGNORE
                right = (logits.argmax(-1) == truth)[known].float().mean().item()
                sums[name] = sums.get(name, 0.0) + right / len(self.fixed)
        return sums


def main() -> None:
    """Train from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=Path, required=True, help="rendered folder")
    ap.add_argument("--cache", type=Path, required=True)
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=450)
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--seconds", type=float, default=30.0)
    ap.add_argument("--rate", type=float, default=3e-3)
    ap.add_argument("--no-caching", action="store_true", help="take the features that are there")
    ap.add_argument("--refresh", type=int, default=0, help="look for new pieces every so many steps")
    a = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    if not a.no_caching:
        for _ in cache_features(a.data, a.cache, Salience()):
            pass
    found = [p for p in cached_pieces(a.data, a.cache) if p[0].truth["source"] != "mix"]
    frames = int(a.seconds * FPS)
    sampler = Sampler([p for p in found if not is_validation(p[0].name)], frames, a.batch, a.seed)
    held_out = Sampler([p for p in found if is_validation(p[0].name)], frames, a.batch, a.seed)
    net = KeyNet()
    hours = sum(float(p.truth["duration"]) for p, _ in sampler.items) / 3600
    print(
        f"{sum(p.numel() for p in net.parameters())} parameters, {len(sampler.items)} pieces, {hours:.1f} h",
        flush=True,
    )

    known = {path for _, path in found}

    def step(number: int, model: nn.Module) -> dict[str, Tensor]:
        if a.refresh and number and number % a.refresh == 0:
            for new in cached_pieces(a.data, a.cache, known):
                known.add(new[1])
                if new[0].truth["source"] != "mix" and not is_validation(new[0].name):
                    sampler.items.append(new)
            print(f"step {number}: {len(sampler.items)} pieces", flush=True)
        return losses(cast(KeyNet, model), *sampler.batch(number))

    config = loop.LoopConfig(a.steps, a.rate, validate_every=100)
    mean = loop.train(net, step, Validator(held_out), a.out, config, {"seed": a.seed, "hours": hours})
    net.load_state_dict(mean)
    print(f"largest difference from torch {export(net, a.out / 'key.onnx'):.2g}")


if __name__ == "__main__":
    reported(main)
