"""The tag network as ONNX: four frames and the states in, probabilities, embedding and the new states out.

python -m models.tags.export OUT.onnx final.pt
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from models.tags.features import BANDS, FRAMES
from models.tags.network import TagNet
from models.training.export import command, export_step

OUTPUTS = ["tags", "embedding"]
STATES = ["last", "loud", "means"]


class Step(nn.Module):
    """One step: ``frame (batch, 4, 80)`` and the states of :meth:`TagNet.initial`."""

    def __init__(self, net: TagNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: Tensor, last: Tensor, loud: Tensor, means: Tensor) -> tuple[Tensor, ...]:
        logits, embedding, following = self.net(frame[None], (last, loud, means))
        return logits[0].sigmoid(), embedding[0], *following


def export(net: TagNet, path: Path) -> float:
    """Write `path`; returns the largest difference from torch; raises ``RuntimeError`` if it exceeds 1e-4."""
    return export_step(
        Step(net.eval()), 3 * torch.rand(3, FRAMES, BANDS), dict(zip(STATES, net.initial(3))), OUTPUTS, path
    )


if __name__ == "__main__":
    command(__doc__, lambda about: TagNet(), export)
