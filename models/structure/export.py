"""The structure network as ONNX: one step and the states in, probabilities and the new states out.

python -m models.structure.export OUT.onnx final.pt
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from models.structure.features import SIZE
from models.structure.network import StructureNet
from models.training.export import command, export_step

OUTPUTS = ["state", "event"]
STATES = ["means", "ends", "memory"]


class Step(nn.Module):
    """One step: ``frame (batch, 46)``; states ``(7, batch, 46)``, ``(2, batch, 45)``, ``(1, batch, 48)``."""

    def __init__(self, net: StructureNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: Tensor, means: Tensor, ends: Tensor, memory: Tensor) -> tuple[Tensor, ...]:
        answers, following = self.net(frame, (means, ends, memory))
        return answers.state.softmax(-1), answers.event.sigmoid(), *following


def export(net: StructureNet, path: Path) -> float:
    """Write `path`; returns the largest difference from torch; raises ``RuntimeError`` if it exceeds 1e-4."""
    return export_step(Step(net.eval()), torch.rand(3, SIZE), dict(zip(STATES, net.initial(3))), OUTPUTS, path)


if __name__ == "__main__":
    command(__doc__, lambda about: StructureNet(), export)
