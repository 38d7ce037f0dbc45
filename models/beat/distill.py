"""One network in place of an ensemble: what the members answer together is taught to a single one.

G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network" (2015). The teachers are read from
an exported ONNX file, whose weights are those of :class:`~models.beat.frame.FrameNet`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from models.beat.features import SIZE
from models.beat.network import RISE, BeatNet, Heads, NetConfig, Ssm
from realtime.errors import UserError

TERMS = {"beat": 1.0, "downbeat": 0.5, "tempo": 0.03, "phase": 0.1, "metre": 0.02}
"""Weights of the terms of both losses: scaled to the beat's, which is a mean over all frames and so small."""

SHARES = ("tempo", "phase", "metre")
"""Heads that say which of several."""


def recovered(path: Path) -> list[BeatNet]:
    """The networks of an ensemble that was exported to `path`, as they are trained.

    Raises
    ------
    UserError
        If the file holds something else.
    """
    found = {i.name: np.array(numpy_helper.to_array(i)) for i in onnx.load(str(path)).graph.initializer}
    for name, value in found.items():  # a single network is not stacked
        if name.endswith("_weight") and value.ndim == 2:
            found[name] = value[None]
        elif name.endswith("_bias") and value.ndim == 1:
            found[name] = value[None, None]
    try:
        nets, _, front = found["enter_weight"].shape
        hidden = found["core_weight"].shape[2]
        context = found["near_weight"].shape[1] // front
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: not an exported ensemble of beat networks ({error})") from error
    layers = sum(name.startswith("gate") for name in found) // 2
    config = NetConfig("ssm", front, hidden, layers, context)
    return [_network(config, found, k) for k in range(nets)]


def _network(config: NetConfig, found: dict[str, np.ndarray], k: int) -> BeatNet:
    """Member `k`; scaling of the input and the affine parts of norms stay folded into the layers after them."""
    net = BeatNet(config)
    core = net.core
    assert isinstance(core, Ssm)
    layers: dict[str, nn.Linear] = {"enter": net.enter, "near": net.near, "core": core.enter}
    for j in range(config.layers):
        for name, group in (("gate", core.gates), ("up", core.up), ("down", core.down)):
            layer = group[j]
            assert isinstance(layer, nn.Linear)
            layers[f"{name}{j}"] = layer
    with torch.no_grad():
        for name, layer in layers.items():
            weight = torch.from_numpy(found[f"{name}_weight"][k].T.copy())
            if name == "enter":
                weight[:, SIZE:] /= RISE
            layer.weight.copy_(weight)
            layer.bias.copy_(torch.from_numpy(found[f"{name}_bias"][k, 0].copy()))
        said = found["heads_weight"][k].T.copy(), found["heads_bias"][k, 0].copy()
        for values, heads, music in zip(said, net.heads.parameters(), net.music.parameters()):
            heads.copy_(torch.from_numpy(values[:-1]))
            music.copy_(torch.from_numpy(values[-1:]))
    return net


def probabilities(logits: Heads) -> Heads:
    """Probabilities in place of logits."""
    own = {name: getattr(logits, name).sigmoid() for name in ("beat", "downbeat")}
    return Heads(**own, **{name: getattr(logits, name).softmax(-1) for name in SHARES})


class Teachers:
    """An ensemble whose answers are the means of its members' logits, as it ran live.

    Parameters
    ----------
    path : Path
        The exported ensemble.
    """

    def __init__(self, path: Path) -> None:
        self.nets = [net.eval() for net in recovered(path)]

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Heads:
        """Probabilities for sequences, shape ``(frames, batch, 144)``."""
        answers = [net(x, net.initial(x.shape[1]))[0] for net in self.nets]
        return probabilities(Heads(*(torch.stack(parts).mean(0) for parts in zip(*answers))))


def losses(heads: Heads, taught: Heads, weight: Tensor, settle: int = 50) -> dict[str, Tensor]:
    """Cross entropy against the teachers' probabilities; keys as in the loss against the truth, ``soft_`` before.

    Frames count by `weight`, shape ``(frames, batch)``; nothing but the beat is asked of the first `settle`.
    """
    late = weight.clone()
    late[:settle] = 0
    total, total_late = weight.sum() + 1, late.sum() + 1
    bce = functional.binary_cross_entropy_with_logits
    out = {"beat": (bce(heads.beat, taught.beat, reduction="none") * weight).sum() / total}
    near = taught.beat * late
    downbeat = bce(heads.downbeat, taught.downbeat, reduction="none")
    out["downbeat"] = (downbeat * near).sum() / (near.sum() + 1)
    for name in SHARES:
        mine, theirs = getattr(heads, name), getattr(taught, name)
        out[name] = -((theirs * mine.log_softmax(-1)).sum(-1) * late).sum() / total_late
    return {f"soft_{k}": v * TERMS[k] for k, v in out.items()}
