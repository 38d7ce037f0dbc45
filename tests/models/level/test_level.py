"""Meters against definitions: EBU Tech 3341 minimum-requirement signals, synthesised; true peak; RMS."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.dsp.offline import drive, prepared
from models.level.loudness import SILENCE
from models.level.plugin import Level

RATE = 48_000


def tone(*parts: tuple[float, float], frequency: float = 1000.0) -> np.ndarray:
    """A continuous sine with the peak levels (dBFS) and durations (s) given."""
    level = np.concatenate([np.full(round(s * RATE), 10 ** (db / 20)) for db, s in parts])
    return level * np.sin(2 * np.pi * frequency * np.arange(len(level)) / RATE)


def outputs(samples: np.ndarray, name: str, **parameters: float) -> tuple[np.ndarray, np.ndarray]:
    found = [(f.time, f.value) for _, f in drive(prepared(Level, **parameters), samples) if f.output == name]
    times, values = zip(*found)
    return np.array(times), np.array(values)


@pytest.mark.parametrize("level", [-23.0, -33.0])
def test_ebu_1_and_2_steady_tone(level: float) -> None:
    x = tone((level, 20))
    for name, after in (("momentary", 1.0), ("shortterm", 3.1), ("integrated", 3.0)):
        times, values = outputs(x, name)
        np.testing.assert_allclose(values[times > after], level, atol=0.1)


@pytest.mark.parametrize(
    "parts",
    [
        [(-36, 10), (-23, 60), (-36, 10)],
        [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)],
        [(-26, 20), (-20, 20.1), (-26, 20)],
    ],
    ids=["ebu 3", "ebu 4", "ebu 5"],
)
def test_ebu_3_to_5_gated_programme(parts: list[tuple[float, float]]) -> None:
    assert outputs(tone(*parts), "integrated")[1][-1] == pytest.approx(-23.0, abs=0.1)


def test_ebu_9_shortterm_is_constant() -> None:
    times, values = outputs(tone(*[(-20, 1.34), (-30, 1.66)] * 5), "shortterm")
    np.testing.assert_allclose(values[times > 3.0], -23.0, atol=0.1)


def test_ebu_12_momentary_is_constant() -> None:
    times, values = outputs(tone(*[(-20, 0.18), (-30, 0.22)] * 25), "momentary")
    np.testing.assert_allclose(values[times > 1.0], -23.0, atol=0.1)


@pytest.mark.parametrize("i", range(0, 20, 3))
def test_ebu_13_and_10_maximum_of_a_burst(i: int) -> None:
    short = tone((-120, i * 0.02), (-23, 0.4), (-120, 1))
    assert outputs(short, "momentary")[1].max() == pytest.approx(-23.0, abs=0.1)
    long = tone((-120, i * 0.15), (-23, 3.0), (-120, 1))
    assert outputs(long, "shortterm")[1].max() == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(("divisor", "phase"), [(4, 0), (4, 45), (6, 60), (8, 67.5)])
def test_ebu_15_to_18_true_peak(divisor: int, phase: float) -> None:
    n = np.arange(RATE)
    x = 10 ** (-6 / 20) * np.sin(2 * np.pi * n / divisor + math.radians(phase))
    times, values = outputs(x, "truepeak")
    assert -6.4 <= values[times > 0.5].max() <= -5.8


def test_full_scale_sine_and_correlation() -> None:
    x = tone((0, 2))
    assert outputs(x, "rms")[1][-1] == pytest.approx(-3.01, abs=0.05)
    assert outputs(x, "peak")[1][-1] == pytest.approx(0.0, abs=0.05)
    assert outputs(x, "correlation")[1][-1] == pytest.approx(1.0, abs=1e-3)
    assert outputs(np.stack([x, -x]), "correlation")[1][-1] == pytest.approx(-1.0, abs=1e-3)


def test_peak_falls_as_asked() -> None:
    times, values = outputs(tone((0, 1), (-120, 2)), "peak", fall=30.0)
    at = np.interp([1.5, 2.0], times, values)
    assert at[0] - at[1] == pytest.approx(15.0, abs=0.1)


@pytest.mark.parametrize("x", [np.zeros(RATE), np.full(RATE, 1e-40), np.ones(RATE), tone((0, 1)) * 8])
def test_odd_sound_gives_finite_values(x: np.ndarray) -> None:
    values = [f.value for _, f in drive(prepared(Level), x)]
    assert np.isfinite(values).all()
    assert min(values) >= SILENCE


def test_reset_is_exact_and_a_gap_keeps_the_programme() -> None:
    x = tone((-20, 2))
    plugin = prepared(Level)
    first = drive(plugin, x)
    plugin.skipped(480)
    assert next(f.value for _, f in drive(plugin, np.zeros(RATE)) if f.output == "integrated") > -30
    plugin.reset()
    assert drive(plugin, x) == first


def test_loudness_restarts_on_command() -> None:
    plugin = prepared(Level)
    drive(plugin, tone((-20, 2)))
    plugin.parameter("restart", 1.0)
    values = [f.value for _, f in drive(plugin, tone((-40, 2))) if f.output == "integrated"]
    assert values[-1] < -35
