from __future__ import annotations

import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.beat import scoring
from realtime.errors import UserError

times = st.lists(st.floats(0.3, 60), min_size=4, max_size=80).map(lambda x: np.unique(np.round(x, 3)))


@settings(max_examples=60, deadline=None)
@given(times, times, st.sampled_from([0.025, 0.07]))
def test_f_measure_is_the_field_s(truth, found, tolerance):
    expected = mir_eval.beat.f_measure(truth, found, f_measure_threshold=tolerance)
    assert scoring.f_measure(truth, found, tolerance) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 2, 0.5]), st.floats(0, 0.06), st.floats(0.6, 1.0))
def test_continuity_is_the_field_s(seed, factor, jitter, keep):
    rng = np.random.default_rng(seed)
    truth = np.cumsum(rng.normal(0.5, 0.01, 60))
    found = np.interp(np.arange(0, 59, 1 / factor), np.arange(60), truth)
    found = np.sort(found + rng.normal(0, jitter, len(found)))[rng.random(len(found)) < keep]
    if len(found) < 3:
        return
    _, cml, _, aml = mir_eval.beat.continuity(truth, found)
    assert scoring.continuity(truth, found) == pytest.approx((cml, aml))


def _rows(at: np.ndarray, sent: np.ndarray | None = None) -> np.ndarray:
    return np.stack([at, np.arange(len(at)) % 4 + 1, at if sent is None else sent], 1)


def test_perfect_beats_score_one():
    truth = _rows(np.arange(0, 60, 0.5))[:, :2]
    got = scoring.score_track(truth, _rows(truth[:, 0]))
    for k in ("F70", "F70e", "F25e", "CMLt", "AMLt", "DB70", "Acc1", "Acc2"):
        assert got[k] == 1.0, k
    assert got["lock"] == 0.0
    assert got["Foff"] == 0.0


def test_late_sending_costs_at_emission_only():
    at = np.arange(0, 60, 0.5)
    got = scoring.score_track(_rows(at)[:, :2], _rows(at, at + 0.04))
    assert got["F70"] == got["F70e"] == 1.0
    assert got["F25e"] == 0.0
    assert got["biase"] == pytest.approx(40, abs=0.1)


def test_half_tempo_and_off_beat_are_told_apart():
    at = np.arange(0, 60, 0.5)
    half = scoring.score_track(_rows(at)[:, :2], _rows(at[::2]))
    off = scoring.score_track(_rows(at)[:, :2], _rows(at + 0.25))
    assert (half["Acc1"], half["Acc2"], half["CMLt"], half["AMLt"]) == (0.0, 1.0, 0.0, 1.0)
    assert off["Foff"] > 0.98
    assert off["CMLt"] == 0.0
    assert off["AMLt"] > 0.95


def test_nothing_found_is_a_score_not_an_error():
    got = scoring.score_track(_rows(np.arange(0, 60, 0.5))[:, :2], np.zeros((0, 3)))
    assert got["F70"] == 0.0
    assert got["lock"] == 90.0
    assert np.isnan(got["bias"])


def test_a_line_that_is_no_number_is_named(tmp_path):
    path = tmp_path / "x.beats"
    path.write_text("0.5\t1\nhello\n")
    with pytest.raises(UserError, match=r"x.beats:2"):
        scoring.load_beats(path, 2)


def test_interval_of_a_paired_lead_ignores_what_both_share():
    base = np.random.default_rng(0).random(30)
    low, high = scoring.interval(list(base + 0.1), list(base))
    assert low == pytest.approx(0.1)
    assert high == pytest.approx(0.1)
