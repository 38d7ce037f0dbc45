"""Every network that is shipped takes several streams at a time, and tells each the same as alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

MODELS = Path(__file__).parents[2] / "models"
NETWORKS = sorted(MODELS.glob("*/*.onnx"))


def test_there_are_networks() -> None:
    assert len(NETWORKS) >= 9


@pytest.mark.parametrize("path", NETWORKS, ids=lambda p: p.stem)
def test_streams_side_by_side_are_told_what_each_is_alone(path: Path) -> None:
    session = onnxruntime.InferenceSession(str(path))
    inputs = session.get_inputs()
    axes = {i.name: [k for k, n in enumerate(i.shape) if not isinstance(n, int)] for i in inputs}
    assert all(len(free) == 1 for free in axes.values()), "one free axis: the streams"
    rng = np.random.default_rng(0)
    streams = 3
    feed = {
        i.name: rng.random([n if isinstance(n, int) else streams for n in i.shape]).astype(np.float32)
        for i in inputs
    }
    together = session.run(None, feed)
    outputs = session.get_outputs()
    for stream in range(streams):
        alone = {name: array.take([stream], axis=axes[name][0]) for name, array in feed.items()}
        for output, one, all_ in zip(outputs, session.run(None, alone), together):
            axis = next(k for k, (a, b) in enumerate(zip(one.shape, all_.shape)) if a != b)
            mine = all_.take([stream], axis=axis)
            np.testing.assert_allclose(mine, one, atol=1e-4, err_msg=output.name)
