"""What no sound may hold is taken out, tick by tick, and counted; everything else stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from realtime.audio.repair import LOUDEST, repair

TICK = 240


def ticks(count: int, channels: int, seed: int = 1) -> np.ndarray:
    """Usual sound."""
    return np.random.default_rng(seed).uniform(-1, 1, (count * TICK, channels)).astype(np.float32)


@given(arrays.arrays(np.float32, (3 * TICK, 2), elements=st.floats(width=32), fill=st.just(0.25)))
def test_whatever_comes_in_is_finite_and_bounded_afterwards(sound):
    before = sound.copy()
    found = repair(sound, TICK)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= LOUDEST
    bad = [not (np.abs(part) <= LOUDEST).all() for part in np.split(before, 3)]
    assert found == sum(bad)


@pytest.mark.parametrize("channels", [1, 2])
def test_usual_sound_is_left_as_it_is(channels):
    sound = ticks(5, channels)
    before = sound.copy()
    assert repair(sound, TICK) == 0
    assert np.array_equal(sound, before)


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf, 1e9])
def test_only_the_faulty_sample_of_the_faulty_tick_changes(fault):
    sound = ticks(3, 2)
    sound[TICK + 7, 1] = fault
    before = sound.copy()
    assert repair(sound, TICK) == 1
    changed = np.argwhere(sound != before)
    assert changed.tolist() == [[TICK + 7, 1]]


def test_denormals_become_exact_silence_and_are_no_fault():
    sound = np.full((2 * TICK, 1), 1e-30, np.float32)
    assert repair(sound, TICK) == 0
    assert not sound.any()
