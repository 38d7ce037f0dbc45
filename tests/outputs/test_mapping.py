"""Routes: what numbers become, and when they go."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.bus import Event, Value
from realtime.outputs.mapping import Mapper, Route, curve, understands
from realtime.outputs.output import GridPoint, Message
from realtime.preset import RouteSettings


def route(**settings: Any) -> RouteSettings:
    return RouteSettings(**({"source": "bands.low", "address": "/x"} | settings))


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def values(x: float | tuple[float, ...], name: str = "bands.low") -> dict[str, Value]:
    return {name: Value(0.0, x, None)}


def event(value: float | None = 1.0, label: str | None = None, name: str = "onset.onset") -> Event:
    plugin, output = name.split(".")
    return Event(0, 0.0, 0.0, plugin, output, value, label)


def point(position: Fraction) -> GridPoint:
    return GridPoint(position, Fraction(1, 4), 0.0, 1, 4, 1, 1, 120.0, True, 0.0)


def numbers(routed: list[tuple[tuple[str, ...], Message]]) -> list[Any]:
    return [m.values[0] for _, m in routed]


finite = st.floats(-1e6, 1e6)
kinds = st.sampled_from(["linear", "exp", "log", "s"])


@given(kinds, st.floats(0, 1), st.floats(0, 1))
def test_curves_rise_from_zero_to_one(kind: str, a: float, b: float) -> None:
    assert curve(kind, 0.0) == 0.0
    assert curve(kind, 1.0) == 1.0
    low, high = sorted((curve(kind, a), curve(kind, b)))
    assert 0.0 <= low <= high <= 1.0
    assert (curve(kind, a) <= curve(kind, b)) or a > b


@given(kinds, finite, finite, finite, finite, st.booleans(), st.lists(finite, min_size=1, max_size=20))
def test_clamped_routes_stay_in_their_range(
    kind: str, low: float, high: float, out_low: float, out_high: float, invert: bool, xs: list[float]
) -> None:
    mapper = Mapper(
        [route(low=low, high=high, out_low=out_low, out_high=out_high, curve=kind, invert=invert, attack_ms=20)]
    )
    for step, x in enumerate(xs):
        for got in numbers(mapper.on_values(values(x), 0.01 * step)):
            assert min(out_low, out_high) <= got <= max(out_low, out_high)


@given(kinds, finite, finite)
def test_more_in_is_never_less_out(kind: str, a: float, b: float) -> None:
    low, high = sorted((a, b))
    one = Route(route(low=-100.0, high=100.0, curve=kind, clamp=False))
    assert one.shape(low) <= one.shape(high) + 1e-9


def test_scale_and_invert() -> None:
    assert numbers(Mapper([route(low=-60, high=0, out_high=127)]).on_values(values(-30.0), 0)) == [63.5]
    assert numbers(Mapper([route(invert=True)]).on_values(values(0.25), 0)) == [0.75]
    assert numbers(Mapper([route(clamp=False, out_high=10)]).on_values(values(2.0), 0)) == [20.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.1, 0.9), st.floats(0.0, 0.3))
def test_a_gate_opens_at_the_threshold_and_closes_below_the_hysteresis(
    xs: list[float], threshold: float, hysteresis: float
) -> None:
    mapper = Mapper([route(threshold=threshold, hysteresis=hysteresis)])
    state: float | None = None
    for step, x in enumerate(xs):
        got = numbers(mapper.on_values(values(x), 0.01 * step))
        assert len(got) <= 1
        if got:
            assert got[0] != state, "a gate says each state once"
            state = got[0]
        if x >= threshold:
            assert state == 1.0
        if x < threshold - hysteresis:
            assert state == 0.0


def test_attack_and_release_have_their_own_times() -> None:
    mapper = Mapper([route(attack_ms=100, release_ms=1000)])
    mapper.on_values(values(0.0), 0.0)
    assert numbers(mapper.on_values(values(1.0), 0.1)) == [pytest.approx(1 - math.exp(-1))]
    top = numbers(mapper.on_values(values(1.0), 10.0))[0]
    assert numbers(mapper.on_values(values(0.0), 11.0)) == [pytest.approx(top * math.exp(-1))]


@given(st.lists(st.floats(0.001, 0.2), min_size=1, max_size=50))
def test_smoothing_does_not_depend_on_how_often_it_is_called(steps: list[float]) -> None:
    once, often = Mapper([route(attack_ms=50)]), Mapper([route(attack_ms=50)])
    for mapper in (once, often):
        mapper.on_values(values(0.0), 0.0)
    now, got = 0.0, [0.0]
    for step in steps:
        now += step
        got += numbers(often.on_values(values(1.0), now))
    assert got[-1] == pytest.approx((numbers(once.on_values(values(1.0), now)) or [0.0])[0], abs=1e-9)


def test_an_event_falls_back_by_the_release() -> None:
    clock = Clock()
    mapper = Mapper([route(source="onset.onset", release_ms=100)], clock)
    assert numbers(mapper.on_events([event(0.8)])) == [0.8]
    assert numbers(mapper.on_values({}, 100.0)) == []
    assert numbers(mapper.on_values({}, 100.1)) == [pytest.approx(0.8 * math.exp(-1))]
    assert numbers(mapper.on_values({}, 105.0)) == [0.0]
    assert numbers(mapper.on_values({}, 105.1)) == []


def test_labels_select_and_travel() -> None:
    kick = Mapper([route(source="drums.hit", label="kick", address="note:36@10", to=["drums"])])
    hits = [event(0.5, "kick", "drums.hit"), event(1.0, "snare", "drums.hit")]
    assert kick.on_events(hits) == [(("drums",), Message("note:36@10", (0.5,)))]
    assert numbers(Mapper([route(source="key.key")]).on_events([event(None, "A minor", "key.key")])) == ["A minor"]
    assert numbers(Mapper([route(source="host.gap")]).on_events([event(None, None, "host.gap")])) == [1.0]


def test_unchanged_values_are_not_repeated() -> None:
    mapper = Mapper([route()])
    assert [len(mapper.on_values(values(0.5), 0.01 * k)) for k in range(3)] == [1, 0, 0]


def test_vectors_by_component() -> None:
    assert numbers(Mapper([route(source="bands.low[2]")]).on_values(values((0.1, 0.2, 0.3)), 0)) == [0.3]
    assert numbers(Mapper([route(source="bands.low[5]")]).on_values(values((0.1,)), 0)) == []


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_not_sent(x: float) -> None:
    assert Mapper([route()]).on_values(values(x), 0.0) == []
    assert Mapper([route(source="onset.onset")]).on_events([event(x)]) == []


@given(st.lists(st.tuples(st.floats(0.0, 0.2), st.floats(0, 1)), min_size=1, max_size=80), st.floats(1.0, 50.0))
def test_rates_are_kept_and_the_newest_wins(steps: list[tuple[float, float]], rate: float) -> None:
    clock = Clock()
    mapper = Mapper([route(source="onset.onset", rate=rate)], clock)
    sent: list[tuple[float, float]] = []
    for gap, x in steps:
        clock.now += gap
        sent += [(clock.now, v) for v in numbers(mapper.on_events([event(x)]))]
        sent += [(clock.now, v) for v in numbers(mapper.on_values({}, clock.now))]
    clock.now += 2.0
    sent += [(clock.now, v) for v in numbers(mapper.on_values({}, clock.now))]
    assert all(b[0] - a[0] >= 1.0 / rate - 1e-9 for a, b in pairwise(sent))
    assert sent[-1][1] == steps[-1][1]


def test_quantised_messages_wait_for_their_beat() -> None:
    mapper = Mapper([route(source="onset.onset", quantise=1.0), route(source="onset.onset", quantise=0.25)])
    assert mapper.grids == (Fraction(1, 4), Fraction(1))
    assert mapper.on_events([event(0.3), event(0.7)]) == []
    assert numbers(mapper.on_grid(point(Fraction(5, 4)))) == [0.7]
    assert numbers(mapper.on_grid(point(Fraction(2)))) == [0.7]
    assert mapper.on_grid(point(Fraction(3))) == []


def test_disabled_routes_do_nothing() -> None:
    mapper = Mapper([route(enabled=False, quantise=1.0)])
    assert mapper.grids == ()
    assert mapper.on_values(values(1.0), 0.0) == []


def test_who_understands_what() -> None:
    assert understands("osc", "/x")
    assert understands("midi", "note:36@10")
    assert not understands("midi", "/x")
    assert not understands("link", "/x")
