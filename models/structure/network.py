"""The structure network: ten times a second, in which part of the piece we are and what has just begun.

Leaky means from half a second to a minute say what is usual in this piece, against which the moment is heard;
dense layers follow. Heads: the state, and each event's "has just happened". There is no recurrence to be trained,
so every tenth of a second of the training music counts for itself.
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
HIDDEN = (96, 64)
HEARD = (1 + len(SECONDS)) * (SIZE - 1) + 2 * (SIZE - 1) + 1
States = tuple[Tensor, Tensor]


class Answers(NamedTuple):
    """Logits, shapes ``(batch, 4)``."""

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
            nn.Linear(HEARD, HIDDEN[0]), nn.ReLU(), nn.Dropout(0.25), nn.Linear(HIDDEN[0], HIDDEN[1]), nn.ReLU(),
            nn.Dropout(0.25),
        )  # fmt: skip
        self.state = nn.Linear(HIDDEN[1], len(STATES))
        self.event = nn.Linear(HIDDEN[1], len(EVENTS))

    def initial(self, batch: int) -> States:
        """States before any sound: the means; highest and lowest of the two-second mean, slowly forgotten."""
        return torch.zeros(len(SECONDS), batch, SIZE), torch.zeros(2, batch, SIZE - 1)

    def hear(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """What the dense layers are given after one more step.

        Parameters
        ----------
        x : Tensor, shape (batch, 31)
        states : tuple of Tensor
            From :meth:`initial` or the last call.

        Returns
        -------
        Tensor, shape (batch, HEARD)
        tuple of Tensor
            New states.
        """
        _, kept = leaky(x[None], states[0], self.keep)
        means = kept[..., :-1] / kept[..., -1:].clamp_min(1e-3)  # what has not been heard yet does not count
        usual, recent = means[-1], means[2]
        high = torch.maximum(recent - usual, states[1][0] * FORGET)
        low = torch.minimum(recent - usual, states[1][1] * FORGET)
        parts = [x[:, :-1] - usual, *(m - usual for m in means[:-1]), usual, high, low, kept[-1][:, -1:]]
        return torch.cat(parts, -1), (kept, torch.stack([high, low]))

    def answer(self, heard: Tensor) -> Answers:
        """Logits of state and events."""
        y = self.dense((heard - self.mean) / self.scale)
        return Answers(self.state(y), self.event(y))

    def forward(self, x: Tensor, states: States) -> tuple[Answers, States]:
        """One step."""
        heard, following = self.hear(x, states)
        return self.answer(heard), following
