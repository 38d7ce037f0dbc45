"""Which beat of the bar a beat is, from what sounded during it and the beats before: one step a beat.

Dense layer → causal convolution over four beats → GRU (K. Cho et al., 2014) → probability of every beat of a bar
of three and of four. Called twice a second, it costs next to nothing and can look back over minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from models.beat.bars import METRES
from models.beat.beatwise import SIZE
from models.training.export import command, export_step

CLASSES = sum(METRES)
STATES = ["near", "core"]


@dataclass(frozen=True)
class BarConfig:
    """Shape of a network; stored in its checkpoints."""

    front: int = 96
    hidden: int = 96
    context: int = 4
    dropout: float = 0.25


class BarNet(nn.Module):
    """The network. Tensors run time first: ``(beats, batch, size)``."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: BarConfig) -> None:
        super().__init__()
        self.config = c = config
        self.register_buffer("mean", torch.zeros(SIZE))
        self.register_buffer("scale", torch.ones(SIZE))
        self.enter = nn.Linear(SIZE, c.front)
        self.near = nn.Linear(c.context * c.front, c.front)
        self.core = nn.GRU(c.front, c.hidden)
        self.head = nn.Linear(c.hidden + c.front, CLASSES)
        self.dropout = nn.Dropout(c.dropout)

    def initial(self, batch: int) -> tuple[Tensor, Tensor]:
        """States before the first beat, all zero: the convolution's past, the core."""
        c = self.config
        return torch.zeros(c.context - 1, batch, c.front), torch.zeros(1, batch, c.hidden)

    def forward(self, x: Tensor, states: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run on.

        Parameters
        ----------
        x : Tensor, shape (beats, batch, SIZE)
            From :func:`models.beat.beatwise.row`.
        states : tuple of Tensor
            From :meth:`initial` or the last call.

        Returns
        -------
        Tensor, shape (beats, batch, CLASSES)
            Logits of the beats of a bar of three, then of four.
        tuple of Tensor
            New states.
        """
        past, core = states
        y = self.dropout(self.enter((x - self.mean) / self.scale).relu())
        whole = torch.cat([past, y])
        n, context = len(y), self.config.context
        y = y + self.near(torch.cat([whole[k : k + n] for k in range(context)], -1)).relu()
        z, core = self.core(y, core)
        return self.head(self.dropout(torch.cat([z, y], -1))), (whole[-(context - 1) :], core)


class Step(nn.Module):
    """One beat for ONNX: ``frame (batch, SIZE)`` and the states in, probabilities and the new states out."""

    def __init__(self, net: BarNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: Tensor, near: Tensor, core: Tensor) -> tuple[Tensor, ...]:
        logits, states = self.net(frame[None], (near, core))
        return (logits[0].softmax(-1), *states)


def export(net: BarNet, path: Path) -> float:
    """Write `net` as ONNX; returns the largest difference from torch.

    Raises
    ------
    RuntimeError
        If the difference exceeds 1e-4.
    """
    states = dict(zip(STATES, net.initial(3)))
    return export_step(Step(net.eval()), torch.rand(3, SIZE), states, ["bar"], path)


if __name__ == "__main__":
    command(__doc__, lambda about: BarNet(BarConfig(**about["config"])), export)
