from __future__ import annotations

import numpy as np

from models.beat.bench import track
from models.beat.features import SAMPLE_RATE
from models.beat.support import Support
from models.beat.tracker import Tracker
from realtime.preset import TransportSettings
from tests.models.beat.test_silence import drums


def supported(peak: float, beats: int, late: int = 2, coasting: bool = False) -> float:
    """Support when the network answers each beat, sent every 25 frames, `late` frames later."""
    support = Support()
    for k in range(25 * beats):
        support.hear(peak if k % 25 == late else 0.02, coasting)
        if k % 25 == 0:
            support.sent()
    return support.value


def test_it_comes_near_what_is_heard_at_beats_within_some_of_them():
    assert abs(supported(0.6, 16) - 0.6) < 0.1
    assert supported(0.6, 16, late=-1 % 25) > 0.5  # a frame before the beat was sent
    assert supported(0.6, 16, late=12) < 0.1  # between the beats


def test_one_loud_bark_is_no_pulse():
    assert supported(0.9, 1) < 0.4


def test_it_stays_what_it_was_while_nothing_is_to_be_heard():
    assert supported(0.02, 16, coasting=True) == Support().value


def test_noise_does_not_lock_the_clock_but_music_after_it_does():
    noise = 0.05 * np.random.default_rng(3).standard_normal(20 * SAMPLE_RATE).astype(np.float32)
    sent, _ = track(np.concatenate([noise, drums(10.0, 120.0, 0.0)]), Tracker(), TransportSettings())
    assert not (sent[:, 2] < 20.0).any()
    assert len(sent) > 10
