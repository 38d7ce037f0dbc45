"""The network of the bundle, in torch; after a change (or a training), export it again:

sidechain plugins export ./my-plugin/network.py:Network ./my-plugin
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """One frame of the log-mel spectrum and the states in, results and new states out.

    forward() takes the input and the states in the order of plugin.toml, and returns what ``model.outputs`` names.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(0.01))  # stands for what you train
        self.weight = nn.Parameter(torch.ones(48) / 48)

    def forward(self, frame: Tensor, mean: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`frame` and `mean` have shape (1, 48)."""
        rise = torch.relu(frame - mean)
        activity = torch.tanh((rise * self.weight).sum(-1, keepdim=True))
        shares = torch.softmax(frame.reshape(1, 3, 16).mean(-1), -1)
        return activity, shares, mean + self.rate * (frame - mean)
