"""The beat network as ONNX: one frame and the states in, probabilities and the new states out.

python -m models.beat.export OUT.onnx RUN/final.pt [RUN2/final.pt …]  # several: weights averaged
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from models.beat.features import SIZE
from models.beat.network import BeatNet, NetConfig
from models.training import loop
from models.training.export import export_onnx, parity

OUTPUTS = ["pulse", "tempo", "phase", "metre"]
STATES = ["last", "near", "core", "ring"]
PARITY = 1e-4


class Step(nn.Module):
    """One frame: ``frame (batch, 144)``, states ``(…, batch, size)``."""

    def __init__(self, net: BeatNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        heads, states = self.net(frame[None], states)
        pulse = torch.stack([heads.beat[0].sigmoid(), heads.downbeat[0].sigmoid()], -1)
        return (
            pulse,
            heads.tempo[0].softmax(-1),
            heads.phase[0].softmax(-1),
            heads.metre[0].softmax(-1),
            *states,
        )


def export(net: BeatNet, path: Path) -> float:
    """Write `path`; returns the largest difference from torch.

    Raises
    ------
    RuntimeError
        If the difference exceeds 1e-4.
    """
    net.eval()
    step = Step(net).eval()
    states = [s.clone() for s in net.initial(3)]
    names = STATES[: len(states)]
    inputs = {"frame": torch.rand(3, SIZE), **dict(zip(names, states))}
    axes = {"frame": 0, **dict.fromkeys(OUTPUTS, 0)}
    axes |= dict.fromkeys(names, 1) | dict.fromkeys((f"{s}_next" for s in names), 1)
    export_onnx(step, inputs, OUTPUTS + [f"{s}_next" for s in names], axes, path)
    noisy = {k: v + 0.3 * torch.rand_like(v) for k, v in inputs.items()}
    difference = parity(step, noisy, path)
    if difference > PARITY:
        raise RuntimeError(f"{path}: ONNX differs from torch by {difference:.2g}")
    return difference


def load_net(paths: list[Path]) -> BeatNet:
    """The network of one or the mean of several checkpoints of one run."""
    found = [loop.load(p) for p in paths]
    net = BeatNet(NetConfig(**found[0]["about"]["config"]))
    net.load_state_dict(loop.average([f["mean"] for f in found]))
    return net.eval()


def main() -> None:
    """Export from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out", type=Path)
    ap.add_argument("checkpoints", type=Path, nargs="+")
    a = ap.parse_args()
    print(f"largest difference from torch {export(load_net(a.checkpoints), a.out):.2g}")


if __name__ == "__main__":
    main()
