"""The network of PESTO, written here as a graph around the published weights, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.dsp import checkpoint
from models.dsp.onnxgraph import Graph, session
from models.pesto.transform import BINS, PER_SEMITONE, kernels
from realtime.errors import UserError

F32 = npt.NDArray[np.float32]

RATE, PITCHES = 16_000, 128 * PER_SEMITONE
"""Hz; pitches, three a semitone from MIDI 0."""

CROP, PREFILTERS, POINTWISE = 16, 2, (0, 3, 6, 9)
"""Bins left out at either end; convolutions after the first; numbers of those of one bin each."""

FOREIGN = ("omegaconf.", "__builtin__ ", "typing ", "collections defaultdict")
"""Classes of settings in the checkpoint, which are not needed."""

_SLOPE = 0.3
_LEAST = float(np.finfo(np.float32).eps) ** 2


def graph(weights: dict[str, Any], matrix: F32) -> bytes:
    """The network as ONNX; raises ``KeyError`` where weights lack.

    ``x`` (1, n) samples in; ``activations`` (1, 384) and ``confidence`` (1, 1) out.
    """
    g = Graph({"x": (1, matrix.shape[1])})
    both = g.add("Reshape", g.add("MatMul", "x", matrix.T), g.constant([1, 2, BINS], np.int64))
    power = g.add("ReduceSum", g.add("Mul", both, both), g.constant([1], np.int64), keepdims=0)
    power = g.add("Max", power, _LEAST)
    logarithm = g.add("Log", power)
    _confidence(g, weights, power, logarithm)
    y = _encoded(g, weights, logarithm)
    g.add("Softmax", y, output="activations", axis=1)
    return g.model({"activations": (1, PITCHES), "confidence": (1, 1)})


def _confidence(g: Graph, weights: dict[str, Any], power: str, logarithm: str) -> None:
    mean = g.add("Max", g.add("ReduceMean", power, axes=[1]), 1e-8)
    flat = g.add("Div", g.add("Exp", g.add("ReduceMean", logarithm, axes=[1])), mean)
    x = g.add("Unsqueeze", power, g.constant([1], np.int64))
    x = g.add("Conv", x, weights["confidence.conv.weight"], weights["confidence.conv.bias"], strides=[3])
    x = g.add("Relu", g.add("Squeeze", x, g.constant([1], np.int64)))
    x = g.add("Concat", x, flat, axis=1)
    x = g.add("Gemm", x, weights["confidence.linear.weight"], weights["confidence.linear.bias"], transB=1)
    g.add("Sigmoid", x, output="confidence")


def _encoded(g: Graph, weights: dict[str, Any], logarithm: str) -> str:
    one = g.constant([1], np.int64)
    x = g.add("Slice", logarithm, g.constant([CROP], np.int64), g.constant([BINS - CROP], np.int64), one)
    x = g.add("Sub", x, g.add("ReduceMean", x, axes=[1]))
    variance = g.add("ReduceMean", g.add("Mul", x, x), axes=[1])
    x = g.add("Div", x, g.add("Sqrt", g.add("Add", variance, 1e-5)))
    x = g.add("Add", g.add("Mul", x, weights["encoder.layernorm.weight"]), weights["encoder.layernorm.bias"])
    x = _convolved(g, weights, "encoder.conv1.0", g.add("Unsqueeze", x, one))
    for k in range(PREFILTERS):
        x = g.add("Add", _convolved(g, weights, f"encoder.prefilt_layers.{k}.0", x), x)
    for k in POINTWISE:
        x = _convolved(g, weights, f"encoder.conv_layers.{k}", x)
    x = g.add("Reshape", x, g.constant([1, 1, -1], np.int64))
    x = g.add("Conv", x, weights["encoder.fc.weight"], pads=[PITCHES - 1, PITCHES - 1])
    return g.add("Squeeze", x, one)


def _convolved(g: Graph, weights: dict[str, Any], name: str, x: str) -> str:
    kernel = np.asarray(weights[f"{name}.weight"])
    pad = kernel.shape[-1] // 2
    return g.add("LeakyRelu", g.add("Conv", x, kernel, weights[f"{name}.bias"], pads=[pad, pad]), alpha=_SLOPE)


class Network:
    """Pitch around one instant after the other; nothing is remembered between them.

    Parameters
    ----------
    path : Path
        The checkpoint ``mir-1k_g7.ckpt`` of PESTO 2.
    ahead : int
        Samples after the instant that are heard; the filters are cut there.

    Raises
    ------
    UserError
        If it is not such a checkpoint.

    References
    ----------
    A. Riou, S. Lattner, G. Hadjeres, G. Peeters: PESTO: pitch estimation with self-supervised
    transposition-equivariant objective. ISMIR 2023; the streaming form: A. Riou et al., TISMIR 2025.
    """

    def __init__(self, path: Path, ahead: int) -> None:
        matrix, before = kernels(RATE)
        self.length = before + min(ahead, before)
        try:
            weights = checkpoint.read(path, FOREIGN)["state_dict"]
            self._turn = round(float(weights["shift"]) * PER_SEMITONE)
            self._session = session(graph(weights, matrix[:, : self.length]))
        except UserError:
            raise
        except Exception as e:  # a key, a shape, or what onnxruntime says of the graph
            said = str(e).splitlines()[0] if str(e) else type(e).__name__
            raise UserError(f"{path}: no weights of PESTO ({said[:200]}); fetch it again") from e

    def step(self, sound: F32) -> tuple[F32, float]:
        """Likelihood of each pitch, shape (384,), and how sure it is that there is one, of `length` samples."""
        activations, confidence = self._session.run(["activations", "confidence"], {"x": sound[None, :]})
        return np.roll(activations[0], -self._turn), min(1.0, max(0.0, float(confidence[0, 0])))


def decode(activations: F32) -> float:
    """MIDI note number, averaged around the most likely pitch."""
    best = int(activations.argmax())
    places = np.clip(np.arange(best - PER_SEMITONE + 1, best + PER_SEMITONE), 0, PITCHES - 1)
    near = activations[places].astype(np.float64)
    total = float(near.sum())
    return float(np.dot(near, places)) / total / PER_SEMITONE if total > 0 else best / PER_SEMITONE
