"""The key network as ONNX: one frame and the states in, probabilities and the new states out.

python -m models.key.export OUT.onnx final.pt
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from models.key.features import SEMITONES
from models.key.network import KeyNet
from models.training.export import command, export_step

OUTPUTS = ["chord", "key"]
STATES = ["short", "long"]


class Step(nn.Module):
    """One frame: ``frame (batch, 72)`` and the states ``(lengths, batch, size)``."""

    def __init__(self, net: KeyNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        answers, following = self.net(frame[None], (states[0], states[1]))
        return answers.chord[0].softmax(-1), answers.key[0].softmax(-1), *following


def export(net: KeyNet, path: Path) -> float:
    """Write `path`; returns the largest difference from torch; raises ``RuntimeError`` if it exceeds 1e-4."""
    return export_step(
        Step(net.eval()), torch.rand(3, SEMITONES), dict(zip(STATES, net.initial(3))), OUTPUTS, path
    )


if __name__ == "__main__":
    command(__doc__, lambda about: KeyNet(), export)
