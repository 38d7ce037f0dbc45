"""Builds model.onnx of this bundle: ``python examples/spectral_centroid/build.py`` (needs ``onnx``).

Any tool that exports ONNX will do (PyTorch, TensorFlow, scikit-learn …). What the host asks for: float32 inputs
and outputs, one input for the block, and states as explicit inputs and outputs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE, WINDOW = 24_000, 1024
KEEP = 0.99
"""Share of the slow mean that stays from one frame to the next (10 ms)."""


def build(path: Path) -> None:
    """Write the model: centroid = sum(f · m) / (sum(m) + ε), and its running mean."""
    bins = WINDOW // 2 + 1
    frequencies = np.linspace(0, RATE / 2, bins, dtype=np.float32)[:, None]
    constants = {
        "frequencies": frequencies,
        "ones": np.ones((bins, 1), np.float32),
        "tiny": np.array([[1e-6]], np.float32),
        "keep": np.array([[KEEP]], np.float32),
        "rest": np.array([[1 - KEEP]], np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["magnitudes", "frequencies"], ["weighted"]),
        helper.make_node("MatMul", ["magnitudes", "ones"], ["sum"]),
        helper.make_node("Add", ["sum", "tiny"], ["positive"]),
        helper.make_node("Div", ["weighted", "positive"], ["centroid"]),
        helper.make_node("Mul", ["mean", "keep"], ["kept"]),
        helper.make_node("Mul", ["centroid", "rest"], ["new"]),
        helper.make_node("Add", ["kept", "new"], ["mean_next"]),
    ]

    def tensor(name: str, size: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])

    graph = helper.make_graph(
        nodes,
        "spectral_centroid",
        [tensor("magnitudes", bins), tensor("mean", 1)],
        [tensor("centroid", 1), tensor("mean_next", 1)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8  # what onnxruntime 1.18 reads
    onnx.checker.check_model(model)
    onnx.save(model, path)


if __name__ == "__main__":
    build(Path(__file__).with_name("model.onnx"))
