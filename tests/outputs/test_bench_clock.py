from __future__ import annotations

from fractions import Fraction

import pytest

from realtime.errors import UserError
from realtime.outputs.bench_clock import judge_send, main
from realtime.outputs.bench_clock_jack import Heard, judge_received

DUE = [10.0 + 0.02 * i for i in range(500)]


def test_a_receiver_is_judged_by_deviation_not_by_delay() -> None:
    found = judge_received(DUE, Heard([t + 0.004 + (0.0005 if i % 2 else -0.0005) for i, t in enumerate(DUE)]))
    assert found["missing"] == found["doubled"] == 0
    assert found["delay_ms"] == pytest.approx(4.0, abs=0.6)
    assert found["sd_ms"] == pytest.approx(0.5, abs=0.01)
    assert abs(found["drift_ms"]) <= 1.0


def test_lost_ticks_do_not_spoil_the_rest() -> None:
    found = judge_received(
        DUE, Heard([t + 0.001 for i, t in enumerate(DUE) if i not in (100, 300)], [DUE[300] + 0.02])
    )
    assert (found["missing"], found["missing_near"]) == (2, 1)
    assert found["max_ms"] == pytest.approx(0.0, abs=1e-6)


def test_ticks_near_an_xrun_are_told_apart_and_not_left_out() -> None:
    heard = Heard([t + (0.01 if 15.0 <= t < 15.05 else 0.0) for t in DUE], [15.0])
    found = judge_received(DUE, heard)
    assert found["clear_max_ms"] == pytest.approx(0.0, abs=1e-6)
    assert found["max_ms"] == pytest.approx(10.0, abs=1e-6)
    assert found["clear_ticks"] == found["ticks"] - 10
    assert found["xruns"] == 1


def test_drift_is_seen() -> None:
    found = judge_received(DUE, Heard([t + 0.003 * (t - 10.0) / 10.0 for t in DUE]))
    assert found["drift_ms"] == pytest.approx(2.7, abs=0.1)


def test_the_send_path_counts_missing_and_doubled() -> None:
    tick = Fraction(1, 24)
    ticks = [(i * tick, t, t + 0.0001) for i, t in enumerate(DUE) if i != 7]
    found = judge_send([*ticks, ticks[-1]])
    assert (found["missing"], found["doubled"]) == (1, 1)
    assert found["p50_ms"] == pytest.approx(0.1, abs=1e-6)


def test_wrong_use() -> None:
    with pytest.raises(UserError, match="seconds"):
        main(["--seconds", "0"])
