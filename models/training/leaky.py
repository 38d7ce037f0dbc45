"""Leaky means of several lengths: memory without recurrence, equal over a sequence and step by step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def keeps(seconds: Sequence[float], rate: float) -> Tensor:
    """What is left of a mean of each length, in seconds, after a frame at `rate` frames a second."""
    return torch.tensor([math.exp(-1 / (rate * s)) for s in seconds])


def leaky(x: Tensor, state: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """Leaky means of several lengths.

    Parameters
    ----------
    x : Tensor, shape (frames, batch, size)
    state : Tensor, shape (lengths, batch, size)
    keep : Tensor, shape (lengths,)
        What is left of the state after a frame.

    Returns
    -------
    Tensor, shape (frames, batch, lengths, size)
    Tensor
        The new state.
    """
    if len(x) == 1:
        state = keep[:, None, None] * state + (1 - keep)[:, None, None] * x
        return state.permute(1, 0, 2)[None], state
    frames = len(x)
    age = torch.arange(frames)[:, None] - torch.arange(frames)[None]
    weight = (keep[:, None, None] ** age.clamp_min(0)) * (age >= 0) * (1 - keep)[:, None, None]
    faded = keep[:, None] ** torch.arange(1, frames + 1)
    mean = torch.einsum("lts,sbn->tbln", weight, x) + torch.einsum("lt,lbn->tbln", faded, state)
    return mean, mean[-1].permute(1, 0, 2)
