from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realtime.errors import UserError
from realtime.hosting.bundle import load_bundle
from realtime.hosting.plugin import AudioInput, Context, Plugin
from tests.fixtures.onnxmodels import running_mean

MANIFEST = """
[plugin]
identifier = "mean"
name = "Mean"
license = "MIT"

[input]
kind = "audio"
sample_rate = 24000
hop = 240

[model]
file = "model.onnx"
input = "x"

[[model.states]]
input = "total"
output = "total_next"

[[model.states]]
input = "count"
output = "count_next"

[[outputs]]
identifier = "now"
from = "y"
minimum = -1.0

[[outputs]]
identifier = "slow"
from = "mean"

[[outputs]]
identifier = "loud"
kind = "event"
from = "y"
threshold = 0.5
hysteresis = 0.2

[[outputs]]
identifier = "kind"
kind = "label"
from = "y"
labels = ["only"]
"""


def bundle(folder: Path, manifest: str = MANIFEST) -> Path:
    running_mean(folder / "model.onnx")
    (folder / "plugin.toml").write_text(manifest)
    return folder


def prepared(folder: Path) -> Plugin:
    plugin = load_bundle(folder)()
    plugin.prepare(Context())
    return plugin


def feed(plugin: Plugin, *levels: float) -> list[tuple[str, float | None, str | None]]:
    out = []
    for level in levels:
        for f in plugin.process(np.full(240, level, np.float32), 0.0) or ():
            out.append((f.output, round(float(f.value), 4), f.label))  # type: ignore[arg-type]
    return out


def test_a_bundle_runs_with_its_states_and_shaped_outputs(tmp_path: Path) -> None:
    plugin = prepared(bundle(tmp_path))
    assert plugin.descriptor.input == AudioInput(24_000, 1, 240, 240)
    assert feed(plugin, 0.2, 0.6) == [
        ("now", 0.2, None), ("slow", 0.2, None), ("kind", 0.2, "only"),
        ("now", 0.6, None), ("slow", 0.4, None), ("loud", 1.0, None), ("kind", 0.6, "only"),
    ]  # fmt: skip
    assert [f for f in feed(plugin, 0.4, 0.2) if f[0] == "loud"] == [("loud", 0.0, None)]


def test_reset_equals_a_new_instance_and_instances_share_nothing(tmp_path: Path) -> None:
    a, b = prepared(bundle(tmp_path)), prepared(tmp_path)
    first = feed(a, 0.1, 0.9)
    assert feed(b, 0.1, 0.9) == first
    a.reset()
    assert feed(a, 0.1, 0.9) == first


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ('file = "model.onnx"', 'file = "../model.onnx"', "outside the bundle"),
        ('file = "model.onnx"', 'file = "weights.onnx"', "'weights.onnx' is missing"),
        ('file = "model.onnx"', 'file = "model.pkl"', "pickles can run any program and are never read"),
        ("hop = 240", "hop = 250", "hop 250 at 24000 Hz is not a whole number of 5 ms ticks"),
        ("hop = 240", "hopp = 240", "unknown key 'input.hopp'; did you mean 'hop'"),
        ('identifier = "mean"', 'identifier = "Mean!"', "only a-z"),
        ("[plugin]", "[plugin", "not valid TOML"),
    ],
)
def test_a_wrong_manifest_is_one_clear_line(tmp_path: Path, old: str, new: str, wanted: str) -> None:
    bundle(tmp_path, MANIFEST.replace(old, new, 1))
    (tmp_path / "model.pkl").touch()
    with pytest.raises(UserError) as caught:
        load_bundle(tmp_path)
    assert wanted in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ('input = "x"', 'input = "audio"', "no input 'audio'"),
        ('from = "mean"', 'from = "meen"', "no output 'meen'; did you mean 'mean'"),
        ('[[model.states]]\ninput = "count"\noutput = "count_next"\n', "", "'count' is not named"),
        ("hop = 240", "hop = 480", "does not hold a block of 480"),
    ],
)
def test_a_model_that_does_not_fit_is_one_clear_line(tmp_path: Path, old: str, new: str, wanted: str) -> None:
    plugin = load_bundle(bundle(tmp_path, MANIFEST.replace(old, new, 1)))()
    with pytest.raises(UserError) as caught:
        plugin.prepare(Context())
    assert wanted in str(caught.value)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    bundle(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"\x80\x04 not a model")
    with pytest.raises(UserError, match="is a pickle, which can run any program and is never read"):
        prepared(tmp_path)
