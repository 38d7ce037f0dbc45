"""Basic Pitch: no note twice over overlapping windows, by a stand-in and by the real network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from models.basic_pitch.network import FRAMES, HOP, KEYS, RATE, WINDOW, Network
from models.basic_pitch.notes import Limits, Notes
from models.basic_pitch.plugin import FILE, MODEL, BasicPitch
from models.dsp.offline import drive, prepared
from models.dsp.onnxgraph import Graph
from realtime.errors import UserError
from realtime.hosting.check import check_plugin
from realtime.hosting.plugin import Plugin
from realtime.store.store import Store

STEP = HOP / RATE


def stand_in() -> bytes:
    """The same tensors: middle C sounds where the sound is loud, with an onset where it becomes loud."""
    g = Graph({"serving_default_input_2:0": (1, WINDOW, 1)})
    x = g.add("Abs", g.add("Transpose", "serving_default_input_2:0", perm=[0, 2, 1]))
    x = g.add("Pad", x, g.constant([0, 0, 0, 0, 0, FRAMES * HOP - WINDOW], np.int64))
    x = g.add("Min", g.add("Mul", g.add("AveragePool", x, kernel_shape=[HOP], strides=[HOP]), 20.0), 1.0)
    rise = g.add("Relu", g.add("Conv", x, np.array([[[-1.0, 1.0]]]), pads=[1, 0]))
    key = np.arange(KEYS) == 60 - 21
    for y, name in ((x, "StatefulPartitionedCall:1"), (rise, "StatefulPartitionedCall:2")):
        g.add("Mul", g.add("Transpose", y, perm=[0, 2, 1]), key.astype(np.float32), output=name)
    shape = (1, FRAMES, KEYS)
    return g.model({"StatefulPartitionedCall:1": shape, "StatefulPartitionedCall:2": shape})


@pytest.fixture
def little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store whose entry is the stand-in; its file."""
    source = tmp_path / FILE
    source.write_bytes(stand_in())
    store = tmp_path / "store"
    store.mkdir()
    (store / "models.toml").write_text(
        f"[[model]]\nname = '{MODEL}'\ntitle = 'tiny'\nlicense = 'MIT'\nsource = 'local'\npath = '{source}'\n"
        f"[[model.files]]\nname = '{FILE}'\nsha256 = '{hashlib.sha256(source.read_bytes()).hexdigest()}'\n"
    )
    monkeypatch.setenv("SIDECHAIN_MODELS", str(store))
    Store().get(MODEL)
    return source


def tones(spans: list[tuple[float, float]], seconds: float) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    return 0.4 * np.sin(2 * np.pi * 261.6 * t) * sum((t >= a) & (t < b) for a, b in spans)


def notes(plugin: Plugin, sound: np.ndarray) -> list[tuple[float, float, str | None]]:
    return [(f.time, f.value, f.label) for _, f in drive(plugin, sound) if f.output == "note"]


def test_each_note_starts_and_ends_once_whatever_the_window(little: Path) -> None:
    spans = [(0.3, 0.8), (1.05, 1.3), (1.5, 5.2), (5.6, 5.95), (6.3, 6.6)]
    found = notes(prepared(BasicPitch), tones(spans, 8.0))
    assert [(v, label) for _, v, label in found] == [(60.0, "on"), (60.0, "off")] * len(spans)
    assert [t for t, _, _ in found] == pytest.approx([t for span in spans for t in span], abs=0.03)


def test_short_ones_are_left_out(little: Path) -> None:
    sound = tones([(1.0, 1.06)], 3.0)
    assert notes(prepared(BasicPitch), sound) == []
    assert len(notes(prepared(BasicPitch, length_ms=40.0), sound)) == 2


def test_the_range_of_notes_is_kept(little: Path) -> None:
    sound = tones([(1.0, 1.5)], 3.0)
    assert len(notes(prepared(BasicPitch, low=60.0, high=60.0), sound)) == 2
    assert notes(prepared(BasicPitch, low=61.0), sound) == []


def test_windows_that_are_left_out_end_what_sounded() -> None:
    plays = np.ones((FRAMES, KEYS), np.float32) * (np.arange(KEYS) == 5)
    onset = np.zeros_like(plays)
    onset[30, 5] = 0.9
    judge = Notes(KEYS, STEP)
    assert [(n.key, n.starts) for n in judge.process(onset, plays, 0.0, Limits())] == [(5, True)]
    assert judge.process(np.zeros_like(plays), plays, 0.5, Limits()) == []
    late = judge.process(np.zeros_like(plays), plays, 9.0, Limits())
    assert [(n.key, n.starts) for n in late] == [(5, False)]
    assert late[0].time == pytest.approx(0.5 + (FRAMES - 16) * STEP)


def test_a_weak_onset_does_not_strike_a_sounding_key_again() -> None:
    plays = np.ones((FRAMES, KEYS), np.float32)
    for second, count in ((0.6, 1), (0.9, 3)):
        onset = np.zeros_like(plays)
        onset[30, 5], onset[60, 5] = 0.9, second
        assert len(Notes(KEYS, STEP).process(onset, plays, 0.0, Limits())) == count


def test_it_keeps_to_the_contract(little: Path) -> None:
    report = check_plugin(BasicPitch, seconds=4.0)
    assert report.ok, report.failures


def test_another_network_is_refused(tmp_path: Path) -> None:
    g = Graph({"x": (1, 4)})
    g.add("Relu", "x", output="y")
    (tmp_path / "a.onnx").write_bytes(g.model({"y": (1, 4)}))
    with pytest.raises(UserError, match="not the network of Basic Pitch"):
        Network(tmp_path / "a.onnx")


def test_without_weights_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(tmp_path))
    with pytest.raises(UserError, match="sidechain models get basic-pitch"):
        prepared(BasicPitch)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the real weights; left out, also in the gate, where no package index can be reached."""
    folder = tmp_path_factory.mktemp("models")
    try:
        Store(folder).get(MODEL)
    except UserError as e:
        pytest.skip(f"needs the package index: {e}")
    return folder


PIECE = [
    (60, 0.4, 1.0),
    (64, 0.4, 1.0),
    (67, 0.4, 1.0),
    (65, 1.3, 1.9),
    (69, 1.3, 1.9),
    (55, 2.2, 3.4),
    (71, 2.8, 3.4),
]


def test_real_weights_hear_chords(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(real))
    t = np.arange(int(4.5 * RATE)) / RATE
    sound = np.zeros(len(t))
    for note, start, end in PIECE:
        hz, age = 440 * 2 ** ((note - 69) / 12), t - start
        envelope = ((age >= 0) & (t < end)) * np.minimum(1, age / 0.005).clip(0) * np.exp(-1.5 * age.clip(0))
        sound += envelope * sum(0.1 / k**1.5 * np.sin(2 * np.pi * k * hz * t) for k in range(1, 8))
    found = notes(prepared(BasicPitch), sound)
    starts = [(v, time) for time, v, label in found if label == "on"]
    for note, start, _ in PIECE:
        assert sum(v == note and abs(time - start) < 0.05 for v, time in starts) == 1, note
    assert len(starts) <= len(PIECE) + 3
    assert sum(label == "off" for _, _, label in found) == len(starts)
