"""A small causal network for the pitch of the loudest single voice, with weights shared over log-frequency.

Spectra → convolution over frequency → stacked at harmonics of every pitch (R. Bittner et al., "Deep salience
representations for F0 estimation in polyphonic music", ISMIR 2017), joined by periodicity → the same again at
neighbours, octaves and twelfths, so that a pitch knows what its relatives found → a gated memory in every bin
(L. Feng et al., "Were RNNs all we needed?", 2024) → distribution over pitch. One more memory over what was found
says whether anything is voiced.

    python -m models.pitch.network OUT.onnx CHECKPOINT.pt      # export the averaged weights of a training
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.dsp.onnxgraph import Graph
from models.pitch.features import BINS, OCTAVE, PITCHES, SIZE, SPECTRA, WINDOWS
from models.training.export import command, parity

States = tuple[Tensor, Tensor]
STATES = ("bins", "whole")
ANSWERS = ("pitch", "voiced")
HARMONICS = tuple(round(OCTAVE * float(np.log2(r))) for r in (1 / 2, 1, 2, 3, 4, 5, 6, 7, 8))
"""Bins from a pitch to where its harmonics lie."""
RELATIVES = (*(round(OCTAVE * float(np.log2(r))) for r in (1 / 3, 1 / 2)), -3, -1, 0, 1, 3, OCTAVE, 57)
"""Bins from a pitch to those that it hears of: twelfths, octaves, neighbours."""
_PARITY = 1e-4


@dataclass(frozen=True)
class NetConfig:
    """Shape of a network; stored in its checkpoints."""

    front: int = 8
    width: int = 24
    memory: int = 16
    near: int = 8
    whole: int = 32


def _beside(x: Tensor, by: tuple[int, ...]) -> Tensor:
    """Rows ``(n, bins, c)`` of the pitches beside those at each of some distances; beyond the ends, the ends."""
    before, after = max(0, -min(by)), max(0, max(by) + PITCHES - x.shape[1])
    ends = x[:, :1].expand(-1, before, -1), x[:, -1:].expand(-1, after, -1)
    x = torch.cat([ends[0], x, ends[1]], 1)
    return torch.cat([x[:, before + s : before + s + PITCHES] for s in by], 2)


def _rows(by: tuple[int, ...], bins: int) -> npt.NDArray[np.int64]:
    """What :func:`_beside` takes, as indices."""
    return np.clip(np.arange(PITCHES)[:, None] + np.array(by), 0, bins - 1)


class PitchNet(nn.Module):
    """The network. Tensors run time first, channels last."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = c = config
        self.enter = nn.Conv1d(len(SPECTRA), c.front, 5, padding=2)
        self.stack = nn.Linear(len(HARMONICS) * c.front, c.width, bias=False)
        self.periodic = nn.Linear(len(WINDOWS), c.width, bias=False)
        self.place = nn.Parameter(torch.zeros(PITCHES, c.width))
        self.narrow = nn.Linear(c.width, c.near)
        self.relate = nn.Linear(len(RELATIVES) * c.near, c.width)
        self.opened = nn.Linear(c.width, c.memory)
        self.fresh = nn.Linear(c.width, c.memory, bias=False)
        self.now = nn.Linear(c.width, c.width)
        self.past = nn.Linear(c.memory, c.width, bias=False)
        self.answer = nn.Linear(c.width, 1)
        self.summary = nn.Linear(c.width + 1, c.whole)
        self.whole_opened = nn.Linear(c.whole, c.whole)
        self.whole_fresh = nn.Linear(c.whole, c.whole, bias=False)
        self.said = nn.Linear(c.whole, 1)
        self.heard = nn.Linear(c.whole, 1, bias=False)

    def initial(self, batch: int) -> States:
        """States before any sound, all zero: of the bins, of the whole."""
        c = self.config
        return torch.zeros(batch, PITCHES, c.memory), torch.zeros(batch, c.whole)

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
        frames, batch = x.shape[:2]
        x = x.flatten(0, 1)
        spectra = x[:, : len(SPECTRA) * BINS].reshape(-1, len(SPECTRA), BINS)
        periodic = x[:, len(SPECTRA) * BINS :].reshape(-1, len(WINDOWS), PITCHES)
        y = self.stack(_beside(self.enter(spectra).relu().transpose(1, 2), HARMONICS))
        y = (y + self.periodic(periodic.transpose(1, 2)) + self.place).relu()
        y = y + self.relate(_beside(self.narrow(y), RELATIVES)).relu()
        memory, bins = _remembered(self.opened(y), self.fresh(y), states[0], frames)
        y = y + (self.now(y) + self.past(memory)).relu()
        pitch = self.answer(y)[..., 0].log_softmax(-1)
        share = pitch.exp()
        pooled = torch.cat([(share[:, None] @ y)[:, 0], share.amax(1)[:, None]], -1)
        seen = self.summary(pooled).relu()
        recent, whole = _remembered(self.whole_opened(seen), self.whole_fresh(seen), states[1], frames)
        voiced = self.said(seen) + self.heard(recent)
        return pitch.reshape(frames, batch, PITCHES), voiced.reshape(frames, batch), (bins, whole)


