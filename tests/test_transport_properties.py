"""Whatever a tracker says and a person does: beats go up by one, are spaced musically, and repeat exactly."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.course import slew_after
from realtime.errors import UserError
from realtime.musical import BeatObservation
from realtime.preset import TransportSettings
from realtime.timeline import Timeline
from realtime.transport import Transport
from tests.clockdrive import Pulse, Show

STATES = {"searching", "locked", "coasting", "held"}

tempos = st.floats(50.0, 220.0)
act = st.one_of(
    st.just(("tap", {})),
    st.just(("double", {})),
    st.just(("halve", {})),
    st.just(("one", {})),
    st.just(("resync", {})),
    st.builds(lambda on: ("hold", {"on": on}), st.booleans()),
    st.builds(lambda on: ("lock", {"on": on}), st.booleans()),
    st.builds(lambda ms: ("nudge", {"ms": ms}), st.floats(-200, 200)),
    st.builds(lambda b: ("metre", {"beats": b}), st.sampled_from([0, 2, 3, 4, 5, 6, 7])),
    st.builds(lambda low: ("window", {"low": low, "high": 2.2 * low}), st.floats(40.0, 150.0)),
)


@st.composite
def scripts(draw: st.DrawFn) -> list[tuple]:
    """A show: stretches of tempo, hearing, noise, actions, and holes in the sound."""
    stretches = []
    for _ in range(draw(st.integers(1, 5))):
        stretches.append(
            (
                draw(st.floats(0.3, 6.0)),
                draw(tempos),
                draw(tempos),
                draw(st.sampled_from(["clear", "clear", "noisy", "deaf", "silent", "wild", "unsure"])),
                draw(st.one_of(st.none(), act)),
                draw(st.booleans()),
                draw(st.sampled_from([0.0, 0.0, 0.0, 0.03, 2.0])),
            )
        )
    return stretches


def perform(script: list[tuple], config: TransportSettings) -> tuple[Show, list[tuple[float, Timeline]]]:
    chance = iter([math.sin(i * 12.9898) * 43758.5453 % 1.0 for i in range(1, 20000)])
    s = Show(Transport(config), Pulse())
    seen: list[tuple[float, Timeline]] = []
    said: list[str] = []
    s.watch = lambda t, now: seen.append((now, t.timeline))
    for seconds, tempo, goal, mood, action, relocated, hole in script:
        began = s.now
        flag = [relocated]

        def curve(t: float, a: float = tempo, b: float = goal, t0: float = began, n: float = seconds) -> float:
            return a + (b - a) * min(1.0, max(0.0, (t - t0) / n))

        s.pulse.tempo = curve

        def ear(p: Pulse, t: float, mood: str = mood, flag: list = flag) -> BeatObservation | None:
            first, flag[0] = flag[0], False
            if mood == "silent":
                return None
            if mood == "deaf":
                return p.heard(t, confidence=0.1, evidence=False)
            if mood == "unsure":
                return p.heard(t, confidence=0.35, relocated=first)
            if mood == "noisy":
                return p.heard(t, phase=(p.position + 0.1 * (next(chance) - 0.5)) % 1.0, relocated=first)
            if mood == "wild":
                return BeatObservation(
                    t, 40 + 200 * next(chance), next(chance), 1, 4, next(chance), next(chance), next(chance) > 0.9
                )
            return p.heard(t, relocated=first)

        s.ear = ear
        s.run(seconds)
        if action is not None:
            try:
                s.act(*action[:1], **action[1])
            except UserError as e:
                said.append(str(e))
        s.now += hole
    assert not any("\n" in line for line in said)
    return s, seen


configs = st.builds(
    TransportSettings,
    send_unlocked=st.booleans(),
    max_slew=st.sampled_from([0.01, 0.04, 0.2]),
    horizon_ms=st.sampled_from([5.0, 40.0, 200.0]),
    coast_bars=st.sampled_from([1, 32]),
)


@settings(max_examples=30, deadline=None)
@given(scripts(), configs)
def test_beats_never_double_nor_skip_unsaid(script: list[tuple], config: TransportSettings) -> None:
    s, _ = perform(script, config)
    holes = sum(int(e.label.split()[0]) for e in s.events if e.label.endswith("lost sound"))
    numbers = [b.number for b in s.beats]
    assert all(b > a for a, b in pairwise(numbers))
    if numbers:
        assert 1 <= numbers[0] <= 1 + holes
        assert sum(b - a - 1 for a, b in pairwise(numbers)) <= holes
    for a, b in pairwise(s.beats):
        assert b.time - a.time > 0.4 * 60.0 / max(a.tempo, b.tempo)
        if b.beat_in_bar != 1:
            assert b.bar - a.bar <= (b.number - a.number) // 2 + 1
        assert b.bar >= a.bar
        assert b.phrase >= a.phrase
    for b in s.beats:
        assert b.emitted <= b.time + 0.005001
        assert b.time <= b.emitted + config.horizon_ms / 1000.0 + 1e-9
        assert 1 <= b.beat_in_bar <= b.beats_per_bar


@settings(max_examples=20, deadline=None)
@given(scripts(), configs)
def test_the_course_rises_within_the_slew_bound_and_jumps_only_when_said(
    script: list[tuple], config: TransportSettings
) -> None:
    s, seen = perform(script, config)
    jumps = {round(e.time, 3) for e in s.events}
    first = s.beats[0].time if s.beats else math.inf
    for (_, _), (now, line) in pairwise(seen):
        newest = line.segments[-1]
        assert newest.rate >= 0.0
        for a, b in pairwise(line.segments):
            gap = b.position - a.at(b.time)
            if abs(gap) > 1e-6 and not config.send_unlocked:
                assert line.broken
                # before the first beat there is nothing that anybody could have followed
                assert b.time <= first or any(abs(b.time - j) < 0.21 for j in jumps), (gap, b, jumps)
        if line.tempo > 0.0 and line.locked:
            rate = line.segment_at(max(now, newest.time)).rate
            assert rate <= line.tempo / 60.0 * 4.0 + 1e-9
    assert s.transport.state().state in STATES
    assert 0.0 <= s.transport.state().beat_phase < 1.0
    assert 0.0 <= s.transport.state().bar_phase < 1.0


@settings(max_examples=30, deadline=None)
@given(scripts(), configs)
def test_equal_shows_give_equal_beats(script: list[tuple], config: TransportSettings) -> None:
    first, _ = perform(script, config)
    again, _ = perform(script, config)
    assert first.beats == again.beats
    assert first.events == again.events


@settings(max_examples=20, deadline=None)
@given(st.floats(60, 200), st.floats(-0.15, 0.15), st.sampled_from([0.01, 0.04, 0.1]), st.sampled_from([2, 9, 48]))
def test_corrections_stay_within_the_bound(tempo: float, error: float, settled: float, beats: int) -> None:
    s = Show(Transport(TransportSettings(max_slew=settled)), Pulse(lambda t: tempo))
    s.run(beats * 60.0 / tempo)
    s.pulse.position += error
    s.run(25.0)
    assert s.names() == ["locked"]
    for a, b in pairwise(s.beats):
        slew = slew_after(a.number, settled)  # a fresh clock slews faster
        assert 60.0 / tempo / (1 + slew) - 1e-6 <= b.time - a.time <= 60.0 / tempo / (1 - slew) + 1e-6
    last = s.beats[-1]
    number = (last.time - s.now) * tempo / 60.0 + s.pulse.position
    assert abs(number - round(number)) < 1e-3


@settings(max_examples=30, deadline=None)
@given(scripts(), configs)
def test_time_of_and_beat_at_agree(script: list[tuple], config: TransportSettings) -> None:
    _, seen = perform(script, config)
    for now, line in seen[:: max(1, len(seen) // 20)]:
        if line.tempo <= 0.0:
            continue
        times = [line.time_of(line.beat_at(now) + k / 24.0) for k in range(48)]
        assert all(b >= a - 1e-9 for a, b in pairwise(times))
        if not line.broken:
            for k in range(48):
                x = line.beat_at(now) + k / 24.0
                assert abs(line.beat_at(line.time_of(x)) - x) < 1e-6
