"""The tag network: a tenth of a second of log-mel frames in, tags and an embedding out.

Convolutions over the bands of the last 0.2 s (frames are channels, so time is seen exactly and pitch may move)
tell what sounds now; leaky means of that over 0.4 to 4 seconds are the memory. Levels are taken against the mean
of the last second, so that loudness hardly counts. There is no recurrence to be trained: a whole sequence is heard
at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.tags.features import BANDS, FRAMES
from models.tags.labels import FRAME, LEARNT
from models.training.leaky import keeps, leaky

SECONDS = (0.4, 1.5, 4.0)
LOUD_SECONDS = (1.0,)
PAST = 4
"""Frames before the newest four that the convolutions see."""
CHANNELS, HEARD, HIDDEN, EMBEDDING = (24, 48, 64), 96, 128, 64
MIDDLE, UNIT = 2.0, 0.7
"""Usual level and spread of the features, log10(1 + 1e5 m)."""
States = tuple[Tensor, Tensor, Tensor]


class TagNet(nn.Module):
    """The whole network."""

    keep: Tensor
    keep_loud: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("keep", keeps(SECONDS, 1 / FRAME))
        self.register_buffer("keep_loud", keeps(LOUD_SECONDS, 1 / FRAME))
        a, b, c = CHANNELS
        self.first = nn.Conv1d(PAST + FRAMES, a, 9, 3, 4, bias=False)
        self.place = nn.Parameter(torch.zeros(a, (BANDS - 1) // 3 + 1))  # where in the spectrum a pattern lies
        self.trunk = nn.Sequential(
            nn.BatchNorm1d(a), nn.ReLU(), nn.Conv1d(a, b, 5, 2, 2, bias=False), nn.BatchNorm1d(b), nn.ReLU(),
            nn.Conv1d(b, c, 5, 3, 1, bias=False), nn.BatchNorm1d(c), nn.ReLU(), nn.Flatten(),
            nn.Linear(4 * c, HEARD), nn.ReLU(),
        )  # fmt: skip
        self.dense = nn.Sequential(
            nn.Linear((1 + len(SECONDS)) * HEARD + 1, HIDDEN), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(HIDDEN, EMBEDDING), nn.ReLU(),
        )  # fmt: skip
        self.heads = nn.Linear(EMBEDDING, len(LEARNT))

    def initial(self, batch: int) -> States:
        """States before any sound: the last frames, the mean level, the means of what was heard."""
        return (
            torch.zeros(1, batch, PAST * BANDS),
            torch.zeros(1, batch, 2),
            torch.zeros(len(SECONDS), batch, HEARD + 1),
        )

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, Tensor, States]:
        """Any number of steps.

        Parameters
        ----------
        x : Tensor, shape (steps, batch, 4, 80)
        states : tuple of Tensor
            From :meth:`initial` or the last call.

        Returns
        -------
        Tensor, shape (steps, batch, 12)
            Logits of the learnt tags.
        Tensor, shape (steps, batch, 64)
            The embedding.
        tuple of Tensor
            New states.
        """
        steps, batch = x.shape[:2]
        past = torch.cat([states[0].reshape(1, batch, PAST, BANDS), x[:-1, :, -PAST:]], 0)
        level = x.mean((2, 3))[..., None]
        mean, loud_state = leaky(torch.cat([level, torch.ones_like(level)], -1), states[1], self.keep_loud)
        loud = mean[:, :, 0, :1] / mean[:, :, 0, 1:].clamp_min(1e-3)
        seen = (torch.cat([past, x], 2) - loud[..., None]) / UNIT
        first = self.first(seen.reshape(steps * batch, PAST + FRAMES, BANDS)) + self.place
        now = self.trunk(first).reshape(steps, batch, HEARD)
        kept, memory = leaky(torch.cat([now, torch.ones_like(level)], -1), states[2], self.keep)
        means = (kept[..., :-1] / kept[..., -1:].clamp_min(1e-3)).reshape(steps, batch, -1)
        embedding = self.dense(torch.cat([now, means, loud - MIDDLE], -1))
        last = x[-1, :, -PAST:].reshape(1, batch, PAST * BANDS)
        return self.heads(embedding), embedding, (last, loud_state, memory)
