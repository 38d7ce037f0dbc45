from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.beat.barpointer import NEAR, BarPointer
from models.beat.bench import track
from models.beat.features import FPS, SAMPLE_RATE
from models.beat.inertia import Inertia
from models.beat.reading import Reading
from models.beat.statespace import FilterConfig
from models.beat.tracker import Tracker
from realtime.preset import TransportSettings


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 200), st.floats(0.0, 1.0), st.floats(0.0, 3.0))
def test_doubt_mixes_the_belief_with_that_of_somebody_who_has_heard_nothing(steps, share, coasted):
    config = FilterConfig(metres=(3, 4))
    told, blank = BarPointer(config), BarPointer(config)
    rng = np.random.default_rng(steps)
    for _ in range(steps):
        told.advance(rng.uniform(0.2, 3.0, (NEAR, told.kinds, 7)).astype(np.float32))
    if coasted:
        told.coast(120.0, coasted)
    before = told.marginal() / told.marginal().sum()
    told.doubt(share)
    after = told.marginal()
    assert after.sum() == pytest.approx(1.0, abs=1e-3)
    fresh = blank.marginal() / blank.marginal().sum()
    assert after == pytest.approx((1 - share) * before + share * fresh, abs=1e-3)


def test_a_pulse_let_go_of_gives_way_at_once():
    def beats_until_moved(release: bool) -> int:
        inertia = Inertia(4.0, 24.0, 160.0)
        for k in range(100 * 25):  # 100 beats of half a second
            inertia.follow(Reading(k / FPS, k / 25 % 1.0, 0.5, 1.0))
        if release:
            inertia.release()
        for k in range(100 * 25, 400 * 25):
            inertia.follow(Reading(k / FPS, (k / 25 + 0.5) % 1.0, 0.5, 1.0))
            if inertia.relocated:
                return k // 25 - 100
        return 300

    assert beats_until_moved(release=False) > 50
    assert beats_until_moved(release=True) <= 1


def drums(seconds: float, bpm: float, late: float) -> np.ndarray:
    """A floor of kicks and off-beat hats."""
    n = round(seconds * SAMPLE_RATE)
    sound = np.zeros(n + SAMPLE_RATE, np.float32)
    t = np.arange(SAMPLE_RATE // 5) / SAMPLE_RATE
    kick = 0.7 * np.sin(2 * np.pi * 60 * t + 8 * np.exp(-t / 0.02)) * np.exp(-t / 0.06)
    hat = 0.15 * np.random.default_rng(1).standard_normal(len(t)) * np.exp(-t / 0.02)
    for k, at in enumerate(np.arange(late, seconds, 30.0 / bpm)):
        begin = round(at * SAMPLE_RATE)
        sound[begin : begin + len(t)] += hat if k % 2 else kick
    return sound[:n]


def test_a_piece_after_silence_is_followed_as_if_it_were_the_first():
    silent = np.zeros(4 * SAMPLE_RATE, np.float32)
    # same tempo, and half a beat off what the pulse of the first piece would be by now
    sound = np.concatenate([drums(20.0, 120.0, 0.0), silent, drums(12.0, 120.0, 0.25)])
    found, _ = track(sound, Tracker(), TransportSettings())
    told = found[found[:, 2] > 24.25 + 2.0]
    assert len(told) > 15
    assert np.abs((told[:, 2] - 24.25 + 0.25) % 0.5 - 0.25).max() < 0.03
