"""Bundles of the slow lane, and what can be made of a model's outputs: pooling, activation, labels, events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from realtime.errors import UserError
from realtime.hosting.bundle import load_bundle
from realtime.hosting.bundles.manifest import OutputSection
from realtime.hosting.bundles.shaping import Shaper
from realtime.hosting.check import check_plugin
from realtime.hosting.plugin import AudioInput, Context, Feature

MANIFEST = """
[plugin]
identifier = "colour"
name = "Colour"
description = "Dark or bright, over a second"
maker = "me"
license = "MIT"
lane = "slow"
latency = 0.5

[input]
kind = "log-mel"
convention = "librosa"
sample_rate = 16000
hop = 160
window = 400
bands = 8
frames = 101
every = 50
layout = "band-time"
mean = -40.0
scale = 20.0

[model]
file = "model.onnx"
input = "mel"

[[model.constants]]
input = "rate"
value = 16000

[[outputs]]
identifier = "colour"
kind = "label"
from = "halves"
activation = "softmax"
labels = ["dark", "bright"]
threshold = 0.6
otherwise = "neither"

[[outputs]]
identifier = "rate"
from = "seen"
maximum = 100000.0
"""


def model(path: Path) -> None:
    """Mean of the lower and the upper four bands, and the constant as a number."""
    f = TensorProto.FLOAT
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("ReduceMean", ["mel", "last"], ["bands"], keepdims=0),
        helper.make_node("Reshape", ["bands", "pairs"], ["paired"]),
        helper.make_node("ReduceMean", ["paired", "last"], ["halves"], keepdims=0),
        helper.make_node("Cast", ["rate"], ["seen"], to=f),
    ]
    constants = [
        numpy_helper.from_array(np.array([-1]), "last"),
        numpy_helper.from_array(np.array([1, 2, 4]), "pairs"),
    ]
    inputs = [info("mel", f, [1, 8, 101]), info("rate", TensorProto.INT64, [])]
    graph = helper.make_graph(nodes, "colour", inputs, [info("halves", f, [1, 2]), info("seen", f, [])], constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model(tmp_path / "model.onnx")
    (tmp_path / "plugin.toml").write_text(MANIFEST)
    return tmp_path


def test_a_window_goes_through_the_front_end_to_a_label(folder: Path) -> None:
    factory = load_bundle(folder)
    d = factory.descriptor
    assert (d.kind, d.lane, d.latency) == ("window", "slow", 0.5)
    assert d.input == AudioInput(16_000, 1, 8000, 16_000)
    plugin = factory()
    plugin.prepare(Context())
    t = np.arange(16_000) / 16_000
    labels = []
    for hz in (150.0, 6000.0):
        said = list(plugin.process((0.5 * np.sin(2 * np.pi * hz * t)).astype(np.float32), 2.0) or ())
        assert [f.time for f in said] == [1.5, 1.5]
        assert said[1].value == 16_000
        labels.append(said[0].label)
    assert labels == ["dark", "bright"]
    silent = list(plugin.process(np.zeros(16_000, np.float32), 2.0) or ())
    assert silent[0].label == "neither"


def test_it_keeps_to_the_contract(folder: Path) -> None:
    report = check_plugin(load_bundle(folder), seconds=4.0)
    assert report.ok, report.failures


def shaped(*results: Any, **keys: Any) -> list[list[Feature]]:
    shaper = Shaper("p", OutputSection.model_validate({"identifier": "o", "from": "y"} | keys))
    arrays = [np.asarray(r, np.float32) for r in results]
    shaper.check(arrays[0])
    return [shaper.shape(a, 0.1 * k) for k, a in enumerate(arrays)]


def test_rows_are_pooled() -> None:
    rows = [[[1.0, 5.0], [3.0, 1.0]]]
    for pool, wanted in (("last", [3, 1]), ("mean", [2, 3]), ("max", [3, 5])):
        assert shaped(rows, kind="vector", size=2, pool=pool, maximum=9.0)[0][0].value == wanted
    assert shaped(rows, kind="vector", size=4)[0][0].value == [1, 5, 3, 1]


def test_activation_and_smoothing() -> None:
    assert shaped([0.0], activation="sigmoid")[0][0].value == 0.5
    assert shaped([1000.0], activation="sigmoid")[0][0].value == 1.0
    assert shaped([1e4, 0.0], kind="vector", size=2, activation="softmax")[0][0].value == [1.0, 0.0]
    values = [f[0].value for f in shaped([0.0], [1.0], [1.0], smoothing_ms=100.0)]
    assert values == pytest.approx([0.0, 1 - np.exp(-1), 1 - np.exp(-2)])


def test_one_event_for_each_label() -> None:
    events = shaped(
        [0.0, 0.9], [0.7, 0.45], [0.7, 0.3], kind="event", labels=["a", "b"], threshold=0.5, hysteresis=0.1
    )
    assert [[(f.label, f.value) for f in e] for e in events] == [[("b", 1.0)], [("a", 1.0)], [("b", 0.0)]]


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"kind": "label"}, "needs labels"),
        ({"kind": "vector"}, "needs size"),
        ({"threshold": 0.5}, "threshold is for kinds 'event' and 'label'"),
        ({"minimum": 2.0}, "is above maximum"),
        ({"labels": ["a"], "labels_file": "b"}, "not both"),
    ],
)
def test_outputs_that_cannot_be(keys: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        OutputSection.model_validate({"identifier": "o", "from": "y"} | keys)


def test_a_constant_that_does_not_fit(folder: Path) -> None:
    path = folder / "plugin.toml"
    path.write_text(MANIFEST.replace("value = 16000", "value = [1, 2, 3]"))
    with pytest.raises(UserError, match="constant 'rate' has 3 values"):
        load_bundle(folder)().prepare(Context())
