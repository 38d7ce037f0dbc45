from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.dsp.programme import MOST, RISE, SECONDS, Programme

RATE, HOP = 50, 480
NOISE = np.random.default_rng(0).standard_normal(HOP).astype(np.float32)


def hops(level: float, seconds: float, offset: float = 0.0) -> list[np.ndarray]:
    return [NOISE * np.float32(level) + np.float32(offset)] * round(seconds * RATE)


def ends(*parts: list[np.ndarray]) -> list[int]:
    programme = Programme(RATE)
    return [k for k, hop in enumerate(itertools.chain(*parts)) if programme.hear(hop)]


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
    programme = Programme(RATE)
    for hop in hops(0.5, 1.0):
        programme.hear(hop)
    programme.reset()
    assert not any(programme.hear(hop) for hop in hops(0.002, 3.0) + hops(0.5, 0.1))


def gain(*parts: list[np.ndarray]) -> float:
    programme = Programme(RATE)
    for hop in itertools.chain(*parts):
        programme.hear(hop)
    return programme.gain


def test_what_is_as_loud_as_recordings_are_stays_as_it_is():
    assert gain(hops(0.5, 3.0)) == gain(hops(0.2, 3.0), hops(0.001, 3.0)) == 1.0


@pytest.mark.parametrize("level", [0.1, 0.01, 0.003])
def test_a_quiet_programme_is_raised_to_the_same_level(level: float):
    power = float(np.mean(NOISE**2)) - float(np.mean(NOISE)) ** 2
    assert gain(hops(level, 3.0)) * level * power**0.5 == pytest.approx(0.2, rel=1e-3)


def test_the_gain_is_bounded_and_silence_has_none():
    assert gain(hops(1e-3, 3.0)) == MOST
    assert gain(hops(0.0, 1.0)) == gain(hops(2e-4, 1.0)) == 1.0


def test_loudness_is_met_at_once_and_a_pause_changes_little():
    assert gain(hops(0.01, 5.0), hops(0.5, 1 / RATE)) == 1.0
    assert gain(hops(0.02, 5.0), hops(0.0, 30.0), hops(0.02, 1 / RATE)) == pytest.approx(gain(hops(0.02, 5.0)))
    assert gain(hops(0.02, 5.0), hops(0.002, 30.0)) < 1.5 * gain(hops(0.02, 5.0))


def test_after_silence_the_level_is_that_of_what_comes():
    assert gain(hops(0.5, 5.0), hops(0.0, SECONDS), hops(0.02, 3.0)) == pytest.approx(gain(hops(0.02, 3.0)))


def test_the_gain_rises_slowly():
    assert gain(hops(0.002, 0.5)) == pytest.approx(10 ** (RISE * 0.5 / 20))
