"""The network as it runs live: two frames at a time, flattened for the least overhead, several trainings in one.

On one frame a network of half a million weights takes longer to dispatch, and to fetch from memory, than to
compute. So each layer takes both frames in one product; only the recurrences go through them in turn. Everything
constant is folded in beforehand (input scaling and the affine parts of layer norms go into the next layer), shapes
are fixed, and the networks of an ensemble run as one, each layer as one product of stacked matrices. A single
network runs on plain matrices, whose product and bias are one operator, and each of its states is one, too. The
answers of the ensemble are the means of the members' logits (geometric means of their probabilities, normalised).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.beat.features import PAIR, SIZE
from models.beat.network import HEADS, RISE, BeatNet, Ssm

SAID = [2, *HEADS[2:], 1]
"""Sizes of the answers: beat and downbeat, tempo, phase, metre, music."""


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
    """Two frames of an ensemble.

    Takes ``frames (batch, 2, 144)`` and the states: ``last (batch, 144)``; ``near0``, ``near1``, each ``(batch,
    front)``; ``core0`` …, one a layer, ``(batch, hidden)`` (``(nets, batch, …)`` if there are several networks);
    returns ``pulse (batch, 2, 2)``, ``tempo``, ``phase``, ``metre``, ``music (batch, 2, 1)`` (probabilities, of
    each frame) and the new states.
    """

    def __init__(self, nets: Sequence[BeatNet]) -> None:
        super().__init__()
        if not fits(nets):
            raise ValueError("an ensemble's networks must be gated linear recurrences of one shape")
        config = nets[0].config
        self.nets, self.layers, self.hidden = len(nets), config.layers, config.hidden
        self.context, self.front = config.context, config.front
        self._many = () if self.nets == 1 else (self.nets,)
        cores = [n.core for n in nets if isinstance(n.core, Ssm)]
        enter = self._enter(nets)
        near = _stacked([n.near for n in nets])
        core = _stacked([c.enter for c in cores])
        heads, music = _stacked([n.heads for n in nets]), _stacked([n.music for n in nets])
        said = [torch.cat(both, -1) for both in zip(heads, music)]
        for name, (weight, bias) in {"enter": enter, "near": near, "core": core, "heads": said}.items():
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
        near = {f"near{k}": torch.zeros(*self._many, batch, self.front) for k in range(self.context - 1)}
        core = {f"core{k}": torch.zeros(*self._many, batch, self.hidden) for k in range(self.layers)}
        return {"last": torch.zeros(batch, SIZE), **near, **core}

    def _beside(self, x: Tensor, *sizes: int) -> list[Tensor]:
        """What a row of each frame consists of, frame by frame, of a tensor with all frames' rows in one another's
        turn."""
        return list(x.reshape(*self._many, -1, PAIR * sum(sizes)).split(sizes * PAIR, -1))

    def _below(self, frames: Sequence[Tensor], size: int) -> Tensor:
        """The reverse, with `size` numbers a row."""
        return torch.cat(list(frames), -1).reshape(*self._many, -1, size)

    def forward(self, frames: Tensor, last: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        past, held = list(states[: self.context - 1]), states[self.context - 1 :]
        now, heard = frames.reshape(-1, SIZE), frames.reshape(-1, PAIR * SIZE).split(SIZE, -1)
        before = torch.cat([last, *heard[:-1]], -1).reshape(-1, SIZE)
        x = self._through("enter", torch.cat([now, (now - before).relu()], -1)).relu()
        past += self._beside(x, self.front)
        spans = [past[k + j] for k in range(PAIR) for j in range(self.context)]
        y = self._through("near", self._below(spans, self.context * self.front)).relu() + x
        y = self._through("core", y)
        following = []
        for k, h in enumerate(held):
            passed = []
            gates = self._through(f"gate{k}", functional.layer_norm(y, (self.hidden,)))
            parts = self._beside(gates, self.hidden, self.hidden)
            for keep, new in zip(parts[::2], parts[1::2]):
                h = new + torch.sigmoid(keep) * (h - new)
                passed.append(h)
            following.append(h)
            y = y + self._below(passed, self.hidden)
            value, opened = self._through(f"up{k}", functional.layer_norm(y, (self.hidden,))).split(
                [self.hidden] * 2, -1
            )
            y = y + self._through(f"down{k}", value * (opened * torch.sigmoid(opened)))
        told = self._through("heads", y)
        if self.nets > 1:
            told = told.mean(0)
        beat, *shares, music = told.reshape(-1, PAIR, sum(SAID)).split(SAID, -1)
        answers = [beat.sigmoid(), *(s.softmax(-1) for s in shares), music.sigmoid()]
        return (*answers, heard[-1], *past[PAIR:], *following)
