"""Rings: what they hold is what a list would hold, and they never grow."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gui.history import Columns, Series


@given(st.integers(1, 20), st.lists(st.floats(0, 1), max_size=70))
def test_a_series_keeps_the_newest_rows(capacity: int, steps: list[float]) -> None:
    series, kept, time = Series(capacity, 2), [], 0.0
    for k, step in enumerate(steps):
        time += step
        series.add(time, k)
        kept = [*kept, (time, float(k))][-capacity:]
        assert series.rows().tolist() == [list(r) for r in kept]
    middle = time / 2
    assert series.since(middle).tolist() == [list(r) for r in kept if r[0] >= middle]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), max_size=40))
def test_overlapping_packets_leave_no_hole_and_gaps_are_empty(packets: list[tuple[int, int]]) -> None:
    columns, truth, end = Columns(64, 1, -1.0), {}, 0
    for forward, length in packets:
        end += forward
        known = columns.end
        columns.put(end, np.arange(end - length, end, dtype=np.float32)[:, None])
        if end > known:
            if not known:
                truth = {}
            truth |= {n: n for n in range(max(end - length, known if known else 0), end) if n >= 0}
    first = max(0, columns.end - 64)
    got = columns.get(first, columns.end + 3)[:, 0]
    for k, value in enumerate(got):
        number = first + k
        assert value == truth.get(number, -1.0)


def test_a_stream_that_begins_anew_forgets_the_old_one() -> None:
    columns = Columns(64, 1, -1.0)
    columns.put(1000, np.ones((4, 1)))
    columns.put(4, np.full((4, 1), 2.0))
    assert columns.end == 4
    assert columns.get(0, 5)[:, 0].tolist() == [2.0, 2.0, 2.0, 2.0, -1.0]
