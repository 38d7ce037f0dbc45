"""A belief over classes that mostly stay."""

from __future__ import annotations

import numpy as np
import pytest

from models.dsp.belief import Belief


def heard(belief: Belief, of: int, steps: int) -> None:
    answer = np.full(3, 0.1, np.float32)
    answer[of] = 0.8
    for _ in range(steps):
        belief.step(answer)


def test_what_is_heard_for_a_while_is_chosen_and_a_moment_of_another_changes_nothing():
    belief = Belief(3, 10.0, 8.0, 0.6, 0.6)
    assert belief.chosen == -1
    heard(belief, 1, 20)
    assert belief.chosen == 1
    heard(belief, 2, 1)
    assert belief.chosen == 1
    heard(belief, 2, 20)
    assert belief.chosen == 2
    assert belief.belief.sum() == pytest.approx(1.0)


def test_a_class_that_is_over_gives_way_to_the_likeliest_other():
    belief = Belief(3, 10.0, 8.0, 0.6, 0.6)
    heard(belief, 1, 20)
    heard(belief, 2, 1)
    belief.leave([1])
    assert belief.chosen == 2
    assert belief.belief.sum() == pytest.approx(1.0)
    belief.leave([0])  # not chosen: the choice stays
    assert belief.chosen == 2
