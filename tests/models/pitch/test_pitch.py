"""Tones, glides, vibrato, octave traps, steps, noise and odd sound."""

from __future__ import annotations

import numpy as np
import pytest

from models.dsp.offline import drive, prepared
from models.pitch.plugin import Pitch

RATE = 16_000


def harmonic(hz: np.ndarray | float, seconds: float, weights: list[float], level: float = 0.3) -> np.ndarray:
    n = int(seconds * RATE)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hz, n)) / RATE
    parts = [w * np.sin(k * phase) for k, w in enumerate(weights, 1) if np.max(hz) * k < 7500]
    return level * np.sum(parts, axis=0)


def curve(x: np.ndarray, **parameters: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, pitches, emission times."""
    found = [(f.time, f.value, e) for e, f in drive(prepared(Pitch, **parameters), x) if f.output == "hz"]
    times, values, emitted = np.array(found).T
    return times, values, emitted


def cents(a: np.ndarray, b: np.ndarray | float) -> np.ndarray:
    return 1200 * np.log2(np.maximum(a, 1e-3) / b)


@pytest.mark.parametrize("hz", [52.0, 82.4, 110.0, 220.0, 441.3, 880.0, 1318.5, 1976.0])
@pytest.mark.parametrize(
    "weights", [[1.0], [1, 0.7, 0.5, 0.3, 0.2], [0.2, 1, 0.8, 0.6]], ids=["sine", "rich", "weak 1st"]
)
def test_steady_tones(hz: float, weights: list[float]) -> None:
    if hz > 1000 and weights[0] < 0.5:
        weights = [1.0, 0.5]
    times, values, _ = curve(harmonic(hz, 0.6, weights))
    steady = values[times > 0.15]
    assert (steady > 0).mean() > 0.98
    assert np.abs(cents(steady[steady > 0], hz)).max() < 12


def test_vibrato_is_followed() -> None:
    t = np.arange(int(1.5 * RATE)) / RATE
    hz = 330 * 2 ** (0.5 / 12 * np.sin(2 * np.pi * 5.5 * t))
    times, values, _ = curve(harmonic(hz, 1.5, [1, 0.5, 0.3]))
    keep = times > 0.1
    assert np.median(np.abs(cents(values[keep], np.interp(times[keep], t, hz)))) < 15


def test_step_is_heard_within_25_ms() -> None:
    hz = np.where(np.arange(RATE) < RATE // 2, 220.0, 330.0)
    _, values, emitted = curve(np.concatenate([np.zeros(RATE // 2), harmonic(hz, 1.0, [1, 0.6, 0.4])]))
    for at, pitch in ((0.5, 220.0), (1.0, 330.0)):
        first = next(e for v, e in zip(values, emitted) if e > at and abs(cents(np.array(v), pitch)) < 50)
        assert first - at <= 0.025


def test_noise_at_0_db_keeps_the_octave() -> None:
    x = harmonic(196.0, 3.0, [1, 0.7, 0.5, 0.3])
    noise = np.random.default_rng(0).standard_normal(len(x)) * np.std(x)
    times, values, _ = curve(x + noise)
    steady = values[times > 0.2]
    assert (np.abs(cents(steady[steady > 0], 196.0)) < 50).mean() > 0.9
    assert (steady > 0).mean() > 0.8


@pytest.mark.parametrize("level", [1e-3, 1.0])
def test_level_does_not_matter(level: float) -> None:
    times, values, _ = curve(harmonic(261.6, 0.5, [1, 0.5], level))
    assert np.abs(cents(values[times > 0.1], 261.6)).max() < 10


@pytest.mark.parametrize(
    "x",
    [np.zeros(RATE), np.full(RATE, 1e-40), np.full(RATE, 0.9), np.random.default_rng(1).standard_normal(4 * RATE)],
    ids=["silence", "denormals", "direct current", "noise"],
)
def test_unpitched_sound_is_unvoiced(x: np.ndarray) -> None:
    times, values, _ = curve(x)
    assert (values[times > 0.1] > 0).mean() < 0.05


def test_full_scale_square_is_finite_and_right() -> None:
    x = np.sign(np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE))
    found = drive(prepared(Pitch), x)
    assert np.isfinite([f.value for _, f in found]).all()
    hz = [f.value for e, f in found if f.output == "hz" and e > 0.2]
    assert np.abs(cents(np.array(hz), 100.0)).max() < 20


def test_notes_of_a_scale() -> None:
    scale = [60, 62, 64, 65, 67]
    parts = []
    for note in scale:
        tone = harmonic(440 * 2 ** ((note - 69) / 12), 0.3, [1, 0.5, 0.3])
        parts += [tone * np.minimum(1, np.arange(len(tone))[::-1] / 200), np.zeros(1600)]
    events = [f for _, f in drive(prepared(Pitch), np.concatenate(parts)) if f.output == "note"]
    assert [f.value for f in events if f.label == "on"] == scale
    assert [f.value for f in events if f.label == "off"] == scale


def test_vibrato_is_one_note() -> None:
    t = np.arange(2 * RATE) / RATE
    x = harmonic(440 * 2 ** (0.5 / 12 * np.sin(2 * np.pi * 6 * t)), 2.0, [1, 0.5])
    events = [f for e, f in drive(prepared(Pitch), x) if f.output == "note" and e > 0.1]
    assert sum(f.label == "on" for f in events) <= 1


def test_parameters_act() -> None:
    x = harmonic(220.0, 0.5, [1, 0.5])
    assert not (curve(x, low=300.0)[1] > 0).any()
    noisy = x + 0.5 * np.random.default_rng(3).standard_normal(len(x))
    assert (curve(noisy, threshold=0.9)[1] > 0).mean() < (curve(noisy, threshold=0.2)[1] > 0).mean()


def test_reset_is_exact() -> None:
    x = harmonic(180.0, 0.7, [1, 0.8, 0.6])
    plugin = prepared(Pitch)
    first = drive(plugin, x)
    plugin.reset()
    assert drive(plugin, x) == first
