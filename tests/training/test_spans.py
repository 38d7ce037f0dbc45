"""Stretches of a signal that is true or false."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.training.spans import runs


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5))
def test_runs_are_the_stretches_that_are_true(active: list[bool], shortest: int) -> None:
    found = runs(np.array(active, bool), shortest)
    back = np.zeros(len(active), bool)
    for a, b in found:
        assert b - a >= shortest
        back[a:b] = True
        assert a == 0 or not active[a - 1]
        assert b == len(active) or not active[b]
    if shortest == 1:
        assert back.tolist() == active
