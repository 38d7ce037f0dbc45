"""The 128×128 mel CNN: three convolutional blocks of 32, 64 and 128, a dense layer of 256, dropout.

The usual small network for pictures of sound, as in Choi, Fazekas & Sandler, "Automatic tagging using deep
convolutional neural networks" (2016). The first block steps by two. After the blocks, bands are pooled to four and
time to its mean and its maximum, so that the dense layer stays small.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.melcnn.features import SIZE
from models.melcnn.labels import GENRES, PARTS

DENSE = 256
_GRID = 4
_LEFT = SIZE // 16
"""Rows that the blocks leave."""


def _block(given: int, made: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(given, made, 3, padding=1, stride=stride, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(made), nn.ReLU(), nn.MaxPool2d(2))


class MelCNN(nn.Module):
    """``(batch, 128, 128)`` → logits of genres ``(batch, 12)`` and of parts ``(batch, 6)``."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(_block(1, 32, 2), _block(32, 64, 1), _block(64, 128, 1))
        self.dense = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * 128 * _GRID, DENSE), nn.ReLU(), nn.Dropout(0.2))
        self.genres = nn.Linear(DENSE, len(GENRES))
        self.parts = nn.Linear(DENSE, len(PARTS))

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of one batch."""
        found = self.blocks(picture[:, None])
        bands = functional.avg_pool2d(found, (_LEFT // _GRID, 1))
        # What lasts, and what stands out
        hidden = self.dense(torch.cat([bands.mean(-1), bands.amax(-1)], -1).flatten(1))
        return self.genres(hidden), self.parts(hidden)


class Answer(nn.Module):
    """What is exported: probabilities in place of logits."""

    def __init__(self, net: MelCNN) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Softmax over genres, one decision for each part."""
        genres, parts = self.net(picture)
        return torch.softmax(genres, -1), parts.sigmoid()
