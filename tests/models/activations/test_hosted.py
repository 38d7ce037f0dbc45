"""From sound to beats by way of a bundle: a stand-in network whose activations are the loudness of its frames."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
from onnx import TensorProto, helper, save

from realtime.cli.main import main
from tests.hosting.test_bundle_recipes import RECIPES

WINDOW, FRAMES = 352_800, 345
STEP = WINDOW // FRAMES
PERIOD = 0.48


def loudness(path: Path) -> None:
    """(1, 352800) → (1, 345, 2): mean magnitude of each frame, for beat and for downbeat above a threshold."""
    f, info = TensorProto.FLOAT, helper.make_tensor_value_info
    constants = [
        helper.make_tensor("from", TensorProto.INT64, [1], [WINDOW - FRAMES * STEP]),
        helper.make_tensor("to", TensorProto.INT64, [1], [WINDOW]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("last", TensorProto.INT64, [1], [2]),
        helper.make_tensor("frames", TensorProto.INT64, [3], [1, FRAMES, STEP]),
        helper.make_tensor("gain", f, [1, 1, 2], [60.0, 60.0]),
        helper.make_tensor("quiet", f, [1, 1, 2], [4.0, 8.0]),
    ]
    nodes = [
        helper.make_node("Slice", ["sound", "from", "to", "axis"], ["cut"]),
        helper.make_node("Abs", ["cut"], ["size"]),
        helper.make_node("Reshape", ["size", "frames"], ["framed"]),
        helper.make_node("ReduceMean", ["framed", "last"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "gain"], ["loud"]),
        helper.make_node("Sub", ["loud", "quiet"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["activations"]),
    ]
    graph = helper.make_graph(
        nodes, "loudness", [info("sound", f, [1, WINDOW])], [info("activations", f, [1, FRAMES, 2])], constants
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))


def clicks(path: Path, seconds: float) -> None:
    """A burst each beat, the first of four twice as loud."""
    rate = 48_000
    t = np.arange(int(seconds * rate)) / rate
    accent = np.where((t // PERIOD) % 4 == 0, 0.6, 0.3)
    x = accent * np.random.default_rng(0).standard_normal(len(t)) * (t % PERIOD < 0.03)
    soundfile.write(path, x.clip(-1, 1), rate)


def test_sound_becomes_beats(tmp_path: Path) -> None:
    folder = tmp_path / "beast"
    folder.mkdir()
    (folder / "plugin.toml").write_text(RECIPES["beast"], encoding="utf-8")
    loudness(folder / "model.onnx")
    clicks(tmp_path / "clicks.flac", 24.0)
    (tmp_path / "p.toml").write_text(
        f"name = 'p'\n[plugins.'{folder}']\n[plugins.beat-activations]\nframe_rate = {44_100 / STEP:.4f}\n"
        f"tail_ms = {1000 * STEP / 2 / 44_100:.2f}\n[transport]\nsource = 'beat-activations'\n"
    )
    out = tmp_path / "out.jsonl"
    preset = ["--preset", str(tmp_path / "p.toml")]
    assert main(["analyze", str(tmp_path / "clicks.flac"), *preset, "-o", str(out), "--quiet"]) == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    beats = [r for r in rows if (r.get("plugin"), r.get("output")) == ("beat-activations", "beat")]
    late = np.array([r["time"] for r in beats if r["time"] > 12.0])
    assert len(late) >= 20
    assert np.allclose(np.diff(late), PERIOD, atol=0.02)
    # a burst lasts 30 ms: its middle is what a frame's loudness marks
    assert np.abs((late - 0.015 + PERIOD / 2) % PERIOD - PERIOD / 2).max() < 0.04
    numbers = [r["value"] for r in beats if r["time"] > 12.0]
    expected = [round((t - 0.015) / PERIOD) % 4 + 1 for t in late]
    assert np.mean([a == b for a, b in zip(numbers, expected)]) > 0.9
