from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.bus import Bus, Event, Value
from realtime.errors import UserError
from realtime.outputs.mapping import Mapper
from realtime.outputs.output import GridPoint, Message, OutputPort, OutputSettings
from realtime.outputs.runner import Runner
from realtime.preset import RouteSettings, TransportSettings
from realtime.timeline import Bars, Segment, Timeline
from realtime.transport import Transport
from tests.clockdrive import TICK, Pulse, Show, deaf

TICKS = Fraction(1, 24)


class StraightClock:
    """Stream time is the computer's time."""

    running = True

    def host_time_at(self, stream_seconds: float) -> float:
        return stream_seconds

    def stream_seconds(self, host_time: float) -> float:
        return host_time


class NoHost:
    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        return None

    def value(self, name: str) -> Value | None:
        return None


class Probe(OutputPort):
    """Remembers what it was given, and when."""

    Settings = OutputSettings

    def __init__(
        self,
        now: Callable[[], float],
        name: str = "probe",
        grids: tuple = (Fraction(1),),
        counted: tuple = (),
        lead: float = 0.0,
        **more: Any,
    ):
        super().__init__(OutputSettings(kind="osc", name=name, **more), NoHost())
        self.grids, self.counted, self.lead = grids, counted, lead
        self._clock = now
        self.points: list[tuple[float, GridPoint]] = []
        self.events: list[Event] = []
        self.values: list[float] = []
        self.messages: list[Message] = []
        self.stops = 0
        self.closed = 0
        self.fail = False

    def open(self) -> None:
        self.threads: set[int] = set()

    def on_grid(self, point: GridPoint) -> None:
        if self.fail:
            raise RuntimeError("broken cable")
        self.threads.add(threading.get_ident())
        self.points.append((self._clock(), point))

    def on_events(self, events: Sequence[Event]) -> None:
        self.events += events

    def on_values(self, values: Mapping[str, Value]) -> None:
        self.values.append(self._clock())

    def send(self, message: Message) -> None:
        self.messages.append(message)

    def on_stop(self) -> None:
        self.stops += 1

    def close(self) -> None:
        self.closed += 1


class Stage:
    """A transport on a virtual clock with a runner beside it that looks once a millisecond."""

    def __init__(self, pulse: Pulse | None = None, routes: Sequence[RouteSettings] = (), **config: Any) -> None:
        self.settings = TransportSettings(**config)
        self.show = Show(Transport(self.settings), pulse or Pulse())
        self.bus = Bus()
        self.time = 0.0
        self.runner = Runner(
            self.bus,
            self.show.transport,
            StraightClock(),
            NoHost(),
            Mapper(routes, lambda: self.time),
            self.settings,
            now=lambda: self.time,
        )

    def probe(self, name: str = "probe", **more: Any) -> Probe:
        port = Probe(lambda: self.time, name, **more)
        self.runner.add(port)
        return port

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            for k in range(5):
                self.time = self.show.now + k * 0.001
                self.runner.step()
            self.show.run(TICK)


def in_order_once(port: Probe) -> None:
    positions = [p.position for _, p in port.points]
    assert all(b > a for a, b in pairwise(positions))


def test_points_come_at_their_deadline_once_and_in_order() -> None:
    s = Stage()
    beats, ticks = s.probe("beats"), s.probe("ticks", grids=(TICKS,))
    s.run(20.0)
    for port in (beats, ticks):
        in_order_once(port)
        assert all(0.0 <= at - p.due < 0.0011 for at, p in port.points)
        assert all(b.position - a.position == b.step for (_, a), (_, b) in pairwise(port.points))
    sent = {b.number: b for b in s.show.beats}
    for _, p in beats.points:
        assert p.time == pytest.approx(sent[int(p.position)].time, abs=1e-9)
        assert p.beat_in_bar == sent[int(p.position)].beat_in_bar
        assert p.bar == sent[int(p.position)].bar


