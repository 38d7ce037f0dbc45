"""Normalised cross-correlation by hops: the same as directly, short where pitch is high, indifferent to level."""

from __future__ import annotations

import numpy as np
import pytest

from models.pitch.features import HOP, RATE, WINDOWS
from models.pitch.periodicity import GRID, Periodicity, Window

N = np.arange(RATE)


def heard(sound: np.ndarray) -> Periodicity:
    found = Periodicity(RATE, HOP, WINDOWS)
    padded = np.concatenate([np.zeros(HOP), sound]).astype(np.float32)
    for end in range(2 * HOP, len(padded) + 1, HOP):
        found.process(padded[:end])
    return found


def bands(hz: float) -> np.ndarray:
    """A tone of harmonics under 1 kHz, which softening leaves alone."""
    return np.asarray(sum(np.sin(2 * np.pi * k * hz * N / RATE + k) / k for k in range(1, 1 + int(1000 / hz))))


def test_it_is_the_cross_correlation() -> None:
    rng = np.random.default_rng(0)
    x = np.convolve(rng.standard_normal(25 * HOP), np.hanning(40), "same")  # hardly anything above 1 kHz
    curves, lags, many = heard(x).curves, RATE / GRID, 0
    for lag in (60, 80, 160):
        k = int(np.abs(lags - lag).argmin())
        for window, curve in zip(WINDOWS, curves):
            if not window.lowest <= GRID[k] <= window.highest or not curve[k]:
                continue
            held = int(window.hops * HOP)
            new, old = x[-held:], np.interp(np.arange(-held, 0) - lags[k], np.arange(-len(x), 0), x)
            direct = np.dot(new, old) / np.sqrt(np.dot(new, new) * np.dot(old, old))
            assert curve[k] == pytest.approx(direct, abs=0.05)
            many += 1
    assert many > 5


@pytest.mark.parametrize("hz", [60.0, 123.0, 311.0, 500.0])
@pytest.mark.parametrize("fall", [0.0, 40.0], ids=["steady", "fading"])
def test_a_tone_is_periodic_at_its_pitch_in_all_windows_that_judge_it(hz: float, fall: float) -> None:
    found = heard(bands(hz) * 10 ** (-fall * N / RATE / 20))
    near = np.abs(np.log2(GRID / hz)) < 1 / 48
    for curve, judged in zip(found.curves, found.judged):
        if judged[near].any():
            assert curve[near].max() > 0.98
        assert np.abs(curve).max() < 1.02


def test_the_first_window_forgets_a_tone_within_a_hop() -> None:
    sound = np.concatenate([bands(250.0), bands(400.0)[:HOP]])
    curves = heard(sound).curves
    new, old = (int(np.abs(GRID - hz).argmin()) for hz in (400.0, 250.0))
    assert curves[0, new] > 0.97 > curves[0, old] + 0.2
    assert curves[3, old] > curves[3, new]


def test_silence_and_noise_and_a_constant_are_not_periodic() -> None:
    assert not heard(np.zeros(RATE)).curves.any()
    assert heard(np.random.default_rng(1).standard_normal(RATE)).curves[3].max() < 0.5
    assert not heard(np.ones(RATE)).curves.any()


def test_windows_keep_to_their_range_and_reset_is_exact() -> None:
    found = heard(bands(200.0))
    for window, curve in zip(WINDOWS, found.curves):
        assert not curve[(window.lowest > GRID) | (window.highest < GRID)].any()
    found.reset()
    fresh = Periodicity(RATE, HOP, WINDOWS)
    x = bands(300.0).astype(np.float32)
    for end in (400, 560, 720):
        found.process(x[:end])
        fresh.process(x[:end])
    assert np.array_equal(found.curves, fresh.curves)
    assert Window(2).highest == pytest.approx(2100)
