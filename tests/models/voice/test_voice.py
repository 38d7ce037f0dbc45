from __future__ import annotations

import numpy as np
import pytest

from models.dsp.offline import drive, prepared
from models.training.synth.voice import Singer, Syllable, sing
from models.voice.plugin import Voice

RATE = 24_000


def song(times: np.ndarray, seconds: float, level: float = 0.2, seed: int = 0) -> np.ndarray:
    """Syllables of 250 ms by the formant voice of the training music, at RMS `level` where it sings."""
    rng = np.random.default_rng(seed)
    texts = ("da", "mo", "si", "ke", "lu")
    syllables = [Syllable(float(t), 0.25, 50 + 3.0 * (k % 3), 0.9, texts[k % 5]) for k, t in enumerate(times)]
    x = sing(syllables, int(seconds * RATE), RATE, rng, Singer(breath=0.05))
    return level * x / np.sqrt(np.mean(x[np.abs(x) > 1e-3] ** 2))


def noise(seconds: float, level: float) -> np.ndarray:
    return level * np.random.default_rng(4).standard_normal(int(seconds * RATE))


def results(x: np.ndarray, **parameters: float) -> tuple[np.ndarray, list[tuple[float, float]]]:
    found = drive(prepared(Voice, **parameters), x)
    return (
        np.array([f.value for _, f in found if f.output == "probability"]),
        [(f.time, f.value) for _, f in found if f.output == "active"],
    )


@pytest.mark.parametrize("level", [1.0, 0.1])
def test_a_voice_over_noise_starts_and_ends_once(level: float) -> None:
    x = level * (noise(7.0, 0.003) + song(np.arange(2.0, 4.0, 0.27), 7.0))
    probability, events = results(x, hold_ms=400)
    assert [v for _, v in events] == [1.0, 0.0]
    assert 1.95 < events[0][0] < 2.25
    assert 4.0 < events[1][0] < 5.3
    assert probability[220:390].mean() > 0.7 > 0.3 > probability[100:190].mean()


@pytest.mark.parametrize("level", [0.003, 0.1])
def test_steady_noise_is_no_voice(level: float) -> None:
    probability, events = results(noise(8.0, level))
    assert probability[100:].mean() < 0.2
    assert not [t for t, _ in events if t > 0.5]


def test_a_plucked_melody_is_no_voice() -> None:
    t = np.arange(8 * RATE) / RATE
    pitch = 220 * 2 ** (np.array([0, 4, 7, 12, 7, 4])[(t * 3).astype(int) % 6] / 12)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    pluck = np.exp(-8 * (t % (1 / 3)))
    x = 0.1 * pluck * sum(np.sin(k * phase) / k for k in range(1, 6))
    probability, _ = results(np.asarray(x))
    assert (probability[50:] >= 0.5).mean() < 0.1


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
    x = noise(8.0, 0.003) + song(np.arange(1.0, 7.0, 1.2), 8.0)
    assert len(results(x, hold_ms=1500)[1]) < len(results(x, hold_ms=0)[1])


def test_threshold_changes_live() -> None:
    x = noise(4.0, 0.05) + song(np.arange(1.0, 3.0, 0.27), 4.0, 0.05)
    plugin = prepared(Voice)
    plugin.parameter("threshold", 0.95)
    plugin.parameter("hysteresis", 0.0)
    starts = [f.time for _, f in drive(plugin, x) if f.output == "active" and f.value == 1.0]
    usual = [t for t, v in results(x)[1] if v == 1.0]
    assert usual
    assert not starts or starts[0] >= usual[0]


def test_reset_is_exact() -> None:
    x = noise(3.0, 0.003) + song(np.arange(1.0, 2.0, 0.27), 3.0)
    plugin = prepared(Voice)
    first = drive(plugin, x)
    plugin.reset()
    assert drive(plugin, x) == first
