"""librosa's tempo and pYIN: a stand-in with its signatures always, librosa itself where it is installed.

It brings numba and scikit-learn, which are too large to install for two methods of comparison alone.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.dsp.offline import drive, prepared
from models.reference.pyin import PYin
from models.reference.tempo import LibrosaTempo
from realtime.errors import NotFetched
from realtime.hosting.check import check_plugin
from realtime.hosting.plugin import Plugin

slow = pytest.mark.timeout(900)
"""What numba compiles at the first call in a fresh installation takes minutes on a small machine."""

BOTH: list[type[Plugin]] = [LibrosaTempo, PYin]


def tempo(*, y: Any, sr: float, hop_length: int, start_bpm: float, std_bpm: float, max_tempo: float) -> Any:
    """The largest sample, times 100."""
    return np.array([100 * float(np.abs(y).max())])


def pyin(
    y: Any,
    *,
    fmin: float,
    fmax: float,
    sr: float,
    frame_length: int,
    hop_length: int,
    resolution: float,
    center: bool,
    fill_na: Any,
) -> Any:
    """Pitch: the mean of a frame's samples, times 1000; voiced where that is above 50."""
    frames = np.lib.stride_tricks.sliding_window_view(y, frame_length)[::hop_length]
    pitch = 1000 * frames.mean(axis=1)
    return pitch, pitch > 50, (pitch > 50).astype(float)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("librosa")
    vars(module).update(feature=SimpleNamespace(tempo=tempo), pyin=pyin)
    monkeypatch.setitem(sys.modules, "librosa", module)


@pytest.fixture
def real() -> Any:
    if importlib.util.find_spec("librosa") is None:
        pytest.skip("librosa is not installed: pip install 'sidechain[reference]'")
    return importlib.import_module("librosa")


def test_tempo_is_of_the_newest_seconds(stand_in: None) -> None:
    sound = np.concatenate([np.full(10 * 22050, 0.5), np.full(9 * 22050, 0.9), np.zeros(9 * 22050)])
    found = {round(f.time + 4): f.value for _, f in drive(prepared(LibrosaTempo), sound)}
    assert found[10] == pytest.approx(50)
    assert found[18] == pytest.approx(90)
    assert found[28] == 0.0


def test_each_frame_of_pyin_comes_once_and_in_its_place(stand_in: None) -> None:
    ramp = np.linspace(0.1, 0.9, 3 * 16_000)
    found = [f for _, f in drive(prepared(PYin), ramp) if f.output == "hz" and f.time > 0.1]
    assert np.diff([f.time for f in found]) == pytest.approx(0.01)
    assert found[-1].time > 3 - 0.4
    assert [f.value for f in found] == pytest.approx([1000 * (0.1 + 0.8 * f.time / 3) for f in found], rel=1e-3)


@pytest.mark.parametrize("kind", BOTH, ids=lambda k: k.descriptor.identifier)
def test_they_keep_to_the_contract(kind: type[Plugin], stand_in: None) -> None:
    report = check_plugin(kind, seconds=3.0)
    assert report.ok, report.failures


@pytest.mark.parametrize("kind", BOTH, ids=lambda k: k.descriptor.identifier)
def test_a_missing_package_is_told_in_one_line(kind: type[Plugin], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(NotFetched, match=r"pip install 'sidechain\[reference\]'"):
        prepared(kind)


@slow
def test_the_stand_in_has_the_signatures_of_the_package(real: Any) -> None:
    for ours, theirs in ((tempo, real.feature.tempo), (pyin, real.pyin)):
        assert set(inspect.signature(ours).parameters) <= set(inspect.signature(theirs).parameters)


@slow
@pytest.mark.parametrize("bpm", [100.0, 140.0])
def test_real_tempo_of_clicks(real: Any, bpm: float) -> None:
    t = np.arange(9 * 22050) / 22050
    noise = np.random.default_rng(0).standard_normal(len(t))
    found = [f.value for _, f in drive(prepared(LibrosaTempo), 0.3 * noise * np.exp(-(t % (60 / bpm)) / 0.02))]
    assert found[-1] == pytest.approx(bpm, rel=0.03)


@slow
def test_real_pyin_follows_a_glide(real: Any) -> None:
    t = np.arange(2 * 16_000) / 16_000
    hz = 150 * 2 ** (t / 2)
    phase = 2 * np.pi * np.cumsum(hz) / 16_000
    sound = 0.1 * sum(np.sin(k * phase) / k for k in range(1, 8))
    told = np.array([(f.time, f.value) for _, f in drive(prepared(PYin), sound) if f.output == "hz"])
    steady = (told[:, 0] > 0.2) & (told[:, 0] < 1.7)
    off = 1200 * np.log2(np.maximum(told[steady, 1], 1) / np.interp(told[steady, 0], t, hz))
    assert np.mean(np.abs(off) < 30) > 0.95
