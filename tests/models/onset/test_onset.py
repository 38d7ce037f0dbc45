from __future__ import annotations

import numpy as np
import pytest

from models.dsp.offline import drive, prepared
from models.onset.plugin import Onset

RATE = 24_000


def bursts(times: np.ndarray, seconds: float, level: float = 0.5, seed: int = 0) -> np.ndarray:
    """Decaying noise bursts, a drum-like test signal."""
    rng = np.random.default_rng(seed)
    x = np.zeros(int(seconds * RATE))
    for t in times:
        start = round(t * RATE)
        n = min(int(0.1 * RATE), len(x) - start)
        x[start : start + n] += level * rng.standard_normal(n) * 0.3 * np.exp(-np.arange(n) / (0.015 * RATE))
    return x


def onsets(x: np.ndarray, **parameters: float) -> tuple[np.ndarray, np.ndarray]:
    found = [(f.time, emitted) for emitted, f in drive(prepared(Onset, **parameters), x) if f.output == "onset"]
    return np.array([t for t, _ in found]), np.array([e for _, e in found])


@pytest.mark.parametrize("level", [1.0, 0.1, 0.01])
def test_every_hit_once_and_soon_at_any_level(level: float) -> None:
    truth = np.cumsum(np.random.default_rng(3).uniform(0.12, 0.6, 60)) + 0.5
    times, emitted = onsets(bursts(truth, truth[-1] + 1, level))
    assert len(times) == len(truth)
    assert np.abs(times - truth).max() < 0.015
    assert (emitted > truth).all()
    assert np.median(emitted - truth) < 0.010
    assert abs(np.median(times - truth)) < 0.005


def test_hits_under_a_steady_chord() -> None:
    truth = np.arange(1.0, 9.0, 0.5)
    t = np.arange(10 * RATE) / RATE
    chord = sum(0.1 * np.sin(2 * np.pi * f * t) for f in (220, 277.2, 329.6, 440))
    times, _ = onsets(bursts(truth, 10.0) + chord)
    times = times[times > 0.5]
    assert len(times) == len(truth)
    assert np.abs(times - truth).max() < 0.02


def test_vibrato_is_not_an_onset() -> None:
    t = np.arange(10 * RATE) / RATE
    times, _ = onsets(0.2 * np.sin(2 * np.pi * 440 * t + 8 * np.sin(2 * np.pi * 6 * t)))
    assert len(times[times > 0.2]) == 0


@pytest.mark.parametrize(
    "x",
    [np.zeros(5 * RATE), np.full(5 * RATE, 1e-40), np.full(5 * RATE, 0.9)],
    ids=["silence", "denormals", "direct current"],
)
def test_nothing_happens_in_stillness(x: np.ndarray) -> None:
    times, _ = onsets(x)
    assert len(times[times > 0.05]) == 0


def test_noise_gives_few_false_alarms() -> None:
    times, _ = onsets(np.random.default_rng(1).standard_normal(20 * RATE) * 0.01)
    assert len(times) < 40


def test_full_scale_square_is_finite() -> None:
    x = np.sign(np.sin(2 * np.pi * 50 * np.arange(RATE) / RATE))
    assert all(np.isfinite(f.value) and 0 <= f.value <= 1 for _, f in drive(prepared(Onset), x))


def test_parameters_act() -> None:
    truth = np.arange(0.5, 5.0, 0.1)
    x = bursts(truth, 5.5)
    assert len(onsets(x, refractory_ms=150)[0]) < 0.6 * len(onsets(x)[0])
    noise = np.random.default_rng(1).standard_normal(10 * RATE) * 0.01
    assert len(onsets(noise, threshold=0.7)[0]) > len(onsets(noise, threshold=2.0)[0])


def test_reset_is_exact() -> None:
    x = bursts(np.arange(0.5, 3.0, 0.3), 3.5)
    plugin = prepared(Onset)
    first = drive(plugin, x)
    plugin.reset()
    assert drive(plugin, x) == first
