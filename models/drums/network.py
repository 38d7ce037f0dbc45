"""The drum network: causal, all memory in explicit states, one frame of 10 ms at a time or many in training.

Levels, their rise, and how far they stand above their own mean of the last half second → dense layer →
convolution over three frames → GRU (Cho et al., 2014) → any hit, classes, strengths. The mean tells a struck
drum from a bass that has been sounding, band by band (adaptive whitening: D. Stowell, M. Plumbley, ICMC 2007).

    python -m models.drums.network OUT.onnx CHECKPOINT.pt      # export the averaged weights of a training
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.drums.features import BANDS, FPS, LOW, SIZE
from models.drums.targets import OUTPUTS
from models.training.export import PARITY, command, export_onnx
from models.training.leaky import keeps, leaky
from realtime.hosting.inference import open_session

States = tuple[Tensor, Tensor, Tensor, Tensor]
STATES = ["last", "mean", "near", "core"]
GAMMA = 1000.0
HEARD = BANDS + LOW
"""Newer short spectrum and bass: what has a mean."""
INPUTS = SIZE + 2 * BANDS + 2 * LOW + HEARD


@dataclass(frozen=True)
class Shape:
    """Sizes of a network; stored in its checkpoints.

    Attributes
    ----------
    mean : float
        Seconds of the mean level.
    noise : float
        In training, added to the normalised inputs.
    """

    front: int = 96
    hidden: int = 112
    context: int = 3
    mean: float = 0.5
    dropout: float = 0.1
    noise: float = 0.0


class DrumNet(nn.Module):
    """The network. Tensors run time first: ``(frames, batch, size)``."""

    offset: Tensor
    scale: Tensor
    keep: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("offset", torch.zeros(INPUTS))
        self.register_buffer("scale", torch.ones(INPUTS))
        self.register_buffer("keep", keeps([shape.mean], FPS))
        self.enter = nn.Linear(INPUTS, shape.front)
        self.near = nn.Linear(shape.context * shape.front, shape.front)
        self.core = nn.GRU(shape.front, shape.hidden)
        self.dropout = nn.Dropout(shape.dropout)
        self.head = nn.Linear(shape.hidden + shape.front, OUTPUTS)

    def initial(self, batch: int) -> States:
        """States before any sound, all zero: two last frames, the mean, the convolution's past, the core."""
        s = self.shape
        return (
            torch.zeros(2, batch, SIZE),
            torch.zeros(1, batch, HEARD),
            torch.zeros(s.context - 1, batch, s.front),
            torch.zeros(1, batch, s.hidden),
        )

    def inputs(self, x: Tensor, last: Tensor, mean: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the dense layer takes of magnitudes ``(frames, batch, 152)``; new levels and mean."""
        frames = len(x)
        level = torch.log1p(GAMMA * x)
        heard = torch.cat([last, level])
        before = heard[1 : 1 + frames]
        rise = (level - before).relu()
        longer = (level[..., 2 * BANDS :] - heard[:frames, :, 2 * BANDS :]).relu()
        newest = level[..., BANDS:]
        average, mean = leaky(newest, mean, self.keep)
        above = newest - average[:, :, 0]
        whole = torch.cat([level, rise, longer, above], -1)
        return (whole - self.offset) / self.scale, heard[-2:], mean

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Run on.

        Parameters
        ----------
        x : Tensor, shape (frames, batch, 152)
            Magnitudes.
        states : tuple of Tensor
            From :meth:`initial` or the last call.

        Returns
        -------
        Tensor, shape (frames, batch, 13)
            Logits.
        tuple of Tensor
            New states.
        """
        last, mean, past, core = states
        s, frames = self.shape, len(x)
        seen, last, mean = self.inputs(x, last, mean)
        if self.training:
            seen = seen + s.noise * torch.randn_like(seen)
        y = self.enter(seen).relu()
        whole = torch.cat([past, y])
        beside = torch.cat([whole[k : k + frames] for k in range(s.context)], -1)
        y = self.near(beside).relu() + y
        z, core = self.core(self.dropout(y), core)
        answer = self.head(self.dropout(torch.cat([z, y], -1)))
        return answer, (last, mean, whole[1 - s.context :], core)

    def normalise(self, x: Tensor) -> None:
        """Set the inputs' offset and scale from example magnitudes, shape (frames, batch, 152)."""
        last, mean, _, _ = self.initial(x.shape[1])
        flat = self.inputs(x, last, mean)[0][20:].flatten(0, -2)
        self.offset.copy_(flat.mean(0))
        self.scale.copy_(flat.std(0).clamp_min(0.1))


class Step(nn.Module):
    """One frame for ONNX, with few operators: each costs about as much as 10 000 products.

    ``frame (batch, 152)`` and the states in, probabilities and the new states out. The normalisation lies in the
    first layer's weights; the mean's rise is what the newest frame stands above it, so one difference gives
    both.
    """

    def __init__(self, net: DrumNet) -> None:
        super().__init__()
        self.net = net
        self.lift = float(1 - net.keep[0])
        scale = net.scale.clone()
        scale[-HEARD:] /= net.keep[
            0
        ]  # above the mean after this frame, as in training: so much less than before it
        weight = net.enter.weight / scale
        self.enter = nn.Linear(INPUTS, net.shape.front)
        self.enter.weight = nn.Parameter(weight.detach())
        self.enter.bias = nn.Parameter((net.enter.bias - (net.enter.weight / net.scale) @ net.offset).detach())

    def forward(self, frame: Tensor, last: Tensor, mean: Tensor, near: Tensor, core: Tensor) -> tuple[Tensor, ...]:
        level = (GAMMA * frame + 1).log()
        newest = level[:, BANDS:]
        above = newest - mean
        rise = (level - last[:, LOW:]).relu()
        longer = (level[:, 2 * BANDS :] - last[:, :LOW]).relu()
        y = self.enter(torch.cat([level, rise, longer, above], -1)).relu()
        beside = torch.cat([near, y], -1)
        y = self.net.near(beside).relu() + y
        z, core = self.net.core(y[None], core)
        told = self.net.head(torch.cat([z[0], y], -1)).sigmoid()
        before = torch.cat([last[:, -LOW:], level], -1)
        return told, before, mean + self.lift * above, beside[:, self.net.shape.front :], core


def export(net: DrumNet, path: Path) -> float:
    """Write `net` as ONNX; returns the largest difference from torch over some frames.

    Raises
    ------
    RuntimeError
        If the difference exceeds 1e-4.
    """
    net = net.eval()
    s = net.shape
    sizes = {"last": LOW + SIZE, "mean": HEARD, "near": (s.context - 1) * s.front}
    states = {k: torch.zeros(3, n) for k, n in sizes.items()} | {"core": torch.zeros(1, 3, s.hidden)}
    names = ["probability", *(f"{k}_next" for k in STATES)]
    axes = dict.fromkeys(["frame", *STATES, *names], 0) | {"core": 1, "core_next": 1}
    step = Step(net)
    export_onnx(step, {"frame": torch.rand(3, SIZE), **states}, names, axes, path)
    difference = _difference(net, path)
    if difference > PARITY:
        raise RuntimeError(f"{path}: ONNX differs from torch by {difference:.2g}")
    return difference


def _difference(net: DrumNet, path: Path, frames: int = 40) -> float:
    """Between the file, frame by frame, and the network over all frames at once."""
    session = open_session(path)
    x = 0.1 * torch.rand(frames, 1, SIZE, generator=torch.Generator().manual_seed(1)) ** 4
    with torch.no_grad():
        whole = net(x, net.initial(1))[0].sigmoid().numpy()
    states = {i.name: np.zeros([n if isinstance(n, int) else 1 for n in i.shape], np.float32)
              for i in session.get_inputs()[1:]}  # fmt: skip
    worst = 0.0
    for frame, wanted in zip(x.numpy(), whole):
        told, *after = session.run(None, {"frame": frame, **states})
        states = dict(zip(states, after))
        worst = max(worst, float(np.abs(told - wanted).max()))
    return worst


if __name__ == "__main__":
    command(__doc__, lambda about: DrumNet(Shape(**about["shape"])), export)
