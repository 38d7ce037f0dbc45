from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.drums.plugin import Drums
from models.dsp.offline import drive, prepared
from models.dsp.steady import Steady
from models.onset.plugin import Onset
from realtime.hosting.plugin import Plugin

RATE = 24_000


def noise(kind: str, seconds: int) -> np.ndarray:
    n = seconds * RATE
    if kind == "hum":
        t = np.arange(n) / RATE
        return 0.03 * sum(np.sin(2 * np.pi * 50 * h * t) / h for h in range(1, 12))
    lines = np.fft.rfft(np.random.default_rng(2).standard_normal(n))
    if kind == "pink":
        lines /= np.sqrt(np.maximum(np.arange(len(lines)), 1))
    x = np.fft.irfft(lines, n)
    return 0.03 * x / x.std()


def events(kind: type[Plugin], x: np.ndarray, output: str, after: float) -> int:
    return sum(f.output == output and f.time > after for _, f in drive(prepared(kind), x.astype(np.float32)))


@pytest.mark.parametrize("kind", ["white", "pink", "hum"])
def test_a_steady_noise_has_few_onsets_and_hits(kind: str) -> None:
    x = noise(kind, 30)
    assert events(Onset, x, "onset", 10.0) <= 8
    assert events(Drums, x, "hit", 10.0) <= 8


@pytest.mark.parametrize("kind", [Onset, Drums])
def test_the_first_hit_in_a_noise_is_told(kind: type[Plugin]) -> None:
    x = noise("white", 14)
    t = np.arange(2400) / RATE
    x[12 * RATE : 12 * RATE + 2400] += 0.8 * np.sin(2 * np.pi * 60 * t) * np.exp(-t / 0.03)
    x[12 * RATE : 12 * RATE + 240] += 0.5 * np.random.default_rng(0).standard_normal(240)
    found = drive(prepared(kind), x.astype(np.float32))
    assert len([f for _, f in found if f.output == "onset" and abs(f.time - 12.0) < 0.03]) == 1


@given(st.floats(1e-6, 1e3), st.integers(0, 2**31))
def test_the_scale_of_the_rises_does_not_matter(scale: float, seed: int) -> None:
    rises = np.random.default_rng(seed).exponential(1.0, 200)
    one, other = Steady(100.0, 3.0), Steady(100.0, 3.0)
    agree = [one.hear(r) == other.hear(r * scale) for r in rises.tolist()]
    assert np.mean(agree) > 0.98  # a tie may round either way


def test_an_attack_ends_steadiness_at_once_and_reset_forgets() -> None:
    steady = Steady(100.0, 3.0)
    rises = np.random.default_rng(0).uniform(0.5, 1.5, 1000).tolist()
    assert [steady.hear(r) for r in rises][-1]
    assert not steady.hear(8.0)
    assert not steady.hear(1.0)
    steady.reset()
    assert [steady.hear(r) for r in rises][-1]


@pytest.mark.parametrize("hertz", [41.0, 50.0])
def test_the_periods_of_a_low_note_are_no_onsets(hertz: float) -> None:
    t = np.arange(6 * RATE) / RATE
    x = 0.1 * sum(np.sin(2 * np.pi * hertz * h * t) / h for h in range(1, int(11_000 / hertz)))
    assert events(Onset, x, "onset", 1.0) == 0
