"""The tag network: a tenth of a second of log-mel frames in, tags and an embedding out.

Two convolutions over the last eight frames (0.2 s) and all bands, a dense layer, a GRU for what takes longer, and
heads on a small common layer, which is the embedding. A reduced form of the convolutional-recurrent taggers of
sound-event detection (Çakır et al., "Convolutional recurrent neural networks for polyphonic sound event
detection", 2017).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.tags.features import BANDS, FRAMES
from models.tags.labels import LEARNT

CHANNELS = (16, 32)
DENSE, HIDDEN, EMBEDDING = 96, 64, 64
States = tuple[Tensor, Tensor]


class TagNet(nn.Module):
    """The whole network. Tensors run time first; a step is four frames."""

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(BANDS))
        self.register_buffer("scale", torch.ones(BANDS))
        self.first = nn.Conv2d(1, CHANNELS[0], (3, 5), (2, 2), (0, 2))
        self.second = nn.Conv2d(CHANNELS[0], CHANNELS[1], (3, 5), (1, 2), (0, 2))
        self.dense = nn.Linear(CHANNELS[1] * BANDS // 4, DENSE)
        self.core = nn.GRU(DENSE, HIDDEN)
        self.embed = nn.Linear(DENSE + HIDDEN, EMBEDDING)
        self.heads = nn.Linear(EMBEDDING, len(LEARNT))
        self.dropout = nn.Dropout(0.15)

    def initial(self, batch: int) -> States:
        """States before any sound: the four frames before, and the memory."""
        return torch.zeros(1, batch, FRAMES, BANDS), torch.zeros(1, batch, HIDDEN)

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, Tensor, States]:
        """Run on.

        Parameters
        ----------
        x : Tensor, shape (steps, batch, 4, 80)
        states : tuple of Tensor
            From :meth:`initial` or the last call.

        Returns
        -------
        Tensor, shape (steps, batch, 12)
            Logits of :data:`LEARNT`.
        Tensor, shape (steps, batch, 64)
            Embedding.
        tuple of Tensor
            New states.
        """
        steps, batch = x.shape[:2]
        whole = torch.cat([states[0], x])
        pairs = torch.cat([whole[:-1], whole[1:]], 2).reshape(steps * batch, 1, 2 * FRAMES, BANDS)
        y = (pairs - self.mean) / self.scale
        y = self.second(self.first(y).relu()).relu()
        y = self.dense(self.dropout(y.flatten(1))).relu().reshape(steps, batch, DENSE)
        z, core = self.core(y, states[1])
        embedding = self.embed(self.dropout(torch.cat([y, z], -1))).relu()
        return self.heads(self.dropout(embedding)), embedding, (x[-1:], core)
