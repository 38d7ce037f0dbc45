"""The key and chord network: the same weights for every root, one frame in, beliefs about chord and key out.

Semitones are laid out as octaves × pitch classes; every layer is a circular convolution over the twelve pitch
classes, so that a piece a semitone higher gives the same answer a semitone higher (equivariance, as in Lostanlen &
Cella, "Deep convolutional networks on the pitch spiral", 2016). Memory is leaky means of several lengths: short
ones for the chord, long ones for the key. States and their decay are plain tensors, nothing is recurrent.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.key.features import FPS, OCTAVES
from models.training.leaky import keeps, leaky

SHORT_SECONDS = (0.3, 1.0)
LONG_SECONDS = (4.0, 12.0, 40.0)
CHANNELS, KEPT = 24, 8
CHORDS = 25
"""Twelve major, twelve minor, none."""
KEYS = 24
States = tuple[Tensor, Tensor]


class Answers(NamedTuple):
    """Logits, shapes ``(frames, batch, 25)`` and ``(frames, batch, 24)``; majors C to B, then minors."""

    chord: Tensor
    key: Tensor


class Ring(nn.Module):
    """Circular convolution over the pitch classes; ``(n, channels, 12)``."""

    def __init__(self, enter: int, leave: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(enter, leave, 12)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(torch.cat([x, x[..., :11]], -1))


class KeyNet(nn.Module):
    """The whole network. Tensors run time first."""

    short: Tensor
    long: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("short", keeps(SHORT_SECONDS, FPS))
        self.register_buffer("long", keeps(LONG_SECONDS, FPS))
        self.enter = Ring((1 + len(SHORT_SECONDS)) * OCTAVES, CHANNELS)
        self.middle = Ring(CHANNELS, CHANNELS)
        self.chord = Ring(CHANNELS, 2)
        self.none = nn.Linear(CHANNELS, 1)
        self.keep = nn.Conv1d(CHANNELS, KEPT, 1)
        self.gather = Ring(len(LONG_SECONDS) * (KEPT + OCTAVES), CHANNELS)
        self.key = Ring(CHANNELS, 2)
        self.dropout = nn.Dropout(0.1)

    def initial(self, batch: int) -> States:
        """States before any sound, all zero."""
        return (
            torch.zeros(len(SHORT_SECONDS), batch, OCTAVES * 12),
            torch.zeros(len(LONG_SECONDS), batch, (KEPT + OCTAVES) * 12),
        )

    def forward(self, x: Tensor, states: States) -> tuple[Answers, States]:
        """Run on.

        Parameters
        ----------
        x : Tensor, shape (frames, batch, 72)
        states : tuple of Tensor
            From :meth:`initial` or the last call.
        """
        frames, batch = x.shape[:2]
        near, short = leaky(x, states[0], self.short)
        y = torch.cat([x[:, :, None], near], 2).reshape(frames * batch, -1, 12)
        y = functional.elu(self.enter(y))
        y = functional.elu(self.middle(self.dropout(y))) + y
        chord = self.chord(self.dropout(y))
        none = self.none(y.mean(-1))
        kept = torch.cat([torch.relu(self.keep(y)), x.reshape(frames * batch, OCTAVES, 12)], 1)
        far, long = leaky(kept.reshape(frames, batch, -1), states[1], self.long)
        z = functional.elu(self.gather(self.dropout(far.reshape(frames * batch, -1, 12))))
        key = self.key(self.dropout(z))
        return (
            Answers(
                torch.cat([chord.flatten(1), none], -1).reshape(frames, batch, CHORDS),
                key.flatten(1).reshape(frames, batch, KEYS),
            ),
            (short, long),
        )
