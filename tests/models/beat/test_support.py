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


def clicks(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Knocks at any time, three a second."""
    sound = 0.003 * rng.standard_normal(round(seconds * SAMPLE_RATE)).astype(np.float32)
    for at in rng.uniform(0, seconds - 0.2, round(3 * seconds)):
        begin = round(at * SAMPLE_RATE)
        n = int(rng.integers(1000, 4000))
        sound[begin : begin + n] += 0.3 * rng.standard_normal(n) * np.exp(-np.arange(n) / 400)
    return sound


def test_noise_and_knocks_do_not_lock_the_clock_but_music_after_them_does():
    rng = np.random.default_rng(3)
    noise = 0.05 * rng.standard_normal(20 * SAMPLE_RATE).astype(np.float32)
    sent, _ = track(np.concatenate([noise, drums(10.0, 120.0, 0.0)]), Tracker(), TransportSettings())
    assert not (sent[:, 2] < 20.0).any()
    assert len(sent) > 10
    sent, _ = track(clicks(40.0, rng), Tracker(), TransportSettings())
    assert len(sent) < 40  # of some 90
