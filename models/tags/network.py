"""The tag network: a tenth of a second of log-mel frames in, tags and an embedding out.

What was heard lately is kept as leaky means: of level, of its square and of attacks, per band, over 0.3 to 4
seconds. All are taken against the mean level of the last second, so that loudness hardly counts; dense layers do
the rest. There is no recurrence to be trained, so every tenth of a second of the training sound counts for itself.
Texture statistics of this kind go back to Tzanetakis & Cook, "Musical genre classification of audio signals"
(2002).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.tags.features import BANDS
from models.tags.labels import FRAME, LEARNT
from models.training.leaky import keeps, leaky

SECONDS = (0.3, 1.0, 4.0)
ATTACKS = BANDS // 2
KEPT = 2 * BANDS + ATTACKS + 1
"""Of each length: level, squared level, attacks, and a one, which tells how much has been heard."""
SIZE = (1 + 2 * len(SECONDS)) * BANDS + len(SECONDS) * ATTACKS + 1
HIDDEN, EMBEDDING = (128, 96), 64
States = tuple[Tensor, Tensor]


class TagNet(nn.Module):
    """The whole network, one step (four frames) at a time."""

    keep: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("keep", keeps(SECONDS, 1 / FRAME))
        self.register_buffer("mean", torch.zeros(SIZE))
        self.register_buffer("scale", torch.ones(SIZE))
        self.dense = nn.Sequential(
            nn.Linear(SIZE, HIDDEN[0]), nn.ReLU(), nn.Dropout(0.2), nn.Linear(HIDDEN[0], HIDDEN[1]), nn.ReLU(),
            nn.Dropout(0.2), nn.Linear(HIDDEN[1], EMBEDDING), nn.ReLU(),
        )  # fmt: skip
        self.heads = nn.Linear(EMBEDDING, len(LEARNT))

    def initial(self, batch: int) -> States:
        """States before any sound: the last frame, and the means."""
        return torch.zeros(1, batch, BANDS), torch.zeros(len(SECONDS), batch, KEPT)

    def hear(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Texture after one more step.

        Parameters
        ----------
        x : Tensor, shape (batch, 4, 80)
        states : tuple of Tensor
            From :meth:`initial` or the last call.

        Returns
        -------
        Tensor, shape (batch, SIZE)
        tuple of Tensor
            New states.
        """
        level = x.mean(1)
        rise = (x - torch.cat([states[0][0][:, None], x[:, :-1]], 1)).relu().mean(1)
        attack = 2 * (rise[:, ::2] + rise[:, 1::2])
        now = torch.cat([level, level * level, attack, torch.ones_like(level[:, :1])], -1)
        _, kept = leaky(now[None], states[1], self.keep)
        means = kept[..., :-1] / kept[..., -1:].clamp_min(1e-3)
        levels, squares, attacks = means.split([BANDS, BANDS, ATTACKS], -1)
        spread = (squares - levels * levels).clamp_min(1e-6).sqrt()
        loud = levels[1].mean(-1, keepdim=True)
        parts = [level - loud, *(m - loud for m in levels), *spread, *attacks, loud]
        return torch.cat(parts, -1), (x[:, -1][None], kept)

    def answer(self, texture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the learnt tags, shape (batch, 12), and the embedding, shape (batch, 64)."""
        embedding = self.dense((texture - self.mean) / self.scale)
        return self.heads(embedding), embedding

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, Tensor, States]:
        """One step: logits, embedding, new states."""
        texture, following = self.hear(x, states)
        logits, embedding = self.answer(texture)
        return logits, embedding, following
