"""The beat network as ONNX: two frames and the states in, probabilities and the new states out.

python -m models.beat.export OUT.onnx A/final.pt B/final.pt                # an ensemble: answers averaged
python -m models.beat.export OUT.onnx --stages STAGE1/last.pt STAGE2/final.pt      # weights averaged
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from models.beat.features import PAIR, SIZE
from models.beat.frame import FrameNet, fits
from models.beat.network import BeatNet, NetConfig
from models.training import loop
from models.training.export import export_step
from realtime.errors import UserError, reported

OUTPUTS = ["pulse", "tempo", "phase", "metre", "music"]
STATES = ["last", "near", "core", "ring"]


class Step(nn.Module):
    """Two frames of a network of any kind: ``(batch, 2, 144)``, and the states, each ``(…, batch, size)``."""

    def __init__(self, net: BeatNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frames: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        heard = []
        for k in range(PAIR):
            y, states = self.net.hear(frames[:, k][None], states)
            heard.append(y[0])
        y = torch.stack(heard, 1)
        heads, music = self.net.say(y), self.net.music(y)
        pulse = torch.stack([heads.beat.sigmoid(), heads.downbeat.sigmoid()], -1)
        rest = (h.softmax(-1) for h in (heads.tempo, heads.phase, heads.metre))
        return (pulse, *rest, music.sigmoid(), *states)


def export(nets: BeatNet | list[BeatNet], path: Path) -> float:
    """Write one network, or an ensemble that answers with the mean of its members' logits, to `path`.

    Returns
    -------
    float
        Largest difference from torch.

    Raises
    ------
    RuntimeError
        If the difference exceeds 1e-4.
    UserError
        If the networks do not go together.
    """
    nets = [nets] if isinstance(nets, BeatNet) else nets
    step: nn.Module
    if fits(nets):
        step = FrameNet([net.eval() for net in nets])
        states = step.initial(3)
    elif len(nets) == 1:
        step = Step(nets[0].eval())
        states = dict(zip(STATES, nets[0].initial(3)))
    else:
        raise UserError("only networks of one shape (gated linear recurrence) make an ensemble; export one alone")
    return export_step(step, torch.rand(3, PAIR, SIZE), states, OUTPUTS, path)


def load_net(paths: list[Path]) -> BeatNet:
    """The network of one checkpoint, or the mean of the weights of several stages of one training.

    A stage before the resonators came counts as one whose resonators say nothing; so with the head for music.
    """
    found = [loop.load(p) for p in paths]
    last = found[-1]
    net = BeatNet(NetConfig(**last["about"]["config"]))
    silent = {k: torch.zeros_like(v) if k.startswith("ring.leave") else v for k, v in last["mean"].items()}
    silent = {k: v for k, v in net.state_dict().items() if k.startswith("music.")} | silent
    net.load_state_dict(loop.average([{**silent, **f["mean"]} for f in found]))
    return net.eval()


def main() -> None:
    """Export from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out", type=Path)
    ap.add_argument("checkpoints", type=Path, nargs="+")
    ap.add_argument("--stages", action="store_true", help="of one training: average the weights, not the answers")
    a = ap.parse_args()
    nets = [load_net(a.checkpoints)] if a.stages else [load_net([p]) for p in a.checkpoints]
    print(f"largest difference from torch {export(nets, a.out):.2g}")


if __name__ == "__main__":
    reported(main)
