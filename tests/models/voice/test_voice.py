from __future__ import annotations

import numpy as np
import pytest

from models.dsp.offline import drive, prepared
from models.voice.plugin import Voice

RATE = 16_000


def syllables(times: np.ndarray, seconds: float, level: float = 0.2) -> np.ndarray:
    """Buzzes of 150 ms with moving formants, a crude voice."""
    x = np.zeros(int(seconds * RATE))
    t = np.arange(int(0.15 * RATE)) / RATE
    for k, at in enumerate(times):
        pitch, formant = 120 + 10 * np.sin(k), 400 + 350 * (k % 3)
        envelope = np.sin(np.pi * t / 0.15) ** 0.5
        tone = sum(
            np.exp(-(((h * pitch - formant) / 300) ** 2)) * np.sin(2 * np.pi * h * pitch * t) for h in range(1, 25)
        )
        start = int(at * RATE)
        x[start : start + len(t)] += level * envelope * tone
    return x


def noise(seconds: float, level: float) -> np.ndarray:
    return level * np.random.default_rng(4).standard_normal(int(seconds * RATE))


def results(x: np.ndarray, **parameters: float) -> tuple[np.ndarray, list[tuple[float, float]]]:
    found = drive(prepared(Voice, **parameters), x)
    return (
        np.array([f.value for _, f in found if f.output == "probability"]),
        [(f.time, f.value) for _, f in found if f.output == "active"],
    )


@pytest.mark.parametrize("level", [1.0, 0.1])
def test_talk_over_noise_starts_and_ends_once(level: float) -> None:
    x = level * (noise(6.0, 0.003) + syllables(np.arange(2.0, 4.0, 0.2), 6.0))
    probability, events = results(x)
    assert [v for _, v in events] == [1.0, 0.0]
    assert 2.0 < events[0][0] < 2.15
    assert 4.0 < events[1][0] < 4.7
    assert probability[210:390].mean() > 0.8 > 0.3 > probability[100:195].mean()


def test_steady_noise_is_background() -> None:
    probability, events = results(noise(8.0, 0.1))
    assert probability[100:].mean() < 0.2
    assert not events


@pytest.mark.parametrize("x", [np.zeros(2 * RATE), np.full(2 * RATE, 1e-40)], ids=["silence", "denormals"])
def test_silence_is_zero(x: np.ndarray) -> None:
    probability, events = results(x)
    assert not probability.any()
    assert not events


@pytest.mark.parametrize("x", [np.full(RATE, 0.9), np.sign(np.sin(np.arange(RATE)))], ids=["dc", "square"])
def test_odd_sound_is_finite(x: np.ndarray) -> None:
    probability, _ = results(x)
    assert ((probability >= 0) & (probability <= 1)).all()


def test_hold_bridges_pauses() -> None:
    x = noise(6.0, 0.003) + syllables(np.arange(1.0, 5.0, 0.5), 6.0)
    assert len(results(x, hold_ms=600)[1]) < len(results(x, hold_ms=0)[1])


def test_threshold_changes_live() -> None:
    plugin = prepared(Voice)
    plugin.parameter("threshold", 0.95)
    plugin.parameter("hysteresis", 0.0)
    x = noise(4.0, 0.003) + syllables(np.arange(1.0, 3.0, 0.2), 4.0)
    strict = sum(f.output == "active" for _, f in drive(plugin, x))
    assert strict != len(results(x)[1]) or strict == 2


def test_reset_is_exact() -> None:
    x = noise(3.0, 0.003) + syllables(np.arange(1.0, 2.0, 0.2), 3.0)
    plugin = prepared(Voice)
    first = drive(plugin, x)
    plugin.reset()
    assert drive(plugin, x) == first
