"""A metronome is followed at its own tempo, however slow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.beat.features import FPS, SAMPLE_RATE, blocks
from models.beat.lone import SLOW, Lone
from models.beat.tracker import Tracker


def heard(gaps: list[int], between: float = 0.0) -> bool:
    """What it says after beats so many frames apart, with an answer half-way."""
    lone = Lone(FPS)
    for gap in [*gaps, 1]:
        for k in range(gap):
            lone.hear(0.5 if k == 0 else between if k == gap // 2 else 0.02)
    return lone.value


@given(st.floats(32.0, 300.0), st.floats(0.0, 1.0))
def test_even_beats_are_alone_where_they_are_slow_and_nothing_is_between(bpm, between):
    gap = round(FPS * 60 / bpm)
    slow = gap >= FPS * 60 / SLOW
    assert heard([gap] * 6, between) == (slow and between <= 0.2)


@given(st.lists(st.integers(2, 120), min_size=6, max_size=8))
def test_uneven_or_quick_ones_are_not(gaps):
    last = gaps[-4:]
    assert heard(gaps) == (min(last) >= FPS * 60 / SLOW and max(last) <= 1.15 * min(last))


def test_after_quick_ones_they_are_a_breakdown():
    assert heard([60] * 6)
    assert heard([25] * 6 + [60] * 6)
    assert not heard([25] * 16 + [60] * 16)


def test_they_are_no_longer_when_the_next_does_not_come():
    lone = Lone(FPS)
    for k in range(6 * 60 + 20):
        lone.hear(0.5 if k % 60 == 0 and k < 360 else 0.02)
    assert not lone.value


def followed(beats: np.ndarray, hertz: float) -> float:
    """Tempo told in the end where there are clicks at these instants, BPM."""
    at = np.arange(2400) / SAMPLE_RATE
    click = 0.6 * np.sin(2 * np.pi * hertz * at) * np.exp(-60 * at)
    sound = np.zeros(round((beats[-1] + 0.5) * SAMPLE_RATE), np.float32)
    for beat in beats:
        begin = round(beat * SAMPLE_RATE)
        sound[begin : begin + len(click)] += click
    tracker = Tracker()
    for block, end in blocks(sound):
        tracker.step(block, end)
    return tracker.decoder.tempo


@pytest.mark.parametrize("bpm", [42, 50])
@pytest.mark.parametrize("hertz", [80, 1000])
def test_a_slow_metronome_is_not_taken_for_one_twice_or_three_times_as_fast(bpm, hertz):
    assert followed(np.arange(0.5, 19.5, 60 / bpm), hertz) == pytest.approx(bpm, rel=0.02)


def test_a_tempo_is_kept_where_only_every_second_beat_is_left():
    beats = np.concatenate([np.arange(0.5, 15.4, 0.6), np.arange(15.5, 40.0, 1.2)])
    assert followed(beats, 1000) == pytest.approx(100, rel=0.02)
