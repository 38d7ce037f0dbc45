"""SwiftF0: windows give what the whole recording gives; a stand-in offline, real weights where they can be had."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from models.dsp.offline import drive, prepared
from models.swift_f0.network import FRAME, RATE, Network
from models.swift_f0.plugin import FILE, MODEL, SwiftF0
from realtime.errors import UserError
from realtime.hosting.check import check_plugin
from realtime.store.store import Store


def stand_in(path: Path) -> None:
    """The same tensors: of the mean size m of a frame, pitch = 100 Hz × (1 + m) and confidence = 10 m."""
    info, nodes = helper.make_tensor_value_info, []
    nodes.append(helper.make_node("Abs", ["audio"], ["size"]))
    nodes.append(helper.make_node("Unsqueeze", ["size", "one"], ["deep"]))
    nodes.append(helper.make_node("AveragePool", ["deep"], ["mean"], kernel_shape=[FRAME], strides=[FRAME]))
    nodes.append(helper.make_node("Squeeze", ["mean", "one"], ["flat"]))
    nodes.append(helper.make_node("Mul", ["flat", "ten"], ["confidence"]))
    nodes.append(helper.make_node("Mul", ["flat", "hundred"], ["more"]))
    nodes.append(helper.make_node("Add", ["more", "hundred"], ["hz"]))
    nodes.append(helper.make_node("Cast", ["hz"], ["pitch"], to=TensorProto.DOUBLE))
    f = TensorProto.FLOAT
    constants = [helper.make_tensor("one", TensorProto.INT64, [1], [1])]
    constants += [helper.make_tensor(n, f, [], [v]) for n, v in (("ten", 10.0), ("hundred", 100.0))]
    graph = helper.make_graph(
        nodes,
        "stand-in",
        [info("audio", f, [1, "samples"]), info("fmin", f, []), info("fmax", f, [])],
        [info("pitch", TensorProto.DOUBLE, [1, "frames"]), info("confidence", f, [1, "frames"])],
        constants,
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), str(path))


@pytest.fixture
def little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store whose entry is the stand-in; its file."""
    source = tmp_path / FILE
    stand_in(source)
    store = tmp_path / "store"
    store.mkdir()
    (store / "models.toml").write_text(
        f"[[model]]\nname = '{MODEL}'\ntitle = 'tiny'\nlicense = 'MIT'\nsource = 'local'\npath = '{source}'\n"
        f"[[model.files]]\nname = '{FILE}'\nsha256 = '{hashlib.sha256(source.read_bytes()).hexdigest()}'\n"
    )
    monkeypatch.setenv("SIDECHAIN_MODELS", str(store))
    Store().get(MODEL)
    return source


def loudness(frames: int) -> np.ndarray:
    """Noise whose level changes from frame to frame, about 0.05 at least."""
    rng = np.random.default_rng(0)
    return np.repeat(rng.uniform(0.06, 0.2, frames), FRAME) * rng.choice([-1.0, 1.0], frames * FRAME)


def test_every_frame_comes_once_and_in_its_place(little: Path) -> None:
    sound = loudness(200)
    found = [f for _, f in drive(prepared(SwiftF0), sound) if f.output == "hz" and f.time >= -1e-9]
    frames = np.abs(sound).reshape(-1, FRAME).mean(axis=1)
    assert [f.time for f in found] == pytest.approx(np.arange(len(found)) * FRAME / RATE)
    assert len(found) == 200 - 10
    assert [f.value for f in found] == pytest.approx(100 * (1 + frames[: len(found)]), rel=1e-5)


def test_left_out_windows_are_made_up_for(little: Path) -> None:
    sound = loudness(200)
    plugin = prepared(SwiftF0)
    hop, length = plugin.descriptor.input.hop, plugin.descriptor.input.length
    padded = np.concatenate([np.zeros(length), sound]).astype(np.float32)
    times = []
    for k in (20, 23, 24, 34):
        block = padded[k * hop : k * hop + length]
        times.append([f.time for f in plugin.process(block, k * hop / RATE) if f.output == "hz"])
    assert [len(t) for t in times] == [5, 15, 5, 25]
    assert np.diff(times[0] + times[1] + times[2]) == pytest.approx(FRAME / RATE)


def test_parameters_act(little: Path) -> None:
    sound = loudness(60)

    def voiced(**parameters: float) -> float:
        found = [f.value for _, f in drive(prepared(SwiftF0, **parameters), sound) if f.output == "hz"]
        return float(np.mean(np.array(found[10:]) > 0))

    assert voiced(threshold=0.0) == 1.0
    assert 0.1 < voiced(threshold=1.0) < 0.9
    assert voiced(high=101.0) == 0.0


def test_it_keeps_to_the_contract(little: Path) -> None:
    report = check_plugin(SwiftF0, seconds=3.0)
    assert report.ok, report.failures


def test_without_weights_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(tmp_path))
    with pytest.raises(UserError, match="sidechain models get swift-f0"):
        prepared(SwiftF0)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the real weights; left out, also in the gate, where no package index can be reached."""
    folder = tmp_path_factory.mktemp("models")
    try:
        Store(folder).get(MODEL)
    except UserError as e:
        pytest.skip(f"needs the package index: {e}")
    return folder


def test_real_weights_follow_a_glide_as_in_one_piece(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(real))
    t = np.arange(2 * RATE) / RATE
    hz = 150 * 2 ** (t / 2 + 0.02 * np.sin(2 * np.pi * 5.5 * t))
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    sound = 0.1 * sum(k**-1.2 * np.sin(k * phase) for k in range(1, 15))
    sound[RATE : RATE + 4000] = 0
    found = [f for _, f in drive(prepared(SwiftF0), sound) if f.time >= 0]
    told = np.array([(f.time, f.value) for f in found if f.output == "hz"])
    sure = np.array([f.value for f in found if f.output == "confidence"])
    pitch, confidence = Network(real / MODEL / FILE).step(sound.astype(np.float32))
    inside = slice(15, len(told) - 5)
    assert sure[inside] == pytest.approx(confidence[: len(told)][inside], abs=1e-3)
    voiced = told[inside, 1] > 0
    assert told[inside, 1][voiced] == pytest.approx(pitch[: len(told)][inside][voiced], rel=1e-3)
    steady = (told[:, 0] > 0.1) & (told[:, 0] < 0.9)
    assert np.abs(1200 * np.log2(told[steady, 1] / np.interp(told[steady, 0], t, hz))).max() < 35
    assert not told[(told[:, 0] > 1.06) & (told[:, 0] < 1.2), 1].any()
