"""Music that goes on at twice or half its pulse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.beat.decoder import BeatDecoder
from models.beat.decoderconfig import DecoderConfig
from models.beat.features import FPS
from models.beat.statespace import felt, intervals, octaves
from tests.fixtures.beats import grid, pulses

CHANGE, END = 20.0, 34.0


def _found_after(before: float, after: float, change: float) -> float:
    """Seconds from the change until the decoder tells the new tempo."""
    config = DecoderConfig()
    decoder = BeatDecoder(replace(config, filter=replace(config.filter, octave_change=change)))
    beats = np.concatenate([grid(before, CHANGE), grid(after, END, start=CHANGE + 0.3)])
    for k, answer in enumerate(pulses(beats, END)):
        decoder.step(answer, (k + 1) / FPS)
        if k / FPS > CHANGE and decoder.tempo == pytest.approx(after, rel=0.03):
            return k / FPS - CHANGE
    return END - CHANGE


@pytest.mark.parametrize(("before", "after"), [(120, 60), (174, 87), (87, 174), (105, 210)])
def test_another_octave_is_found_sooner_where_a_beat_may_go_over_to_it(before, after):
    expected = DecoderConfig().filter.octave_change
    assert expected > 0
    assert _found_after(before, after, expected) < 0.8 * _found_after(before, after, 0.0)


@given(st.floats(30, 80), st.floats(150, 320))
def test_octaves_are_the_nearest_tempi_and_none_where_there_is_none(low, high):
    periods = intervals(low, high, (36, 28))
    ratio = periods[None, :] / periods[:, None]
    found = octaves(ratio)
    assert set(np.unique(found)) <= {0.0, 1.0}
    assert np.abs(np.abs(np.log2(ratio[found > 0])) - 1).max(initial=0.0) < 0.05
    for faster in (False, True):
        side = np.where((ratio < 1) == faster, found, 0.0).sum(1)
        assert side.max() <= 1.0
        wanted = periods * (0.5 if faster else 2.0)
        inside = (wanted >= periods[0]) & (wanted <= periods[-1])
        assert (side[inside] == 1.0).all()


def test_tempi_an_octave_to_either_side_are_felt_alike_and_less():
    slow, most, fast = felt(np.array([60.0, 120.0, 240.0]), 120.0, 1.0)
    assert slow == pytest.approx(fast)
    assert slow < 0.7
    assert most == 1.0
