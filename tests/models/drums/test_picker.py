from __future__ import annotations

import numpy as np
import pytest

from models.drums.picker import Picker


def frames(curve: list[float], picker: Picker) -> list[int]:
    return [k for k, value in enumerate(curve) if picker.step(np.array([value], np.float32), 0.0)]


def test_a_hit_is_told_at_its_first_frame_and_once():
    assert frames([0, 0, 0.3, 0.6, 0.9, 0.8, 0.3, 0.1, 0], Picker((0.5,), (0.5,), 4)) == [3]


def test_a_curve_that_stays_high_is_one_hit():
    assert frames([0.0] + [0.9] * 100, Picker((0.5,), (0.5,), 4)) == [1]


def test_two_hits_need_a_fall_and_the_refractory_time():
    curve = [0.0, 0.9, 0.1, 0.9, 0.1, 0.9, 0.0]
    assert frames(curve, Picker((0.5,), (0.5,), 1)) == [1, 3, 5]
    assert frames(curve, Picker((0.5,), (0.5,), 4)) == [1, 5]


def test_sensitivity_moves_the_threshold_both_ways():
    curve = [0.0, 0.6, 0.0]
    picker = Picker((0.5,), (0.5,), 1)
    for value, found in ((0.5, [1]), (0.2, []), (0.9, [1])):
        picker.reset()
        picker.sensitivity(value)
        assert frames(curve, picker) == found
    picker.reset()
    picker.sensitivity(0.9)
    assert frames([0.0, 0.2, 0.0], picker) == [1]


@pytest.mark.parametrize("limits", [(0.3, 0.6), (0.6, 0.3)])
def test_curves_do_not_disturb_one_another(limits):
    picker = Picker(limits, limits, 2)
    found = picker.step(np.array([0.5, 0.5], np.float32), 0.5)
    assert [h.curve for h in found] == [limits.index(0.3)]


def test_the_threshold_moves_with_the_band():
    for band, found in ((0.0, []), (0.4, []), (0.6, [1]), (1.0, [1])):
        picker = Picker((0.8,), (0.3,), 1)
        hits = [k for k, v in enumerate([0.0, 0.55]) if picker.step(np.array([v], np.float32), band)]
        assert hits == found
