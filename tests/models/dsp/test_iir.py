from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import sosfilt

from models.dsp.iir import BlockFilter, highpass, lowpass
from models.level.loudness import K_WEIGHTING


def reference(cascade, x):
    return sosfilt([[b0, b1, b2, 1.0, a1, a2] for b0, b1, b2, a1, a2 in cascade], x)


@pytest.mark.parametrize("hop", [240, 480])
def test_equals_a_sample_by_sample_filter(hop: int) -> None:
    bank = [[lowpass(150, 48e3)] * 2, list(K_WEIGHTING), [highpass(150, 48e3)] * 2 + [lowpass(2500, 48e3)] * 2]
    x = np.random.default_rng(1).standard_normal((2, hop * 50))
    f = BlockFilter(bank, hop, channels=2)
    y = np.concatenate([f.process(x[:, k : k + hop]) for k in range(0, x.shape[1], hop)], axis=-1)
    for channel in range(2):
        for row, cascade in enumerate(bank):
            np.testing.assert_allclose(y[channel, row], reference(cascade, x[channel]), atol=3e-6)


@pytest.mark.parametrize("low", [40.0, 500.0])
def test_power_is_that_of_the_filtered_sound(low: float) -> None:
    bank = [[lowpass(low, 48e3)] * 2, [highpass(low, 48e3)] * 2 + [lowpass(2500, 48e3)] * 2]
    x = np.random.default_rng(1).standard_normal((2, 480 * 100))
    f = BlockFilter(bank, 480, channels=2, sub=60)
    for k in range(0, x.shape[1], 480):
        power = f.power(x[:, k : k + 480])
    expected = [sum((reference(c, row)[-480:] ** 2).mean() for row in x) for c in bank]
    np.testing.assert_allclose(power, expected, rtol=3e-5)


def test_reset_brings_back_rest() -> None:
    f = BlockFilter([[lowpass(100, 48e3)]], 240)
    x = np.random.default_rng(2).standard_normal(240)
    first = f.process(x)
    f.process(x)
    f.reset()
    np.testing.assert_array_equal(f.process(x), first)


def test_long_silence_leaves_no_denormals() -> None:
    f = BlockFilter([list(K_WEIGHTING)], 480)
    f.process(np.ones(480))
    for _ in range(3000):
        f.process(np.zeros(480))
    assert not f.process(np.zeros(480)).any()
