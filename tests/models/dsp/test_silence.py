from __future__ import annotations

import itertools

import numpy as np

from models.dsp.silence import SECONDS, Silence

RATE, HOP = 50, 480
NOISE = np.random.default_rng(0).standard_normal(HOP).astype(np.float32)


def hops(level: float, seconds: float, offset: float = 0.0) -> list[np.ndarray]:
    return [NOISE * np.float32(level) + np.float32(offset)] * round(seconds * RATE)


def ends(*parts: list[np.ndarray]) -> list[int]:
    silence = Silence(RATE)
    return [k for k, hop in enumerate(itertools.chain(*parts)) if silence.ends(hop)]


def test_sound_after_long_silence_is_noticed_once():
    assert ends(hops(0.1, 3.0), hops(0.0, SECONDS), hops(0.1, 3.0)) == [round((3.0 + SECONDS) * RATE)]


def test_a_stop_or_a_quiet_part_is_not_silence():
    assert ends(hops(0.1, 3.0), hops(0.0, SECONDS - 0.1), hops(0.1, 3.0)) == []
    assert ends(hops(0.1, 3.0), hops(0.006, 20.0), hops(0.1, 3.0)) == []


def test_a_room_32_decibels_below_the_music_is_silent():
    assert len(ends(hops(0.1, 3.0), hops(0.0025, SECONDS), hops(0.1, 3.0))) == 1


def test_an_offset_is_not_heard():
    assert len(ends(hops(0.1, 3.0, 0.05), hops(0.0, SECONDS, 0.05), hops(0.1, 3.0, 0.05))) == 1


def test_it_forgets_what_was_loud():
    assert ends(hops(0.5, 1.0), hops(0.002, 3.0), hops(0.5, 0.1)) != []
    silence = Silence(RATE)
    for hop in hops(0.5, 1.0):
        silence.ends(hop)
    silence.reset()
    assert not any(silence.ends(hop) for hop in hops(0.002, 3.0) + hops(0.5, 0.1))
