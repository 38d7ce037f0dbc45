"""A small causal network for the pitch of the loudest single voice, with weights shared over log-frequency.

Spectra → convolution over frequency → stacked at harmonics of every pitch (R. Bittner et al., "Deep salience
representations for F0 estimation in polyphonic music", ISMIR 2017), joined by periodicity → the same again at
octaves and twelfths, so that a pitch knows what its multiples found → two blocks with a gated memory in every bin
(L. Feng et al., "Were RNNs all we needed?", 2024) → distribution over pitch. A GRU over what was found says
whether anything is voiced.

    python -m models.pitch.network OUT.onnx CHECKPOINT.pt      # export the averaged weights of a training
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.pitch.features import BINS, OCTAVE, PITCHES, SIZE, SPECTRA, WINDOWS
from models.training.export import command, export_step

States = tuple[Tensor, Tensor]
STATES = ["bins", "whole"]
ANSWERS = ["pitch", "voiced"]
HARMONICS = (1 / 2, 1, 2, 3, 4, 5, 6, 7, 8)
RELATIVES = (1 / 3, 1 / 2, 1, 2, 3)


@dataclass(frozen=True)
class NetConfig:
    """Shape of a network; stored in its checkpoints."""

    front: int = 8
    width: int = 24
    memory: int = 16
    blocks: int = 2
    near: int = 8
    whole: int = 32


def _shifted(x: Tensor, ratios: tuple[float, ...]) -> Tensor:
    """Channels ``(n, c, bins)`` beside themselves at the given ratios of frequency, cut to the pitches."""
    by = [round(OCTAVE * float(np.log2(r))) for r in ratios]
    before = max(0, -min(by))
    padded = functional.pad(x, (before, max(0, max(by) + PITCHES - x.shape[-1])))
    return torch.cat([padded[..., before + s : before + s + PITCHES] for s in by], 1)


def _each(layer: nn.Linear, x: Tensor) -> Tensor:
    """The layer at every bin; channels first, which onnxruntime does in two thirds of the time."""
    return functional.conv1d(x, layer.weight[..., None], layer.bias)


class Block(nn.Module):
    """Neighbouring bins, then a gated memory of each bin."""

    def __init__(self, c: NetConfig) -> None:
        super().__init__()
        self.memory = c.memory
        self.beside = nn.Conv2d(c.width, c.width, (1, 7), padding=(0, 3), groups=c.width)
        self.gates = nn.Linear(c.width, 2 * c.memory)
        self.join = nn.Linear(c.width + c.memory, c.width)

    def forward(self, x: Tensor, state: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """``x`` (frames · batch, width, pitches), state (batch, memory · pitches)."""
        beside = self.beside
        u = x + functional.conv1d(x, beside.weight[:, :, 0], beside.bias, padding=3, groups=x.shape[1])
        open_, new = _each(self.gates, u).reshape(frames, -1, 2 * self.memory, PITCHES).chunk(2, 2)
        kept, state = [], state.reshape(-1, self.memory, PITCHES)
        for o, n in zip(open_.sigmoid().unbind(), new.unbind()):  # indexing costs frames² in training
            state = state + o * (n - state)
            kept.append(state)
        memory = torch.stack(kept).flatten(0, 1)
        return x + _each(self.join, torch.cat([u, memory], 1)).relu(), state.flatten(1)


class PitchNet(nn.Module):
    """The network. Tensors run time first."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = c = config
        self.enter = nn.Conv1d(len(SPECTRA), c.front, 5, padding=2)
        self.stack = nn.Linear(len(HARMONICS) * c.front + len(WINDOWS), c.width)
        self.place = nn.Parameter(torch.zeros(PITCHES, c.width))
        self.narrow = nn.Linear(c.width, c.near)
        self.relate = nn.Linear(len(RELATIVES) * c.near, c.width)
        self.blocks = nn.ModuleList([Block(c) for _ in range(c.blocks)])
        self.answer = nn.Linear(c.width, 1)
        self.summary = nn.Linear(3 * c.width + 1, c.whole)
        self.whole = nn.GRU(c.whole, c.whole)
        self.voiced = nn.Linear(2 * c.whole, 1)

    def initial(self, batch: int) -> States:
        """States before any sound, all zero: of the bins in each block, of the whole."""
        c = self.config
        return torch.zeros(c.blocks, batch, c.memory * PITCHES), torch.zeros(1, batch, c.whole)

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, Tensor, States]:
        """Run on.

        Parameters
        ----------
        x : Tensor, shape (frames, batch, SIZE)
        states : tuple of Tensor
            From :meth:`initial` or the last call.

        Returns
        -------
        Tensor, shape (frames, batch, PITCHES)
            Logarithms of probabilities.
        Tensor, shape (frames, batch)
            Logits of voicing.
        tuple of Tensor
            New states.
        """
        bins, whole = states
        frames = x.shape[0]
        x = x.flatten(0, 1)
        spectra = x[:, : len(SPECTRA) * BINS].reshape(-1, len(SPECTRA), BINS)
        periodic = x[:, len(SPECTRA) * BINS :].reshape(-1, len(WINDOWS), PITCHES)
        y = torch.cat([_shifted(self.enter(spectra).relu(), HARMONICS), periodic], 1)
        y = (_each(self.stack, y) + self.place.T).relu()
        y = y + _each(self.relate, _shifted(_each(self.narrow, y), RELATIVES)).relu()
        memories = []
        for i, block in enumerate(self.blocks):
            y, memory = block(y, bins[i], frames)
            memories.append(memory)
        logits = _each(self.answer, y)
        share = logits.softmax(-1)
        pooled = torch.cat([(y * share).sum(-1), y.amax(-1), y.mean(-1), share.amax(-1)], -1)
        seen = self.summary(pooled).relu().reshape(frames, -1, self.config.whole)
        recent, whole = self.whole(seen, whole)
        voiced = self.voiced(torch.cat([seen, recent], -1))[..., 0]
        pitch = logits.reshape(frames, -1, PITCHES).log_softmax(-1)
        return pitch, voiced, (torch.stack(memories), whole)


class Step(nn.Module):
    """One frame for ONNX: ``frame (batch, SIZE)`` and the states in; log-probabilities, voicing, states out."""

    def __init__(self, net: PitchNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: Tensor, bins: Tensor, whole: Tensor) -> tuple[Tensor, ...]:
        pitch, voiced, states = self.net(frame[None], (bins, whole))
        return (pitch[0], voiced[0].sigmoid(), *states)


def export(net: PitchNet, path: Path) -> float:
    """Write `net` as ONNX; returns the largest difference from torch.

    Raises
    ------
    RuntimeError
        If the difference exceeds 1e-4.
    """
    return export_step(Step(net.eval()), torch.rand(3, SIZE), dict(zip(STATES, net.initial(3))), ANSWERS, path)


if __name__ == "__main__":
    command(__doc__, lambda about: PitchNet(NetConfig(**about["config"])), export)
