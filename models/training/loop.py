"""The training loop all trainings share: checkpoints, resume, weight averaging, a CSV log.

Batches are made from ``(seed, step)`` alone, so a resumed run goes on exactly where it stopped.
"""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class LoopConfig:
    """How long and how to train.

    Attributes
    ----------
    steps : int
        Length of the schedule (cosine to a hundredth of `rate`, after `warmup` steps).
    decay : float
        Of the exponential moving average of the weights, which is what is validated and exported.
    save_every, validate_every : float
        Seconds, and steps.
    """

    steps: int
    rate: float = 1e-3
    warmup: int = 60
    weight_decay: float = 1e-3
    clip: float = 1.0
    decay: float = 0.995
    save_every: float = 120.0
    validate_every: int = 200


def _rate(step: int, c: LoopConfig) -> float:
    if step < c.warmup:
        return c.rate * (step + 1) / c.warmup
    x = min(1.0, (step - c.warmup) / max(1, c.steps - c.warmup))
    return c.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * x)))


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint atomically."""
    partial = path.with_suffix(".part")
    torch.save(state, partial)
    os.replace(partial, path)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint (weights and plain values only)."""
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state


def parameters(net: nn.Module) -> int:
    """How many weights a network has."""
    return sum(p.numel() for p in net.parameters())


def average(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Mean of the weights of several checkpoints of one run."""
    return {
        k: torch.stack([s[k].float() for s in states]).mean(0).to(v.dtype) if v.is_floating_point() else v
        for k, v in states[0].items()
    }


def train(
    model: nn.Module,
    losses: Callable[[int, nn.Module], Losses],
    validate: Callable[[nn.Module], dict[str, float]],
    out: Path,
    config: LoopConfig,
    about: dict[str, Any],
) -> dict[str, Tensor]:
    """Train `model`, resuming from ``out/last.pt`` if it is there; returns the averaged weights.

    Parameters
    ----------
    losses : callable
        ``losses(step, model)`` makes the batch of that step and returns the terms of its loss, to be summed.
    validate : callable
        Called now and then with the averaged model in evaluation mode.
    about : dict
        Plain values stored with every checkpoint (shape of the network, seed …).
    """
    out.mkdir(parents=True, exist_ok=True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.rate, weight_decay=config.weight_decay)
    mean = {k: v.clone() for k, v in model.state_dict().items()}
    step, spent = 0, 0.0
    last = out / "last.pt"
    if last.exists():
        state = load(last)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        mean, step, spent = state["mean"], state["step"], state["seconds"]
    start, saved = time.monotonic() - spent, time.monotonic()
    with (out / "log.csv").open("a", newline="") as file:
        log = csv.writer(file)
        while step < config.steps:
            for group in optimiser.param_groups:
                group["lr"] = _rate(step, config)
            model.train()
            torch.manual_seed(about.get("seed", 0) * 1_000_003 + step)
            terms = losses(step, model)
            total = torch.stack(list(terms.values())).sum()
            optimiser.zero_grad(set_to_none=True)
            total.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            if torch.isfinite(norm):
                optimiser.step()
            step += 1
            decay = min(config.decay, step / (step + 10))
            with torch.no_grad():
                for k, v in model.state_dict().items():
                    if v.is_floating_point():
                        mean[k].lerp_(v, 1 - decay)
                    else:
                        mean[k].copy_(v)
            row = [step, f"{time.monotonic() - start:.0f}", f"{total.item():.4f}"]
            log.writerow([*row, *(f"{k}={v.item():.4f}" for k, v in terms.items())])
            if step % config.validate_every == 0 or step == config.steps:
                _validate(model, mean, validate, log, row[:2])
            if step % 20 == 0:
                file.flush()
            if time.monotonic() - saved > config.save_every or step == config.steps:
                saved = time.monotonic()
                save(
                    last,
                    {
                        "model": model.state_dict(),
                        "optimiser": optimiser.state_dict(),
                        "mean": mean,
                        "step": step,
                        "seconds": saved - start,
                        "about": about,
                    },
                )
    save(out / "final.pt", {"mean": mean, "step": step, "about": about})
    return mean


def _validate(
    model: nn.Module,
    mean: dict[str, Tensor],
    validate: Callable[[nn.Module], dict[str, float]],
    log: Any,
    row: list[Any],
) -> None:
    current = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(mean)
    model.eval()
    with torch.no_grad():
        found = validate(model)
    model.load_state_dict(current)
    log.writerow([*row, "validation", *(f"{k}={v:.4f}" for k, v in found.items())])
    print(*row, {k: round(v, 4) for k, v in found.items()}, flush=True)
