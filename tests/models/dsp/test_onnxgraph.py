"""Graphs written by hand are valid ONNX, and say what numpy says."""

from __future__ import annotations

import numpy as np
import onnx

from models.dsp.onnxgraph import Graph, session


def test_a_written_graph_is_valid_and_right() -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.standard_normal((3, 4)).astype("f"), rng.standard_normal(3).astype("f")
    g = Graph({"x": (1, 4), "scale": ()})
    y = g.add("Gemm", "x", weight, bias, transB=1, alpha=0.5)
    y = g.add("Mul", y, "scale")
    y = g.add("Pad", y, g.constant([0, 0, 0, 2], np.int64), -1.0, mode="constant")
    g.add("Reshape", y, g.constant([5, -1], np.int64), output="out")
    model = g.model({"out": (5, 1)})
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    x = rng.standard_normal((1, 4)).astype("f")
    found = session(model).run(None, {"x": x, "scale": np.array(3, "f")})[0]
    wanted = np.append((0.5 * x @ weight.T + bias)[0] * 3, [-1, -1])
    assert np.allclose(found[:, 0], wanted, atol=1e-6)
