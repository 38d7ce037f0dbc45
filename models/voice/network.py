"""The voice network: small and causal, all memory in explicit states, so that it runs a frame at a time.

Spectrum, height above the background and rise → dense layer → short causal convolution → GRU (Cho et al., 2014)
→ one logit.

    python -m models.voice.network OUT.onnx CHECKPOINT.pt … [EXPORTED.onnx]    # mean of some trainings' weights
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from models.training import loop
from models.training.export import export_step
from models.voice.features import BANDS, SIZE
from realtime.errors import reported

States = tuple[Tensor, Tensor]
STATES = ["near", "core"]
CONTEXT = 3
"""Frames that the convolution sees."""


@dataclass(frozen=True)
class VoiceConfig:
    """Shape of a network; stored in its checkpoints."""

    front: int = 96
    hidden: int = 128
    dropout: float = 0.1


class VoiceNet(nn.Module):
    """The network. Tensors run time first: ``(frames, batch, size)``."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: VoiceConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.zeros(SIZE))
        self.register_buffer("scale", torch.ones(SIZE))
        self.enter = nn.Linear(SIZE, config.front)
        self.near = nn.Linear(CONTEXT * config.front, config.front)
        self.core = nn.GRU(config.front, config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden + config.front, 1)
        self.share = nn.Linear(config.hidden + config.front, BANDS // 3)

    def initial(self, batch: int) -> States:
        """States before any sound, all zero: the convolution's past, oldest first in one row, and the core."""
        c = self.config
        return torch.zeros(1, batch, (CONTEXT - 1) * c.front), torch.zeros(1, batch, c.hidden)

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, Tensor, States]:
        """Run on.

        Parameters
        ----------
        x : Tensor, shape (frames, batch, 220)
        states : tuple of Tensor
            From :meth:`initial` or the last call.

        Returns
        -------
        Tensor, shape (frames, batch, 1)
            Logits.
        Tensor, shape (frames, batch, 24)
            Logits of the share of the voice in each third band: asked for in training only, so that the network
            learns where in the spectrum a voice is.
        tuple of Tensor
            New states.
        """
        past, core = states
        frames, batch = x.shape[:2]
        front = self.config.front
        y = self.enter((x - self.mean) / self.scale).relu()
        whole = torch.cat([past.reshape(batch, CONTEXT - 1, front).transpose(0, 1), y])
        y = self.near(torch.cat([whole[k : k + frames] for k in range(CONTEXT)], -1)).relu() + y
        z, core = self.core(y, core)
        z = self.dropout(torch.cat([z, y], -1))
        return self.head(z), self.share(z), (whole[1 - CONTEXT :].transpose(0, 1).reshape(1, batch, -1), core)

    def normalise(self, x: Tensor) -> None:
        """Set the input's mean and scale from examples, shape ``(…, 220)``."""
        flat = x.flatten(0, -2)
        self.mean.copy_(flat.mean(0))
        self.scale.copy_(flat.std(0).clamp_min(0.05))


class Step(nn.Module):
    """One frame for ONNX: ``frame (batch, 220)`` and the states in, probability and the new states out.

    The same sums as the network's in fewer operators: at this size each costs more than its multiplications.
    """

    def __init__(self, net: VoiceNet) -> None:
        super().__init__()
        self.net = net
        self.enter = nn.Linear(SIZE, net.config.front)
        with torch.no_grad():
            self.enter.weight.copy_(net.enter.weight / net.scale)
            self.enter.bias.copy_(net.enter.bias - self.enter.weight @ net.mean)

    def forward(self, frame: Tensor, near: Tensor, core: Tensor) -> tuple[Tensor, ...]:
        net, front = self.net, self.net.config.front
        y = self.enter(frame).relu()
        whole = torch.cat([near, y[None]], -1)
        y = net.near(whole[0]).relu() + y
        core = net.core(y[None], core)[1]
        return net.head(torch.cat([core[0], y], -1)).sigmoid(), whole[..., front:], core


def import_step(net: VoiceNet, path: Path) -> None:
    """Take over the weights of an exported network, under the input's mean and scale that `net` has.

    The head for the shares is not in the file and stays as it is.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    found = {t.name: torch.tensor(numpy_helper.to_array(t)) for t in graph.initializer}
    gru = next(n for n in graph.node if n.op_type == "GRU")
    wide, deep, bias = (found[name][0] for name in gru.input[1:4])
    order = torch.arange(len(wide)).reshape(3, -1)[[1, 0, 2]].flatten()  # ONNX: update gate first
    first, second = bias.reshape(2, -1)
    enter = found["enter.weight"]
    state = {
        "mean": net.mean,
        "scale": net.scale,
        "enter.weight": enter * net.scale,
        "enter.bias": found["enter.bias"] + enter @ net.mean,
        "core.weight_ih_l0": wide[order],
        "core.weight_hh_l0": deep[order],
        "core.bias_ih_l0": first[order],
        "core.bias_hh_l0": second[order],
    } | {k: found[f"net.{k}"] for k in ("near.weight", "near.bias", "head.weight", "head.bias")}
    net.load_state_dict(state, strict=False)


def export(net: VoiceNet, path: Path) -> float:
    """Write `net` as ONNX; returns the largest difference from torch.

    Raises
    ------
    RuntimeError
        If the difference exceeds 1e-4.
    """
    frame = torch.rand(3, SIZE)
    return export_step(Step(net.eval()), frame, dict(zip(STATES, net.initial(3))), ["probability"], path)


def main() -> None:
    """Export from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out", type=Path)
    ap.add_argument("checkpoints", type=Path, nargs="+", help="of one shape; the first one no ONNX")
    a = ap.parse_args()
    first = loop.load(a.checkpoints[0])
    net = VoiceNet(VoiceConfig(**first["about"]["config"]))
    found = []
    for path in a.checkpoints:
        net.load_state_dict(first["mean"])
        if path.suffix == ".onnx":
            import_step(net, path)
        else:
            net.load_state_dict(loop.load(path)["mean"])
        found.append({k: v.clone() for k, v in net.state_dict().items()})
    net.load_state_dict(loop.average(found))
    print(f"largest difference from torch {export(net, a.out):.2g}")


if __name__ == "__main__":
    reported(main)
