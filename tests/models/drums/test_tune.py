from __future__ import annotations

import numpy as np

from models.drums.tune import NAMES, best, score

TIMES = np.arange(1, 401) / 100


def heard(peak: float, wrong: float, belief: float):
    """One recording with hits every half second, whose curves reach `peak` there and `wrong` between them."""
    curve = np.zeros((400, len(NAMES)))
    curve[50::50] = peak
    curve[75::50] = wrong
    return [("one", TIMES, curve, np.full(400, belief))]


TRUTHS = {"one": dict.fromkeys(NAMES, TIMES[50::50] - 0.01)}


def test_a_score_counts_found_and_false_hits():
    assert score(heard(0.9, 0.4, 0.0), TRUTHS, 1, 0.5, 0.1).tolist() == [1, 1, 1]
    f, precision, recall = score(heard(0.9, 0.4, 0.0), TRUTHS, 1, 0.3, 0.9)
    assert recall == 1
    assert precision < 0.6 < f < 1


def test_each_kind_of_mix_gets_the_threshold_that_parts_its_hits():
    assert 0.55 < best(heard(0.8, 0.55, 0.0), TRUTHS, 1, 0.1, alone=True) <= 0.8
    assert 0.25 < best(heard(0.5, 0.25, 1.0), TRUTHS, 1, 0.9, alone=False) <= 0.5