def _remembered(opened: Tensor, fresh: Tensor, state: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Gated memory over frames: what it holds at each of them, and at the last."""
    kept = []
    shape = (frames, -1, *state.shape[1:])
    for o, n in zip(opened.sigmoid().reshape(shape).unbind(), fresh.reshape(shape).unbind()):
        state = state + o * (n - state)
        kept.append(state)
    return torch.stack(kept).flatten(0, 1), state


class Step(nn.Module):
    """One frame as the ONNX file takes it: ``frame (batch, SIZE)``, and states with the batch first."""

    def __init__(self, net: PitchNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: Tensor, bins: Tensor, whole: Tensor) -> tuple[Tensor, ...]:
        pitch, voiced, states = self.net(frame[None], (bins, whole))
        return pitch[0], voiced[0, :, None].sigmoid(), *states


def graph(net: PitchNet) -> bytes:
    """The ONNX file of one step; its operators are few, because calling one costs as much as 10 000 products."""
    c = net.config
    w = {name: p.detach().numpy() for name, p in net.named_parameters()}
    states = {"bins": ("batch", PITCHES, c.memory), "whole": ("batch", c.whole)}
    g = Graph({"frame": ("batch", SIZE), **states})
    cut = len(SPECTRA) * BINS
    # Between layers all bins of all streams are rows of one matrix, which takes fewer and faster operators.

    def linear(x: str, layer: str, plus: str | npt.NDArray[np.float32] | None = None, beta: float = 1.0) -> str:
        bias = w.get(f"{layer}.bias") if plus is None else plus
        return g.add("Gemm", x, w[f"{layer}.weight"].T.copy(), *([] if bias is None else [bias]), beta=beta)

    def shaped(x: str, *rest: int, output: str = "") -> str:
        return g.add("Reshape", x, g.constant((-1, *rest), np.int64), output=output)

    def part(first: int, last: int, *shape: int) -> str:
        ends = [g.constant([n], np.int64) for n in (first, last, 1)]
        return shaped(g.add("Slice", "frame", *ends), *shape)

    def beside(x: str, by: tuple[int, ...], bins: int, channels: int) -> str:
        found = g.add("Gather", x, g.constant(_rows(by, bins), np.int64), axis=1)
        return shaped(found, len(by) * channels)

    def remembered(x: str, opened: str, fresh: str, state: str, output: str = "") -> str:
        gate = g.add("Sigmoid", linear(x, opened))
        step = g.add("Mul", gate, linear(x, fresh, state, beta=-1.0))
        return g.add("Add", state, step, output=output)

    spectra = part(0, cut, len(SPECTRA), BINS)
    periodic = part(cut, SIZE, len(WINDOWS), PITCHES)
    front = g.add("Relu", g.add("Conv", spectra, w["enter.weight"], w["enter.bias"], pads=[2, 2]))
    front = g.add("Transpose", front, perm=[0, 2, 1])
    periodic = g.add("MatMul", g.add("Transpose", periodic, perm=[0, 2, 1]), w["periodic.weight"].T.copy())
    y = shaped(g.add("Add", periodic, w["place"]), c.width)
    y = g.add("Relu", linear(beside(front, HARMONICS, BINS, c.front), "stack", y))
    near = beside(shaped(linear(y, "narrow"), PITCHES, c.near), RELATIVES, PITCHES, c.near)
    y = g.add("Add", y, g.add("Relu", linear(near, "relate")))
    bins = remembered(y, "opened", "fresh", shaped("bins", c.memory))
    shaped(bins, PITCHES, c.memory, output="bins_next")
    y = g.add("Add", y, g.add("Relu", linear(bins, "past", linear(y, "now"))))
    pitch = g.add("LogSoftmax", shaped(linear(y, "answer"), PITCHES), axis=1, output="pitch")
    share = g.add("Exp", pitch)
    best = g.add("ReduceMax", share, axes=[1], keepdims=1)
    mean = g.add("MatMul", shaped(share, 1, PITCHES), shaped(y, PITCHES, c.width))
    pooled = g.add("Concat", shaped(mean, c.width), best, axis=1)
    seen = g.add("Relu", linear(pooled, "summary"))
    whole = remembered(seen, "whole_opened", "whole_fresh", "whole", output="whole_next")
    g.add("Sigmoid", linear(whole, "heard", linear(seen, "said")), output="voiced")
    following = {f"{name}_next": shape for name, shape in states.items()}
    return g.model({"pitch": ("batch", PITCHES), "voiced": ("batch", 1), **following})


def export(net: PitchNet, path: Path) -> float:
    """Write `net` as ONNX; returns the largest difference from torch.

    Raises
    ------
    RuntimeError
        If the difference exceeds 1e-4.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(graph(net.eval()))
    bins, whole = net.initial(3)
    example = {"frame": torch.rand(3, SIZE), "bins": torch.randn_like(bins), "whole": torch.randn_like(whole)}
    difference = parity(Step(net), example, path)
    if difference > _PARITY:
        raise RuntimeError(f"{path}: ONNX differs from torch by {difference:.2g}")
    return difference


if __name__ == "__main__":
    command(__doc__, lambda about: PitchNet(NetConfig(**about["config"])), export)
