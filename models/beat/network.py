"""The beat network: two log-mel spectra in, what the pulse is doing out, one frame at a time.

Attack (rectified difference) and level → dense layer → short causal convolution → recurrent core → heads for
the beat, the downbeat given a beat, tempo, position in the bar and metre. The last three are trained beside
the first two because they give every frame, not only the frames with a beat, something to explain.

Cores compared: ``gru`` (Cho et al., 2014), ``tcn`` (dilated causal convolutions, as in Davies & Böck, 2019) and
``ssm`` (gated linear recurrence, in the manner of minGRU, Feng et al., 2024). See CARD.md for which ships.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.beat.features import FPS, SIZE
from models.beat.targets import METRES, PHASE_BINS, TEMPO_BINS

HEADS = (1, 1, TEMPO_BINS, PHASE_BINS, len(METRES))
RISE = 4.0
States = tuple[Tensor, ...]


@dataclass(frozen=True)
class NetConfig:
    """Shape of a network; stored in its checkpoints."""

    core: Literal["gru", "tcn", "ssm"] = "gru"
    front: int = 128
    hidden: int = 160
    layers: int = 2
    context: int = 3
    dropout: float = 0.1
    resonators: bool = False


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
    def forward(ctx, a: Tensor, b: Tensor, h0: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        out = torch.empty_like(b)
        h = h0
        for t in range(len(a)):
            h = torch.addcmul(b[t], a[t], h, out=out[t])
        ctx.save_for_backward(a, out, h0)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[no-untyped-def]
        a, out, h0 = ctx.saved_tensors
        flow = grad.clone()
        for t in range(len(a) - 2, -1, -1):
            flow[t].addcmul_(a[t + 1], flow[t + 1])
        before = torch.cat([h0[None], out[:-1]])
        return flow * before, flow, flow[0] * a[0]


class _Ring(torch.autograd.Function):
    """``h[t] = pole h[t-1] + u[t]`` for constant complex poles."""

    @staticmethod
    def forward(ctx, u: Tensor, pole: Tensor, h0: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(pole)
        out = torch.empty(len(u), *h0.shape, dtype=h0.dtype)
        drive = u[..., None].to(h0.dtype).expand(out.shape)
        h = h0
        for t in range(len(u)):
            h = torch.addcmul(drive[t], pole, h, out=out[t])
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[no-untyped-def]
        (pole,) = ctx.saved_tensors
        flow = grad.clone()
        back = pole.conj().resolve_conj().expand(flow[0].shape)
        for t in range(len(flow) - 2, -1, -1):
            flow[t].addcmul_(back, flow[t + 1])
        return flow.real.sum(-1), None, None


class Resonators(nn.Module):
    """A bank of damped oscillators from a bar in four seconds to 300 BPM, driven by a few learnt signals.

    Gates that only fade cannot count; these can: where the music repeats at an oscillator's period it rings,
    and its phase says where the next repetition falls. Comb filters did the same for tempo in Scheirer, "Tempo and
    beat analysis of acoustic musical signals" (1998). State ``(2, batch, signals * periods)``: real, imaginary.
    """

    cosine: Tensor
    sine: Tensor
    gain: Tensor

    def __init__(self, front: int, hidden: int, signals: int = 6, periods: int = 40, cycles: float = 4.0) -> None:
        super().__init__()
        self.signals, self.periods = signals, periods
        frequency = torch.logspace(math.log10(0.25), math.log10(5.0), periods)
        radius = torch.exp(-frequency / (cycles * FPS))
        angle = 2 * torch.pi * frequency / FPS
        self.register_buffer("cosine", radius * torch.cos(angle))
        self.register_buffer("sine", radius * torch.sin(angle))
        self.register_buffer("gain", 4 * (1 - radius))
        self.drive = nn.Linear(front, signals)
        self.norm = nn.LayerNorm(3 * signals * periods)
        self.leave = nn.Linear(3 * signals * periods, hidden)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, y: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        u = self.drive(y)
        frames, batch = u.shape[:2]
        if frames == 1:
            re, im = state.reshape(2, batch, self.signals, self.periods)
            real = (self.cosine * re - self.sine * im + u[0, ..., None])[None]
            imaginary = (self.cosine * im + self.sine * re)[None]
        else:
            re, im = state.reshape(2, batch, self.signals, self.periods)
            h = _Ring.apply(u, torch.complex(self.cosine, self.sine), torch.complex(re, im))
            real, imaginary = h.real, h.imag
        last = torch.stack([real[-1].flatten(1), imaginary[-1].flatten(1)])
        real, imaginary = real * self.gain, imaginary * self.gain
        size = torch.sqrt(real * real + imaginary * imaginary + 1e-6)
        heard = torch.cat([real.flatten(2), imaginary.flatten(2), size.flatten(2)], -1)
        return self.leave(self.norm(heard)), last


class Ssm(nn.Module):
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
                gate.get_parameter("bias")[:n] = torch.log(torch.logspace(0.3, 3.0, n))

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

    def __init__(self, config: NetConfig, mixed: bool = False) -> None:
        super().__init__()
        self.config = config
        self.mixed = mixed
        self.register_buffer("mean", torch.zeros(SIZE))
        self.register_buffer("scale", torch.ones(SIZE))
        self.enter = nn.Linear(2 * SIZE, config.front)
        self.near = nn.Linear(config.context * config.front, config.front)
        self.dropout = nn.Dropout(config.dropout)
        cores: dict[str, type[_Gru] | type[Ssm] | type[_Tcn]] = {"gru": _Gru, "ssm": Ssm, "tcn": _Tcn}
        self.core: _Gru | Ssm | _Tcn = cores[config.core](config)
        self.ring = Resonators(config.front, config.front) if config.resonators else None
        self.heads = nn.Linear(config.hidden, sum(HEADS))
        self.music = nn.Linear(config.hidden, 1)  # fitted when all else is trained (music.py); says nothing before
        for said in self.music.parameters():
            nn.init.zeros_(said)

    def initial(self, batch: int) -> States:
        """States before any sound, all zero: last frame, convolution's past, core, resonators."""
        past = torch.zeros(self.config.context - 1, batch, self.config.front)
        core = torch.zeros(self.core.shape[0], batch, self.core.shape[1])
        states = torch.zeros(1, batch, SIZE), past, core
        if self.ring is None:
            return states
        return *states, torch.zeros(2, batch, self.ring.signals * self.ring.periods)

    def forward(self, x: Tensor, states: States) -> tuple[Heads, States]:
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
        y, following = self.hear(x, states)
        return self.say(y), following

    def say(self, y: Tensor) -> Heads:
        """Logits from what :meth:`hear` gives."""
        beat, downbeat, tempo, phase, metre = self.heads(self.dropout(y).float()).split(HEADS, -1)
        return Heads(beat[..., 0], downbeat[..., 0], tempo, phase, metre)

    def hear(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """What all heads go by, shape ``(frames, batch, hidden)``, and new states."""
        last, past, core = states[:3]
        rise = (x - torch.cat([last, x[:-1]])).relu() * RISE
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training and self.mixed):
            y = self.enter(torch.cat([(x - self.mean) / self.scale, rise], -1)).relu()
            whole = torch.cat([past, y.float()])
            y = self.near(_stack(whole, len(x))).relu() + y
        kept = [x[-1:], whole[1 - self.config.context :]]
        y, rung = y.float(), None
        if self.ring is not None:
            ringing, rung = self.ring(y, states[3])
            y = y + ringing
        with torch.autocast(
            "cpu", torch.bfloat16, enabled=self.training and self.mixed and self.config.core != "gru"
        ):
            y, core = self.core(y, core)
        return y, (*kept, core) if rung is None else (*kept, core, rung)
