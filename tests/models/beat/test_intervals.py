"""Tempi between whole positions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.beat.barpointer import NEAR, BarPointer
from models.beat.features import SAMPLE_RATE, blocks
from models.beat.statespace import SLOW, STEP, FilterConfig, intervals
from models.beat.tracker import Tracker


@given(st.floats(30, 90), st.floats(140, 320), st.integers(20, 60), st.integers(10, 40))
def test_tempi_go_from_end_to_end_and_are_as_far_apart_as_asked(low, high, fast, slow):
    tempi = 60.0 / (intervals(low, high, (fast, slow)) * STEP)
    assert tempi[0] == pytest.approx(high)
    assert low <= tempi[-1] * 1.000001 < low * 2 ** (1 / slow) * 1.00001
    apart = np.log2(tempi[:-1] / tempi[1:])
    following = tempi[:-1] * 2.0 ** (-1 / fast)
    assert np.allclose(apart[following > SLOW * 1.000001], 1 / fast)
    assert np.allclose(apart[following < SLOW * 0.999999], 1 / slow)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 90), st.integers(1, 60))
def test_a_tempo_left_alone_turns_at_its_own_period_on_average(chain, beats):
    """Started in one state, with no other tempo to go to, the belief has moved on by so many beats."""
    pointer = BarPointer(FilterConfig(restart=0.0, spread=1e6, octave_change=0.0))
    pointer.weight[:] = 0.0
    pointer.weight[0, :, chain] = 1.0
    period = pointer.periods[chain]
    moves = int(beats * period / 4)
    for _ in range(moves):
        pointer.advance()
        assert pointer.weight.sum((0, 2)) == pytest.approx(1.0, abs=1e-4)
    weight, phase = pointer.around(0, pointer.size)
    turned = moves * 4 / period
    mean = np.angle(np.sum(weight * np.exp(2j * np.pi * phase))) / (2 * np.pi)
    at_first = pointer.phase[0, chain]
    assert (mean - at_first - turned + 0.5) % 1.0 - 0.5 == pytest.approx(0.0, abs=0.03)


def test_shares_of_the_bar_stay_shares():
    pointer = BarPointer()
    rng = np.random.default_rng(2)
    for _ in range(200):
        pointer.advance(rng.uniform(0.2, 3.0, (NEAR, pointer.kinds, pointer.beats)).astype(np.float32))
        pointer.renew()
    there = pointer.weight[:, : pointer.kinds] > 0
    assert np.allclose(pointer.share.sum(2)[there], 1.0, atol=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=4))
def test_coasting_loses_no_state_and_keeps_none_twice(seconds):
    pointer = BarPointer()
    rng = np.random.default_rng(3)
    inside = np.arange(len(pointer.weight))[:, None] < pointer.periods
    pointer.weight[:] = rng.random(pointer.weight.shape) * inside[:, None]
    before = np.sort(pointer.weight, axis=0)
    for part in seconds:
        pointer.coast(111.0, part)
        pointer.around(0, pointer.size)
    assert np.array_equal(np.sort(pointer.weight, axis=0), before)


@pytest.mark.parametrize("bpm", [160, 174])
def test_a_click_is_not_followed_at_half_its_tempo_for_want_of_its_period(bpm):
    """160 BPM has no whole period, 80 has; 174 has none, either, 87 nearly."""
    click = np.sin(2 * np.pi * 1000 * np.arange(720) / SAMPLE_RATE) * np.exp(-150 * np.arange(720) / SAMPLE_RATE)
    sound = np.zeros(16 * SAMPLE_RATE, np.float32)
    for at in np.arange(0.5, 15.5, 60 / bpm):
        begin = round(at * SAMPLE_RATE)
        sound[begin : begin + len(click)] += 0.6 * click
    tracker = Tracker()
    for block, end in blocks(sound):
        tracker.step(block, end)
    assert tracker.decoder.tempo == pytest.approx(bpm, rel=0.01)
