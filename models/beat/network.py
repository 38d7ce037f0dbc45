"""The beat network: two log-mel spectra in, what the pulse is doing out, one frame at a time.

Attack (rectified difference) and level → dense layer → short causal convolution → recurrent core → heads for
the beat, the downbeat given a beat, tempo, position in the bar and metre. The last three are trained beside
the first two because they give every frame, not only the frames with a beat, something to explain.

Cores compared: ``gru`` (Cho et al., 2014), ``tcn`` (dilated causal convolutions, as in Davies & Böck, 2019) and
``ssm`` (gated linear recurrence, in the manner of minGRU, Feng et al., 2024). See CARD.md for which ships.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.beat.features import SIZE
from models.beat.targets import METRES, PHASE_BINS, TEMPO_BINS

HEADS = (1, 1, TEMPO_BINS, PHASE_BINS, len(METRES))
RISE = 4.0


@dataclass(frozen=True)
class NetConfig:
    """Shape of a network; stored in its checkpoints."""

    core: Literal["gru", "tcn", "ssm"] = "gru"
    front: int = 128
    hidden: int = 160
    layers: int = 2
    context: int = 3
    dropout: float = 0.1


class Heads(NamedTuple):
    """Logits of every head, shape ``(frames, batch, …)``."""

    beat: Tensor
    downbeat: Tensor
    tempo: Tensor
    phase: Tensor
    metre: Tensor


def _stack(x: Tensor, frames: int, dilation: int = 1) -> Tensor:
    """Each of the last `frames` frames beside its predecessors: a convolution's input as one matrix."""
    total = len(x)
    starts = range(0, total - frames + 1, dilation)
    return torch.cat([x[s : s + frames] for s in starts], -1)


class _Gru(nn.Module):
    """Stacked GRU; state ``(layers, batch, hidden)``."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.shape = (config.layers, config.hidden)
        self.gru = nn.GRU(config.front, config.hidden, config.layers)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return self.gru(x, state)


class _Scan(torch.autograd.Function):
    """``h[t] = a[t] h[t-1] + b[t]`` with a plain loop forward and backward (cheap beside the matrix products)."""

    @staticmethod
    def forward(ctx, a: Tensor, b: Tensor, h0: Tensor) -> Tensor:  # type: ignore[no-untyped-def,override]
        out = torch.empty_like(b)
        h = h0
        for t in range(len(a)):
            h = torch.addcmul(b[t], a[t], h, out=out[t])
        ctx.save_for_backward(a, out, h0)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[no-untyped-def,override]
        a, out, h0 = ctx.saved_tensors
        flow = grad.clone()
        for t in range(len(a) - 2, -1, -1):
            flow[t].addcmul_(a[t + 1], flow[t + 1])
        before = torch.cat([h0[None], out[:-1]])
        return flow * before, flow, flow[0] * a[0]


class _Ssm(nn.Module):
    """Gated linear recurrences with residual connections; state ``(layers, batch, hidden)``."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        n = config.hidden
        self.shape = (config.layers, n)
        self.enter = nn.Linear(config.front, n)
        self.norms = nn.ModuleList(nn.LayerNorm(n) for _ in range(2 * config.layers))
        self.gates = nn.ModuleList(nn.Linear(n, 2 * n) for _ in range(config.layers))
        self.up = nn.ModuleList(nn.Linear(n, 2 * n) for _ in range(config.layers))
        self.down = nn.ModuleList(nn.Linear(n, n) for _ in range(config.layers))
        for gate in self.gates:  # memories from a few frames to some ten seconds
            with torch.no_grad():
                gate.bias[:n] = torch.log(torch.logspace(0.3, 3.0, n))

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        x = self.enter(x)
        states = []
        for k, (gate, up, down) in enumerate(zip(self.gates, self.up, self.down)):
            keep, new = gate(self.norms[2 * k](x)).float().chunk(2, -1)
            keep = torch.sigmoid(keep)
            new = (1 - keep) * new
            if len(x) == 1:
                h = keep * state[k] + new
            else:
                h = _Scan.apply(keep, new, state[k])
            states.append(h[-1])
            x = x + h
            value, open_ = up(self.norms[2 * k + 1](x)).chunk(2, -1)
            x = x + down(value * functional.silu(open_))
        return x, torch.stack(states)


class _Tcn(nn.Module):
    """Dilated causal convolutions, dilation doubling; state: every layer's past, ``(total, batch, hidden)``."""

    def __init__(self, config: NetConfig, kernel: int = 3) -> None:
        super().__init__()
        n = config.hidden
        self.enter = nn.Linear(config.front, n)
        self.dilations = [2**k for k in range(config.layers)]
        self.spans = [(kernel - 1) * d for d in self.dilations]
        self.shape = (sum(self.spans), n)
        self.convs = nn.ModuleList(nn.Linear(kernel * n, n) for _ in self.dilations)
        self.mixes = nn.ModuleList(nn.Linear(n, n) for _ in self.dilations)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        x = self.enter(x)
        kept = []
        for d, conv, mix, past in zip(self.dilations, self.convs, self.mixes, state.split(self.spans)):
            whole = torch.cat([past, x.float()])
            kept.append(whole[-len(past) :])
            x = x + self.dropout(mix(functional.elu(conv(_stack(whole, len(x), d)))))
        return x, torch.cat(kept)


class BeatNet(nn.Module):
    """The whole network. Tensors run time first: ``(frames, batch, size)``."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: NetConfig, mixed: bool = True) -> None:
        super().__init__()
        self.config = config
        self.mixed = mixed
        self.register_buffer("mean", torch.zeros(SIZE))
        self.register_buffer("scale", torch.ones(SIZE))
        self.enter = nn.Linear(2 * SIZE, config.front)
        self.near = nn.Linear(config.context * config.front, config.front)
        self.dropout = nn.Dropout(config.dropout)
        self.core = {"gru": _Gru, "ssm": _Ssm, "tcn": _Tcn}[config.core](config)
        self.heads = nn.Linear(config.hidden, sum(HEADS))

    def initial(self, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """States before any sound, all zero: last frame, convolution's past, core."""
        past = torch.zeros(self.config.context - 1, batch, self.config.front)
        core = torch.zeros(self.core.shape[0], batch, self.core.shape[1])
        return torch.zeros(1, batch, SIZE), past, core

    def forward(
        self, x: Tensor, states: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Heads, tuple[Tensor, Tensor, Tensor]]:
        """Run on.

        Parameters
        ----------
        x : Tensor, shape (frames, batch, 144)
        states : tuple of Tensor
            From :meth:`initial` or the last call.

        Returns
        -------
        Heads
            Logits.
        tuple of Tensor
            New states.
        """
        last, past, core = states
        rise = (x - torch.cat([last, x[:-1]])).relu() * RISE
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training and self.mixed):
            y = self.enter(torch.cat([(x - self.mean) / self.scale, rise], -1)).relu()
            whole = torch.cat([past, y.float()])
            y = self.near(_stack(whole, len(x))).relu() + y
            if self.config.core != "gru":
                y, core = self.core(y, core)
        if self.config.core == "gru":
            y, core = self.core(y.float(), core)
        beat, downbeat, tempo, phase, metre = self.heads(self.dropout(y).float()).split(HEADS, -1)
        kept = (x[-1:], whole[1 - self.config.context :], core)
        return Heads(beat[..., 0], downbeat[..., 0], tempo, phase, metre), kept


def parameters(net: nn.Module) -> int:
    """How many weights it has."""
    return sum(p.numel() for p in net.parameters())
