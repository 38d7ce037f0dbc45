"""A person's hand on the musical clock: tap, nudge, double, halve, lock, hold, the one, metres."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from tests.clockdrive import Pulse, Show, consecutive, deaf, errors, show, silent


def test_double_and_halve_take_force_on_a_beat_and_stay() -> None:
    s = show(Pulse(lambda t: 70.0)).run(10.0)
    s.act("double")
    assert s.transport.state().multiplier == 2.0
    s.run(10.0)
    consecutive(s)
    assert s.transport.state().bpm == pytest.approx(140.0)
    spaces = [b.time - a.time for a, b in pairwise(s.beats)]
    assert all(x == pytest.approx(60 / 70, abs=1e-6) or x == pytest.approx(30 / 70, abs=1e-6) for x in spaces)
    assert s.names() == ["locked"]
    marks = [b.beat_in_bar for b in s.since(12.0)]
    assert all(b == a % 4 + 1 for a, b in pairwise(marks))
    s.act("halve")
    s.act("halve")
    s.run(10.0)
    assert s.transport.state().bpm == pytest.approx(35.0)
    spaces = [b.time - a.time for a, b in pairwise(s.since(24.0))]
    assert all(x == pytest.approx(120 / 70, abs=1e-6) for x in spaces)
    s.act("resync")
    assert s.transport.state().bpm == pytest.approx(70.0)


def test_halved_beats_fall_on_the_strong_beats() -> None:
    s = show(Pulse(lambda t: 160.0)).run(9.2)
    s.act("halve")
    s.run(10.0)
    for b in s.since(11.0)[:-1]:
        number = round(b.time * 160 / 60)
        assert number % 2 == 0
    consecutive(s)


def test_nudge_moves_later_smoothly_and_lasts() -> None:
    s = show().run(10.0)
    s.act("nudge", ms=30.0)
    s.run(20.0)
    late = [b for b in s.beats if 14 < b.time < s.now - 0.1]
    assert all(
        b.time - min(s.pulse.beats, key=lambda t, b=b: abs(t - b.time)) == pytest.approx(0.03, abs=1e-4)
        for b in late
    )
    assert s.names() == ["locked"]
    s.act("nudge", ms=-300.0)
    s.run(20.0)
    late = [b for b in s.beats if 44 < b.time < s.now - 0.1]
    assert all(abs((b.time + 0.27) * 2 - round((b.time + 0.27) * 2)) < 1e-3 for b in late)
    spaces = [b.time - a.time for a, b in pairwise(s.beats)]
    assert min(spaces) > 0.5 / 1.0401
    assert max(spaces) < 0.5 / 0.9599
    assert s.names() == ["locked"]
    consecutive(s)


def tap(s: Show, times: list[float]) -> None:
    for t in times:
        s.run(t - s.now)
        s.transport.act("tap", {}, t)


@pytest.mark.parametrize("mistap", ["none", "late", "extra", "missing"])
def test_four_taps_set_tempo_and_phase_without_any_sound(mistap: str) -> None:
    s = show()
    s.ear = silent
    times = [1.0 + 0.48 * i for i in range(7)]
    if mistap == "late":
        times[2] += 0.11
    if mistap == "extra":
        times.insert(3, times[2] + 0.15)
    if mistap == "missing":
        del times[3]
    tap(s, times)
    s.run(6.0)
    consecutive(s)
    assert s.transport.state().bpm == pytest.approx(125.0, rel=0.01)
    assert s.transport.state().locked
    late = [b for b in s.beats if b.time > 6.0]
    assert all(abs(((b.time - 1.0) / 0.48 + 0.5) % 1.0 - 0.5) < 0.1 for b in late[:4])


def test_two_taps_set_the_phase_while_coasting() -> None:
    s = show().run(10.0)
    s.ear = deaf
    s.run(2.0)
    tap(s, [12.2, 12.7])
    s.run(15.0)
    consecutive(s)
    late = [b for b in s.beats if b.time > 24.0]
    assert all(abs(((b.time - 0.2) * 2 + 0.5) % 1.0 - 0.5) < 1e-3 for b in late)
    assert s.names() == ["locked"]


def test_tapping_the_right_octave_corrects_the_tracker_for_good() -> None:
    pulse = Pulse(lambda t: 140.0)
    s = show(pulse)
    s.ear = lambda p, t: p.heard(t, tempo=70.0, phase=(p.position / 2) % 1.0)
    s.run(8.0)
    assert s.transport.state().bpm == pytest.approx(70.0)
    first = math.ceil(s.now * 140 / 60)
    tap(s, [(first + i) * 60 / 140 + 0.01 * (-1) ** i for i in range(5)])
    s.run(20.0)
    assert s.transport.state().bpm == pytest.approx(140.0)
    consecutive(s)
    assert max(errors([b for b in s.beats if 20 < b.time < s.now], pulse.beats)) < 0.002


def test_tapping_off_the_beat_moves_a_tracker_on_the_off_beat() -> None:
    pulse = Pulse()
    s = show(pulse)
    s.ear = lambda p, t: p.heard(t, phase=(p.position + 0.5) % 1.0)
    s.run(8.0)
    tap(s, [8.5, 9.0, 9.5])
    s.run(20.0)
    assert max(errors([b for b in s.beats if 20 < b.time < s.now], pulse.beats)) < 0.005
    consecutive(s)
    assert "relocated" not in s.names()


def test_taps_then_resync_jump_at_once() -> None:
    s = show()
    s.ear = lambda p, t: p.heard(t, phase=(p.position + 0.5) % 1.0)
    s.run(8.0)
    tap(s, [8.5, 9.0, 9.5])
    s.act("resync")
    s.run(5.0)
    assert max(errors([b for b in s.beats if 10.5 < b.time < s.now], s.pulse.beats)) < 0.005
    assert s.names() == ["locked", "relocated"]
    consecutive(s)


def test_hold_ignores_all_and_resumes_smoothly() -> None:
    s = show().run(10.0)
    s.act("hold", on=True)
    s.ear = lambda p, t: p.heard(t, tempo=91.0, phase=(t * 1.7) % 1.0, relocated=True)
    s.run(20.0)
    assert s.transport.state().state == "held"
    assert max(errors(s.beats[:-1], s.pulse.beats)) < 1e-6
    s.act("hold", on=False)
    s.ear = lambda p, t: p.heard(t)
    s.run(10.0)
    assert s.transport.state().state == "locked"
    assert max(errors(s.beats[:-1], s.pulse.beats)) < 1e-6
    assert s.names() == ["locked"]
    consecutive(s)


def test_another_clock_is_followed_while_it_speaks() -> None:
    s = show().run(5.0)
    other = Pulse(lambda t: 97.0, position=0.3)
    for i in range(2000):
        other.go(s.now, 0.005)
        s.run(0.005)
        if i % 10 == 0:
            s.act("sync", bpm=97.0, beat=other.position % 4, beats=4)
    assert s.transport.state().bpm == pytest.approx(97.0)
    phase = s.transport.timeline.beat_at(s.now) - other.position
    assert abs(phase - round(phase)) < 0.01
    assert s.names() == ["locked", "relocated"]
    s.run(10.0)
    assert s.transport.state().bpm == pytest.approx(120.0)
    consecutive(s)


def test_locked_tempo_stays() -> None:
    s = show(Pulse(lambda t: 120.0 if t < 10 else 126.0)).run(9.0)
    s.act("lock", on=True)
    s.run(20.0)
    assert s.transport.state().bpm == pytest.approx(120.0)
    assert s.transport.state().tempo_locked
    spaces = [b.time - a.time for a, b in pairwise(s.beats)]
    assert all(x == pytest.approx(0.5, abs=1e-6) for x in spaces[:-1])
    s.act("lock", on=False)
    s.run(20.0)
    assert s.transport.state().bpm == pytest.approx(126.0)


def test_the_one_is_now_and_stays_there() -> None:
    s = show().run(9.03)  # beat index 18 = the third of the bar
    s.act("one")
    s.run(20.0)
    for b in s.since(9.1)[:-1]:
        assert b.beat_in_bar == (round(b.time * 2) - 18) % 4 + 1
    consecutive(s)
    after = s.since(9.1)
    assert after[0].phrase == [b for b in s.beats if b.time < 9.02][-1].phrase + 1
    for a, b in pairwise(after):
        assert b.bar - a.bar == (b.beat_in_bar == 1)


@pytest.mark.parametrize("metre", [2, 3, 4, 5, 6, 7])
def test_metres(metre: int) -> None:
    s = show(Pulse(metre=metre)).run(30.0)
    assert {b.beats_per_bar for b in s.since(3.0)} == {metre}
    assert all(b.beat_in_bar == round(b.time * 2) % metre + 1 for b in s.since(3.0))
    other = show(Pulse(metre=4)).run(10.0)
    other.act("metre", beats=metre)
    other.run(20.0)
    marks = [b.beat_in_bar for b in other.since(12.5)]
    assert all(b == a % metre + 1 for a, b in pairwise(marks))