@pytest.mark.parametrize("ms", [-300.0, -20.0, 0.0, 150.0])
def test_offsets_are_signed_and_negative_is_really_earlier(ms: float) -> None:
    s = Stage()
    port = s.probe(offset_ms=ms)
    s.run(10.0)
    assert len(port.points) >= 18
    for at, p in port.points[1:]:
        assert p.due == pytest.approx(p.time + ms / 1000.0, abs=1e-9)
        assert 0.0 <= at - p.due < 0.0011
    s.runner.offset("probe", 50.0)
    s.run(10.0)
    in_order_once(port)
    for at, p in port.points[-10:]:
        assert at - p.time == pytest.approx(0.05, abs=0.0015)


def test_input_latency_is_taken_off() -> None:
    s = Stage()
    s.runner.latency = 0.02
    port = s.probe()
    s.run(5.0)
    assert all(p.due == pytest.approx(p.time - 0.02, abs=1e-9) for _, p in port.points)


def test_nothing_before_the_lock_and_stop_after_it() -> None:
    s = Stage(coast_bars=1)
    port = s.probe()
    s.show.ear = lambda p, t: p.heard(t, confidence=0.2)
    s.run(3.0)
    assert port.points == []
    s.show.ear = lambda p, t: p.heard(t)
    s.run(3.0)
    assert len(port.points) >= 5
    s.show.ear = deaf
    s.run(6.0)
    n = len(port.points)
    assert port.stops == 1
    s.run(2.0)
    assert len(port.points) == n
    s.show.ear = lambda p, t: p.heard(t)
    s.run(3.0)
    assert len(port.points) >= n + 5
    in_order_once(port)


def test_a_moving_deadline_is_moved_and_never_repeats() -> None:
    s = Stage(Pulse(lambda t: 120.0 + 6.0 * (t % 3.0)))
    ticks = s.probe("ticks", grids=(TICKS,))
    early = s.probe("early", grids=(TICKS,), offset_ms=-250.0)
    s.run(20.0)
    for port in (ticks, early):
        in_order_once(port)
        assert all(b.position - a.position == TICKS for (_, a), (_, b) in pairwise(port.points))


def test_a_relocation_skips_or_waits_but_never_repeats_or_bursts() -> None:
    for shift in (0.15, 0.3, 0.45, 0.6, 0.85):
        s = Stage()
        ticks, beats = s.probe("ticks", grids=(TICKS,)), s.probe("beats")
        s.run(4.0)
        s.show.pulse.position += shift
        first = [True]
        s.show.ear = lambda p, t, first=first: p.heard(t, relocated=first.pop() if first else False)
        s.run(4.0)
        in_order_once(ticks)
        in_order_once(beats)
        assert [int(p.position) for _, p in beats.points] == [b.number for b in s.show.beats][: len(beats.points)]
        at = [t for t, _ in ticks.points]
        assert min(b - a for a, b in pairwise(at)) >= 0.45 * 0.5 / 24 - 0.0011


def test_after_a_suspend_there_is_no_burst() -> None:
    s = Stage()
    ticks, beats = s.probe("ticks", grids=(TICKS,)), s.probe("beats")
    s.run(5.0)
    before = len(ticks.points)
    for _ in range(2000):
        s.show.pulse.go(s.show.now, TICK)
        s.show.now += TICK
    s.run(0.05)
    assert len(ticks.points) - before <= 5
    assert len(beats.points) <= 11
    status = {o["name"]: o for o in s.runner.status()}
    assert status["ticks"]["late"] >= 470
    s.run(3.0)
    in_order_once(ticks)
    in_order_once(beats)
    assert beats.points[-1][1].beat_in_bar == round(beats.points[-1][1].time * 2) % 4 + 1


@pytest.mark.parametrize("lead", [0.0, 0.02])
def test_after_a_stall_a_counted_grid_loses_nothing_and_others_do(lead: float) -> None:
    s = Stage()
    ticks = s.probe("ticks", grids=(TICKS,), counted=(TICKS,), lead=lead)
    loose = s.probe("loose", grids=(TICKS,))
    s.run(5.0)
    for _ in range(60):  # 300 ms, in which the transport goes on and nobody looks at the outputs
        s.show.run(TICK)
    s.run(3.0)
    assert all(b.position - a.position == TICKS for (_, a), (_, b) in pairwise(ticks.points))
    heard = [max(at, p.due + lead) for at, p in ticks.points]
    assert min(b - a for a, b in pairwise(heard)) >= 0.5 * 0.5 / 24 - 1e-9
    assert all(at - p.due < 0.0011 for at, p in ticks.points[-40:])
    in_order_once(loose)
    status = {o["name"]: o for o in s.runner.status()}
    assert status["ticks"]["late"] == 0
    assert status["loose"]["late"] > 5


