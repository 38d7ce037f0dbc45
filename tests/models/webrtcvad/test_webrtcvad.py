"""WebRTC's detector: starts and ends, modes, the contract."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from models.dsp.offline import drive, prepared
from models.webrtcvad.plugin import WebRtcVad
from realtime.errors import NotFetched
from realtime.hosting.check import check_plugin

RATE = 16_000


def babble(seconds: float) -> np.ndarray:
    """A voice-like tone: harmonics of a wandering pitch, in syllables."""
    t = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(140 + 20 * np.sin(2 * np.pi * 1.3 * t)) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 25))
    return 0.2 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t))


def sound() -> np.ndarray:
    rng = np.random.default_rng(0)
    parts = [np.zeros(RATE), babble(1.5), np.zeros(RATE), babble(1.0), np.zeros(RATE)]
    whole = np.concatenate(parts)
    return whole + 1e-4 * rng.standard_normal(len(whole))


def test_starts_and_ends_once_each() -> None:
    events = [(f.time, f.value) for _, f in drive(prepared(WebRtcVad), sound()) if f.output == "active"]
    assert [v for _, v in events] == [1.0, 0.0, 1.0, 0.0]
    times = [t for t, _ in events]
    assert 1.0 < times[0] < 1.2
    assert 2.65 < times[1] < 3.2
    assert 3.5 < times[2] < 3.7


def test_hold_bridges_the_gap() -> None:
    events = [f.value for _, f in drive(prepared(WebRtcVad, hold_ms=1500.0), sound()) if f.output == "active"]
    assert events == [1.0]


def test_a_later_mode_lets_less_of_noise_through() -> None:
    rng = np.random.default_rng(1)
    noise = np.concatenate([0.003 * rng.standard_normal(RATE), 0.1 * rng.standard_normal(RATE // 2)] * 3)

    def share(mode: float) -> float:
        return float(
            np.mean([f.value for _, f in drive(prepared(WebRtcVad, mode=mode), noise) if f.output == "speech"])
        )

    assert share(3.0) <= share(0.0)
    plugin = prepared(WebRtcVad, mode=0.0)
    plugin.parameter("mode", 3.0)
    live = [f.value for _, f in drive(plugin, noise) if f.output == "speech"]
    assert float(np.mean(live)) == share(3.0)


def test_it_keeps_to_the_contract() -> None:
    report = check_plugin(WebRtcVad, seconds=2.0)
    assert report.ok, report.failures


def test_a_missing_package_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    with pytest.raises(NotFetched, match=r"pip install 'sidechain\[webrtcvad\]'"):
        prepared(WebRtcVad)
