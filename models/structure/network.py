"""The structure network: ten times a second, in which part of the piece we are and what has just begun.

Leaky means from half a second to a minute say what is usual in this piece, against which the moment is heard;
dense layers and a small recurrence (which knows what came before: a break, a rise) follow. Heads: the state, and
each event's "has just happened".
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.structure.features import SIZE
from models.structure.labels import EVENTS, STATES
from models.training.leaky import keeps, leaky

RATE = 10.0
FORGET = 0.998
"""What is left of the highest and lowest after a step: half of it for 35 s."""
SECONDS = (0.4, 1.0, 2.0, 4.0, 8.0, 20.0, 60.0)
HIDDEN = (96, 48)
MEMORY = 48
HEARD = (1 + len(SECONDS)) * (SIZE - 1) + 2 * (SIZE - 1) + 1
Means = tuple[Tensor, Tensor]
States = tuple[Tensor, Tensor, Tensor]


class Answers(NamedTuple):
    """Logits, shapes ``(…, 4)``."""

    state: Tensor
    event: Tensor


class StructureNet(nn.Module):
    """The whole network, one step at a time."""

    keep: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("keep", keeps(SECONDS, RATE))
        self.register_buffer("mean", torch.zeros(HEARD))
        self.register_buffer("scale", torch.ones(HEARD))
        self.dense = nn.Sequential(
            nn.Linear(HEARD, HIDDEN[0]), nn.ReLU(), nn.Dropout(0.3), nn.Linear(HIDDEN[0], HIDDEN[1]), nn.ReLU(),
            nn.Dropout(0.2),
        )  # fmt: skip
        self.memory = nn.GRU(HIDDEN[1], MEMORY)
        self.state = nn.Linear(HIDDEN[1] + MEMORY, len(STATES))
        self.event = nn.Linear(HIDDEN[1] + MEMORY, len(EVENTS))

    def initial(self, batch: int) -> States:
        """States before any sound: means; highest and lowest of the two-second mean; the recurrence's own."""
        return (*self.unheard(batch), torch.zeros(1, batch, MEMORY))

    @staticmethod
    def unheard(batch: int) -> Means:
        """Means, highest and lowest before any sound."""
        return torch.zeros(len(SECONDS), batch, SIZE), torch.zeros(2, batch, SIZE - 1)

    def hear(self, x: Tensor, means: Means) -> tuple[Tensor, Means]:
        """What the dense layers are given after one more step.

        Parameters
        ----------
        x : Tensor, shape (batch, 46)
        means : tuple of Tensor
            From :meth:`unheard` or the last call.

        Returns
        -------
        Tensor, shape (batch, HEARD)
        tuple of Tensor
            New means, highest and lowest.
        """
        _, kept = leaky(x[None], means[0], self.keep)
        mean = kept[..., :-1] / kept[..., -1:].clamp_min(1e-3)  # what has not been heard yet does not count
        usual, recent = mean[-1], mean[2]
        high = torch.maximum(recent - usual, means[1][0] * FORGET)
        low = torch.minimum(recent - usual, means[1][1] * FORGET)
        parts = [x[:, :-1] - usual, *(m - usual for m in mean[:-1]), usual, high, low, kept[-1][:, -1:]]
        return torch.cat(parts, -1), (kept, torch.stack([high, low]))

    def answer(self, heard: Tensor, memory: Tensor) -> tuple[Answers, Tensor]:
        """Logits of state and events over steps ``(steps, batch, HEARD)``, and the recurrence after them."""
        y = self.dense((heard - self.mean) / self.scale)
        z, memory = self.memory(y, memory)
        y = torch.cat([y, z], -1)
        return Answers(self.state(y), self.event(y)), memory

    def forward(self, x: Tensor, states: States) -> tuple[Answers, States]:
        """One step."""
        heard, means = self.hear(x, states[:2])
        answers, memory = self.answer(heard[None], states[2])
        return Answers(answers.state[0], answers.event[0]), (*means, memory)
