"""Round trips in made-up recordings: found in noise and among echoes, refused where there is nothing to find."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.calibration import Array, chirp, find
from realtime.errors import UserError

RATE = 48_000
DUE = [RATE * (1.0 + 0.83 * k) + 0.25 * k for k in range(8)]


def recording(delays: list[float], noise: float = 0.0, level: float = 0.1, seed: int = 1) -> Array:
    """Chirps that begin `delays` seconds after each is due, in noise; one channel."""
    rng = np.random.default_rng(seed)
    sound = noise * rng.standard_normal(round(DUE[-1] + RATE))
    frequencies = np.fft.rfftfreq(4096)
    spectrum = np.fft.rfft(chirp(RATE, 1.0), 4096)
    for due, delay in zip(DUE, delays):
        at = due + delay * RATE
        shifted = np.fft.irfft(spectrum * np.exp(-2j * np.pi * frequencies * (at % 1)), 4096)
        sound[int(at) : int(at) + 4096] += level * shifted[: len(sound) - int(at)]
    return sound.astype(np.float32)[:, None]


@settings(max_examples=30)
@given(st.floats(0.0, 0.55), st.floats(0.0, 0.03), st.integers(0, 99))
def test_a_delay_is_found_within_a_tenth_of_a_millisecond(delay: float, noise: float, seed: int) -> None:
    found = find(recording([delay] * 8, noise, seed=seed), RATE, DUE)
    assert found.seconds == pytest.approx(delay, abs=1e-4)
    assert (found.heard, found.played) == (8, 8)
    assert found.spread < 5e-4


def test_the_way_straight_on_counts_not_a_louder_wall() -> None:
    sound = recording([0.030] * 8, 0.001) + recording([0.042] * 8, 0.0, level=0.15)
    assert find(sound, RATE, DUE).seconds == pytest.approx(0.030, abs=1e-4)


def test_either_polarity_and_the_channel_that_hears() -> None:
    upside_down = -recording([0.02] * 8, 0.002)
    silent = np.zeros_like(upside_down)
    assert find(np.hstack([silent, upside_down]), RATE, DUE).seconds == pytest.approx(0.02, abs=1e-4)


def test_a_few_that_go_wrong_are_left_out() -> None:
    found = find(recording([0.02] * 6 + [0.3, 0.5], 0.002), RATE, DUE)
    assert found.seconds == pytest.approx(0.02, abs=1e-4)
    assert found.heard == 6


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_nothing_heard_is_said(noise: float) -> None:
    with pytest.raises(UserError, match="0 of 8 clicks were heard"):
        find(recording([], noise), RATE, DUE)


def test_clicks_that_do_not_agree_are_refused() -> None:
    with pytest.raises(UserError, match="apart"):
        find(recording([0.01, 0.05, 0.12, 0.2, 0.28, 0.33, 0.4, 0.5], 0.001), RATE, DUE)


def test_music_alone_is_not_taken_for_clicks() -> None:
    t = np.arange(round(DUE[-1] + RATE)) / RATE
    beats = np.exp(-30 * (t % 0.5)) * np.sin(2 * np.pi * 80 * t) + 0.3 * np.sin(2 * np.pi * 440 * t)
    with pytest.raises(UserError, match="clicks"):
        find((0.2 * beats).astype(np.float32)[:, None], RATE, DUE)
