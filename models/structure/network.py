"""The structure network: ten times a second, in which part of the piece we are and what has just begun.

Leaky means from half a second to a minute say what is usual in this piece, against which the moment is heard; a
dense layer and a GRU follow. Heads: the state, and each event's "has just happened".
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.structure.features import SIZE
from models.structure.labels import EVENTS, STATES
from models.training.leaky import keeps, leaky

RATE = 10.0
SECONDS = (0.5, 2.0, 6.0, 20.0, 60.0)
DENSE, HIDDEN = 64, 64
States = tuple[Tensor, Tensor]


class Answers(NamedTuple):
    """Logits, shapes ``(steps, batch, 4)``."""

    state: Tensor
    event: Tensor


class StructureNet(nn.Module):
    """The whole network. Tensors run time first."""

    keep: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("keep", keeps(SECONDS, RATE))
        self.enter = nn.Linear((1 + len(SECONDS)) * (SIZE - 1) + SIZE - 1, DENSE)
        self.core = nn.GRU(DENSE, HIDDEN)
        self.state = nn.Linear(DENSE + HIDDEN, len(STATES))
        self.event = nn.Linear(DENSE + HIDDEN, len(EVENTS))
        self.dropout = nn.Dropout(0.15)

    def initial(self, batch: int) -> States:
        """States before any sound."""
        return torch.zeros(len(SECONDS), batch, SIZE), torch.zeros(1, batch, HIDDEN)

    def forward(self, x: Tensor, states: States) -> tuple[Answers, States]:
        """Run on.

        Parameters
        ----------
        x : Tensor, shape (steps, batch, 31)
        states : tuple of Tensor
            From :meth:`initial` or the last call.
        """
        means, kept = leaky(x, states[0], self.keep)
        means = means[..., :-1] / means[..., -1:].clamp_min(1e-3)  # what has not been heard yet does not count
        usual = means[..., -1, :]
        here = x[..., :-1]
        against = (means - usual[..., None, :]).flatten(2)
        y = self.enter(torch.cat([here - usual, against, 0.3 * usual], -1)).relu()
        z, core = self.core(self.dropout(y), states[1])
        both = self.dropout(torch.cat([y, z], -1))
        return Answers(self.state(both), self.event(both)), (kept, core)