def test_after_a_suspend_a_counted_grid_goes_on_at_the_newest_point() -> None:
    s = Stage()
    ticks = s.probe("ticks", grids=(TICKS,), counted=(TICKS,))
    s.run(5.0)
    before = len(ticks.points)
    for _ in range(2000):
        s.show.run(TICK)
    s.run(0.05)
    assert len(ticks.points) - before <= 5
    assert s.runner.status()[0]["late"] >= 450
    in_order_once(ticks)


def test_a_failing_output_is_contained_counted_and_switched_off() -> None:
    s = Stage()
    bad, good = s.probe("bad"), s.probe("good")
    reader = s.bus.reader()
    bad.fail = True
    s.run(30.0)
    status = {o["name"]: o for o in s.runner.status()}
    assert status["bad"]["errors"] == 8
    assert not status["bad"]["enabled"]
    assert "broken cable" in status["bad"]["message"]
    assert len(good.points) >= 58
    said = [e.label for e in reader.poll() if e.name == "host.message"]
    assert len(said) == 2
    assert "switched off" in said[1]
    bad.fail = False
    s.runner.enable("bad", True)
    s.run(2.0)
    assert len(bad.points) >= 3


def test_routes_reach_outputs_and_quantised_ones_wait_for_the_beat() -> None:
    routes = [
        RouteSettings(source="onset.onset", address="/hit"),
        RouteSettings(source="voice.active", address="/voice", quantise=1.0),
        RouteSettings(source="bands.low", address="/low", to=["b"]),
    ]
    s = Stage(routes=routes)
    a, b = s.probe("a"), s.probe("b")
    s.run(3.1)
    s.bus.publish(3.1, 3.1, "onset", "onset", 0.7)
    s.bus.publish(3.1, 3.1, "voice", "active", 1.0)
    s.bus.set("bands.low", 3.1, 0.25)
    s.run(0.1)
    assert [m.address for m in a.messages] == ["/hit"]
    assert sorted(m.address for m in b.messages) == ["/hit", "/low"]
    s.run(0.4)
    assert [m.address for m in a.messages] == ["/hit", "/voice"]
    assert [e.name for e in a.events] == ["onset.onset", "voice.active"]


def test_values_come_at_the_rate_asked_for() -> None:
    s = Stage()
    port = s.probe()
    port.values_rate = 25.0
    s.run(4.0)
    assert 98 <= len(port.values) <= 102


