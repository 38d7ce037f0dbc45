"""The verdict of bench interference: fair to both sides, and silent where the machine sways."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from realtime.bench import interference_figures as f
from realtime.bench.interference import PLUGINS, STALL


def turn(cost: float, late: float = 0.1, clock: float = 0.1) -> dict[str, float]:
    return {"cost_p99_ms": cost, "late_p99_ms": late, "clock_p99_ms": clock}


def rounds(without: list[float], one: list[float], three: list[float], again: list[float]) -> dict[str, Any]:
    return {
        name: [turn(c) for c in costs] for name, costs in zip(f.TURNS, (without, one, three, again), strict=True)
    }


def test_what_is_no_worse_is_not_noticed() -> None:
    said = f.verdicts(rounds([1.0, 1.1, 0.9], [1.1, 1.2, 1.0], [1.15, 1.0, 1.1], [1.05, 1.0, 0.95]))
    assert said == {"1": "not noticed", "3": "not noticed"}


def test_what_is_worse_beyond_both_bounds_is_noticed() -> None:
    said = f.verdicts(rounds([1.0] * 3, [1.1] * 3, [1.4] * 3, [1.0] * 3))
    assert said["1"] == "not noticed"
    assert said["3"].startswith("noticed: cost_p99_ms +0.40 ms")


def test_a_tenth_of_a_large_figure_is_allowed() -> None:
    assert f.verdicts(rounds([5.0] * 3, [5.45] * 3, [5.6] * 3, [5.0] * 3)) == {
        "1": "not noticed",
        "3": "noticed: cost_p99_ms +0.60 ms, allowed is 0.50",
    }


def test_one_disturbed_round_decides_nothing() -> None:
    said = f.verdicts(rounds([1, 1, 1, 1, 1], [1, 1, 9, 1, 1], [1, 1, 1, 8, 1], [1, 7, 1, 1, 1]))
    assert set(said.values()) == {"not noticed"}


def test_a_machine_that_gets_busier_is_not_blamed_on_the_slow_plugins() -> None:
    # each round is slower by 1 ms than the one before; its own turns are alike
    said = f.verdicts(rounds([1, 2, 3, 4, 5], [1.05, 2.05, 3.05, 4.05, 5.05], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]))
    assert set(said.values()) == {"not noticed"}


def test_where_nothing_differs_from_itself_there_is_no_verdict() -> None:
    said = f.verdicts(rounds([1.0] * 3, [1.0] * 3, [1.0] * 3, [1.5] * 3))
    assert all(v.startswith("no verdict, the machine sways: cost_p99_ms +0.50 ms") for v in said.values())


def test_rounds_go_back_and_forth() -> None:
    assert f.order(0) == f.order(1)[::-1] == f.order(2)
    assert sorted(f.order(1)) == sorted(f.TURNS)


def test_figures_of_a_turn() -> None:
    hops = [(k * 0.01, k * 0.01 + 0.0001, k * 0.01 + 0.0021) for k in range(200)]
    hops[50] = (0.5, 0.505, 0.5145)  # late by 5 ms, and done 14.5 ms after its sound was there
    ticks = [(Fraction(k, 24), k * 0.02, k * 0.02 + 0.0003) for k in range(100)]
    said = f.figures(hops, ticks)
    assert said["cost_p50_ms"] == pytest.approx(2.0)
    assert said["missed"] == 1
    assert said["late_p99_ms"] == pytest.approx(0.1)
    assert said["clock_p99_ms"] == pytest.approx(0.3)
    assert said["ticks_wrong"] == 0
    del ticks[10]
    assert f.figures(hops, ticks)["ticks_wrong"] == 1


def test_a_line_of_several_turns() -> None:
    hops = [(0.0, 0.0, 0.001)] * 10
    ticks = [(Fraction(k, 24), k * 0.02, k * 0.02) for k in range(10)]
    line = f.row([f.figures(hops, ticks) for _ in range(3)])
    assert line["hops"] == 30
    assert line["cost_p99_ms"] == pytest.approx(1.0)


def test_the_slow_plugins_are_a_transformer_and_a_stall_among_others() -> None:
    names = [p.descriptor.identifier for p in PLUGINS]
    assert names == ["bench-transformer", "bench-spectra", "bench-stall"]
    assert STALL == 5.0
    assert all(p.descriptor.lane == "slow" for p in PLUGINS)


def test_differences_show_what_the_verdict_rests_on() -> None:
    (cost, *_) = f.differences(rounds([1.0, 3.0], [1.2, 3.2], [1.5, 3.5], [1.0, 3.0]))
    assert cost["without_ms"] == 2.0
    assert np.isclose(cost["beside_1_ms"], 0.2)
    assert np.isclose(cost["beside_3_ms"], 0.5)
    assert cost["sway_ms"] == 0.0
