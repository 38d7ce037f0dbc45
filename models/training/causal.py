"""A small causal network for frame-wise decisions, shared by the trainings of voice and drums.

Level and its rise → dense layer → short causal convolution → GRU (Cho et al., 2014) → one linear head. All
memory is in explicit states, so that it runs one frame at a time in the host and many in training.

    python -m models.training.causal OUT.onnx CHECKPOINT.pt      # export the averaged weights of a training
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from models.training.export import command, export_step

States = tuple[Tensor, Tensor, Tensor]
STATES = ["last", "near", "core"]


@dataclass(frozen=True)
class CausalConfig:
    """Shape of a network; stored in its checkpoints.

    Attributes
    ----------
    inputs, outputs : int
        Sizes of a frame and of the answer.
    lag : int
        Frames between the two whose difference is the rise.
    context : int
        Frames that the convolution sees.
    """

    inputs: int
    outputs: int
    front: int = 96
    hidden: int = 96
    layers: int = 1
    context: int = 4
    lag: int = 2
    dropout: float = 0.1
    rise: float = 2.0


class CausalNet(nn.Module):
    """The network. Tensors run time first: ``(frames, batch, size)``."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: CausalConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.zeros(config.inputs))
        self.register_buffer("scale", torch.ones(config.inputs))
        self.enter = nn.Linear(2 * config.inputs, config.front)
        self.near = nn.Linear(config.context * config.front, config.front)
        self.core = nn.GRU(config.front, config.hidden, config.layers)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden + config.front, config.outputs)

    def initial(self, batch: int) -> States:
        """States before any sound, all zero: last frames, the convolution's past, the core."""
        c = self.config
        return (
            torch.zeros(c.lag, batch, c.inputs),
            torch.zeros(c.context - 1, batch, c.front),
            torch.zeros(c.layers, batch, c.hidden),
        )

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Run on.

        Parameters
        ----------
        x : Tensor, shape (frames, batch, inputs)
        states : tuple of Tensor
            From :meth:`initial` or the last call.

        Returns
        -------
        Tensor, shape (frames, batch, outputs)
            Logits.
        tuple of Tensor
            New states.
        """
        last, past, core = states
        c, frames = self.config, len(x)
        heard = torch.cat([last, x])
        rise = (x - heard[:frames]).relu() * c.rise
        y = self.enter(torch.cat([(x - self.mean) / self.scale, rise], -1)).relu()
        whole = torch.cat([past, y])
        beside = torch.cat([whole[k : k + frames] for k in range(c.context)], -1)
        y = self.near(beside).relu() + y
        z, core = self.core(y, core)
        answer = self.head(self.dropout(torch.cat([z, y], -1)))
        return answer, (heard[-c.lag :], whole[1 - c.context :], core)

    def normalise(self, x: Tensor) -> None:
        """Set the input's mean and scale from examples, shape ``(…, inputs)``."""
        flat = x.flatten(0, -2)
        self.mean.copy_(flat.mean(0))
        self.scale.copy_(flat.std(0).clamp_min(0.05))


class Step(nn.Module):
    """One frame for ONNX: ``frame (batch, inputs)`` and the states in, probabilities and the new states out."""

    def __init__(self, net: CausalNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: Tensor, last: Tensor, near: Tensor, core: Tensor) -> tuple[Tensor, ...]:
        logits, states = self.net(frame[None], (last, near, core))
        return (logits[0].sigmoid(), *states)


def export(net: CausalNet, path: Path) -> float:
    """Write `net` as ONNX; returns the largest difference from torch.

    Raises
    ------
    RuntimeError
        If the difference exceeds 1e-4.
    """
    frame = torch.rand(3, net.config.inputs)
    return export_step(Step(net.eval()), frame, dict(zip(STATES, net.initial(3))), ["probability"], path)


if __name__ == "__main__":
    command(__doc__, lambda about: CausalNet(CausalConfig(**about["config"])), export)