def test_orders() -> None:
    s = Stage()
    port = s.probe("x")
    with pytest.raises(UserError, match="no output 'y'"):
        s.runner.enable("y", False)
    s.run(2.0)
    s.runner.enable("x", False)
    n = len(port.points)
    s.run(2.0)
    assert len(port.points) == n
    assert port.stops == 1
    s.runner.enable("x", True)
    s.run(2.0)
    assert n + 3 <= len(port.points) <= n + 5
    s.runner.panic()
    assert port.stops == 2
    s.runner.test("x")
    assert s.runner.settings()[0]["name"] == "x"
    with pytest.raises(UserError, match="no keys"):
        s.runner.learn("x", "transport.tap")
    s.runner.remove("x")
    assert port.closed == 1
    assert s.runner.status() == []


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.05, 1.5), st.floats(60, 200), st.floats(-0.9, 0.9), st.integers(0, 1)),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([Fraction(1), TICKS, Fraction(1, 4), Fraction(4)]),
    st.floats(-0.4, 0.4),
)
def test_any_timeline_any_grid(stretches: list, step: Fraction, offset: float) -> None:
    """However the timeline is replaced, points come at most once, in order, on or after their deadline."""
    from realtime.outputs.scheduler import Cursor

    cursor = Cursor(step, delay=offset)
    clock = StraightClock()
    now, position, jumps = 1.0, 10.0, 0
    given: list[GridPoint] = []
    bars = (Bars(1, 1, 4, 1, 1, 1, 4),)
    segments: tuple[Segment, ...] = (Segment(1.0, 10.0, 2.0),)
    for seconds, tempo, jump, jumping in stretches:
        start = segments[-1].at(now) + (jump if jumping else 0.0)
        segments = (*segments[-5:], Segment(now, start, tempo / 60.0))
        broken = any(abs(b.position - a.at(b.time)) > 1e-9 for a, b in pairwise(segments))
        jumps += jumping
        line = Timeline(segments, bars, tempo, True, jumps, broken)
        end = now + seconds
        while now < end:
            points, due = cursor.due(now, line, clock)
            assert len(points) <= 8
            assert all(p.due <= now for p in points)
            if len(points) < 8 and points:
                assert due >= now
            given += points
            now += 0.003
        position = line.beat_at(now)
    assert position is not None
    assert all(b.position > a.position for a, b in pairwise(given))
    assert all((p.position / step).denominator == 1 for p in given)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.0, 0.9), st.floats(0.05, 0.3), st.floats(60, 200)), min_size=1, max_size=6),
    st.sampled_from([0.0, 0.015, 0.05]),
    st.floats(-0.1, 0.1),
)
def test_no_stall_of_less_than_a_beat_loses_a_counted_point(stretches: list, lead: float, offset: float) -> None:
    """After any stalls, at any tempi: each point once, in order, not early, never closer than half a period."""
    from realtime.outputs.scheduler import Cursor

    cursor = Cursor(TICKS, delay=offset - lead, counted=True, lead=lead)
    clock, bars = StraightClock(), (Bars(1, 1, 4, 1, 1, 1, 4),)
    now = 1.0
    segments: tuple[Segment, ...] = (Segment(1.0, 10.0, 2.0),)
    given: list[tuple[float, float, GridPoint]] = []
    stretches = [*stretches, (0.0, 4.0, 120.0)]
    for stall, seconds, tempo in stretches:
        segments = (*segments[-8:], Segment(now, segments[-1].at(now), tempo / 60.0))
        line = Timeline(segments, bars, tempo, True)
        now += stall * 60.0 / tempo
        end = now + stall * 60.0 / tempo + seconds  # caught up before the next stall
        while now < end:
            points, due = cursor.due(now, line, clock)
            given += [(max(now, p.due + lead), 60.0 / tempo / 24.0, p) for p in points]
            assert all(p.due <= now for p in points)
            now = max(now + 1e-5, min(due, end))
    assert cursor.late == 0
    assert all(b.position - a.position == TICKS for (_, _, a), (_, _, b) in pairwise(given))
    assert all(b - a >= 0.5 * period - 1e-9 for (a, _, _), (b, period, _) in pairwise(given))
    assert given[-1][0] - given[-1][2].due - lead < 1e-4


def test_the_real_thread_keeps_time_and_ends() -> None:
    bus, transport = Bus(), Transport(TransportSettings())
    begin = time.monotonic()

    class Clock(StraightClock):
        def host_time_at(self, stream_seconds: float) -> float:
            return stream_seconds + begin

        def stream_seconds(self, host_time: float) -> float:
            return host_time - begin

    s = Show(transport, Pulse(lambda t: 240.0)).run(0.2)
    runner = Runner(bus, transport, Clock(), NoHost(), Mapper([]), TransportSettings())
    port = Probe(time.monotonic, grids=(TICKS,))
    runner.start()
    runner.add(port)
    done = threading.Event()
    for _ in range(300):
        if len(port.points) >= 40:
            break
        done.wait(0.02)
    assert s.names() == ["locked"]
    runner.stop()
    runner.stop()
    assert len(port.points) >= 40
    in_order_once(port)
    assert port.closed == 1
    assert port.threads != {threading.get_ident()}
    assert len(port.threads) == 1
    assert runner.status()[0]["priority"]
