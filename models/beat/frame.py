"""The network as it runs live: one frame, flattened for the least overhead, several trainings side by side.

On one frame a network of half a million weights takes longer to dispatch than to compute. Everything constant is
therefore folded in beforehand (input scaling and the affine parts of layer norms go into the next layer), shapes
are fixed, and the networks of an ensemble run as one, each layer as one product of stacked matrices. A single
network runs on plain matrices, whose product and bias are one operator. The answers
of the ensemble are the means of the members' logits (geometric means of their probabilities, normalised).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.beat.features import SIZE
from models.beat.network import HEADS, RISE, BeatNet, Ssm

LAYERS = ("enter", "near", "core", "heads", "music")


def fits(nets: Sequence[BeatNet]) -> bool:
    """Whether :class:`FrameNet` can run these: gated linear recurrences of one shape, without resonators."""
    first = nets[0].config
    return first.core == "ssm" and not first.resonators and all(n.config == first for n in nets)


def _stacked(layers: Sequence[nn.Module], norms: Sequence[nn.Module] = ()) -> tuple[Tensor, Tensor]:
    """Weights ``(nets, in, out)`` and biases ``(nets, 1, out)``; the affine part of a norm before is folded in."""
    weights, biases = [], []
    for k, layer in enumerate(layers):
        weight, bias = (layer.get_parameter(n).detach() for n in ("weight", "bias"))
        if norms:
            bias = bias + weight @ norms[k].get_parameter("bias").detach()
            weight = weight * norms[k].get_parameter("weight").detach()
        weights.append(weight.T)
        biases.append(bias[None])
    return torch.stack(weights).contiguous(), torch.stack(biases)


class FrameNet(nn.Module):
    """One frame of an ensemble.

    Takes ``frame (batch, 144)``, ``last (1, batch, 144)``, ``near (2 nets, batch, front)`` and ``core
    (layers nets, batch, hidden)``; returns ``pulse (batch, 2)``, ``tempo``, ``phase``, ``metre``, ``music (batch,
    1)`` (probabilities) and the new states.
    """

    def __init__(self, nets: Sequence[BeatNet]) -> None:
        super().__init__()
        if not fits(nets):
            raise ValueError("an ensemble's networks must be gated linear recurrences of one shape")
        config = nets[0].config
        self.nets, self.layers, self.hidden = len(nets), config.layers, config.hidden
        self.context, self.front = config.context, config.front
        cores = [n.core for n in nets if isinstance(n.core, Ssm)]
        enter = self._enter(nets)
        near = _stacked([n.near for n in nets])
        core = _stacked([c.enter for c in cores])
        heads, music = _stacked([n.heads for n in nets]), _stacked([n.music for n in nets])
        for name, (weight, bias) in zip(LAYERS, (enter, near, core, heads, music)):
            self._keep(name, weight, bias)
        for k in range(config.layers):
            norms = [[c.norms[2 * k + j] for c in cores] for j in (0, 1)]
            self._keep(f"gate{k}", *_stacked([c.gates[k] for c in cores], norms[0]))
            self._keep(f"up{k}", *_stacked([c.up[k] for c in cores], norms[1]))
            self._keep(f"down{k}", *_stacked([c.down[k] for c in cores]))

    @staticmethod
    def _enter(nets: Sequence[BeatNet]) -> tuple[Tensor, Tensor]:
        """First layer on the raw frame and its raw rise: scaling folded in."""
        weight, bias = _stacked([n.enter for n in nets])
        for k, net in enumerate(nets):
            scaled = weight[k, :SIZE] / net.scale[:, None]
            bias[k] -= net.mean @ scaled
            weight[k] = torch.cat([scaled, weight[k, SIZE:] * RISE])
        return weight, bias

    def _keep(self, name: str, weight: Tensor, bias: Tensor) -> None:
        if self.nets == 1:
            weight, bias = weight[0].contiguous(), bias[0, 0].contiguous()
        self.register_buffer(f"{name}_weight", weight)
        self.register_buffer(f"{name}_bias", bias)

    def _through(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.get_buffer(f"{name}_weight"), self.get_buffer(f"{name}_bias")
        return torch.matmul(x, weight) + bias

    def initial(self, batch: int) -> dict[str, Tensor]:
        """States before any sound."""
        return {
            "last": torch.zeros(1, batch, SIZE),
            "near": torch.zeros((self.context - 1) * self.nets, batch, self.front),
            "core": torch.zeros(self.layers * self.nets, batch, self.hidden),
        }

    def forward(self, frame: Tensor, last: Tensor, near: Tensor, core: Tensor) -> tuple[Tensor, ...]:
        if self.nets == 1:
            now, last, past, held = frame, last.squeeze(0), near.unbind(), core.unbind()
        else:
            now, past, held = frame[None], near.split(self.nets), core.split(self.nets)
        x = self._through("enter", torch.cat([now, (now - last).relu()], -1)).relu()
        y = self._through("near", torch.cat([*past, x], -1)).relu() + x
        y = self._through("core", y)
        states = []
        for k, h in enumerate(held):
            gates = self._through(f"gate{k}", functional.layer_norm(y, (self.hidden,)))
            keep, new = gates.split([self.hidden] * 2, -1)
            h = new + torch.sigmoid(keep) * (h - new)
            states.append(h)
            y = y + h
            value, opened = self._through(f"up{k}", functional.layer_norm(y, (self.hidden,))).split(
                [self.hidden] * 2, -1
            )
            y = y + self._through(f"down{k}", value * opened * torch.sigmoid(opened))
        told, music = self._through("heads", y), self._through("music", y)
        if self.nets > 1:
            told, music = told.mean(0), music.mean(0)
        beat, tempo, phase, metre = told.split([2, *HEADS[2:]], -1)
        answers = beat.sigmoid(), tempo.softmax(-1), phase.softmax(-1), metre.softmax(-1), music.sigmoid()
        together = torch.stack if self.nets == 1 else torch.cat
        return (*answers, frame[None], together([*past[1:], x]), together(states))
