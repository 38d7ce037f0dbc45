from __future__ import annotations

import math
from itertools import pairwise

import pytest

from realtime.errors import UserError
from realtime.musical import BeatObservation
from realtime.preset import TransportSettings
from realtime.transport import Transport
from tests.clockdrive import Pulse, Show, deaf, silent


def show(pulse: Pulse | None = None, **settings: object) -> Show:
    return Show(Transport(TransportSettings(**settings)), pulse or Pulse())  # type: ignore[arg-type]


def errors(beats: list, truth: list[float]) -> list[float]:
    return [min(abs(b.time - t) for t in truth) for b in beats]


def consecutive(s: Show) -> None:
    assert [b.number for b in s.beats] == list(range(1, len(s.beats) + 1))


def test_a_right_tracker_passes_through_unchanged() -> None:
    s = show(Pulse(lambda t: 127.3)).run(60.0)
    consecutive(s)
    assert abs(len(s.beats) - len(s.pulse.beats)) <= 1
    assert max(errors(s.beats[:-1], s.pulse.beats)) < 1e-6
    assert all(b.emitted <= b.time for b in s.beats)
    assert all(abs(b.tempo - 127.3) < 1e-9 for b in s.beats)
    assert s.names() == ["locked"]
    downbeats = [b.time for b in s.beats if b.beat_in_bar == 1]
    assert all(abs((t * 127.3 / 60) % 4) < 1e-4 or abs((t * 127.3 / 60) % 4 - 4) < 1e-4 for t in downbeats)


def test_a_jittery_tracker_is_not_made_worse() -> None:
    noise = [math.sin(i * 12.9898) * 43758.5453 % 1.0 - 0.5 for i in range(20000)]

    def ear(pulse: Pulse, time: float) -> BeatObservation:
        shift = 0.020 * noise[round(time / 0.005)]
        return pulse.heard(time, phase=(pulse.position + 2.0 * shift) % 1.0)

    s = show()
    s.ear = ear
    s.run(60.0)
    consecutive(s)
    assert max(errors(s.beats[:-1], s.pulse.beats)) < 0.011
    assert s.names() == ["locked"]


def test_a_ramp_of_ten_percent_in_four_beats_is_followed() -> None:
    s = show(Pulse(lambda t: 120.0 if t < 20 else min(132.0, 120.0 + 6.0 * (t - 20.0)))).run(40.0)
    consecutive(s)
    assert max(errors(s.beats[:-1], s.pulse.beats)) < 0.010
    assert s.names() == ["locked"]


def test_nothing_before_the_lock_unless_asked() -> None:
    s = show()
    s.ear = lambda p, t: p.heard(t, confidence=0.3)
    s.run(5.0)
    assert s.beats == []
    assert s.transport.state().state == "searching"
    assert not s.transport.timeline.locked
    s.ear = lambda p, t: p.heard(t)
    s.run(5.0)
    consecutive(s)
    assert s.beats[0].time == pytest.approx(5.0, abs=0.6)

    eager = show(send_unlocked=True)
    eager.ear = lambda p, t: p.heard(t, confidence=0.3)
    eager.run(5.0)
    consecutive(eager)
    assert len(eager.beats) >= 9
    assert eager.names() == []


def test_locks_at_once_when_sure() -> None:
    s = show().run(0.02)
    assert s.transport.state().locked


def test_coasts_through_a_long_breakdown_and_comes_back() -> None:
    s = show(Pulse(lambda t: 128.0)).run(20.0)
    s.ear = deaf
    s.run(55.0)  # 29 bars
    assert s.transport.state().state == "coasting"
    assert s.transport.state().locked
    s.ear = lambda p, t: p.heard(t)
    s.run(20.0)
    consecutive(s)
    assert max(errors(s.beats[:-1], s.pulse.beats)) < 1e-3
    assert s.names() == ["locked"]
    assert s.transport.state().state == "locked"


def test_gives_up_after_the_longest_coasting() -> None:
    s = show(coast_bars=32).run(10.0)
    s.ear = silent
    s.run(63.0)
    assert s.names() == ["locked"]
    s.run(3.0)
    assert s.names() == ["locked", "unlocked"]
    n = len(s.beats)
    s.run(5.0)
    assert len(s.beats) == n
    s.ear = lambda p, t: p.heard(t)
    s.run(5.0)
    consecutive(s)
    assert s.names() == ["locked", "unlocked", "locked"]


def test_small_phase_errors_slew_within_the_bound() -> None:
    s = show().run(10.0)
    s.pulse.position += 0.15
    s.run(10.0)
    consecutive(s)
    assert s.names() == ["locked"]
    spaces = [b.time - a.time for a, b in pairwise(s.beats)]
    assert min(spaces) >= 0.5 / 1.04 - 1e-9
    assert max(spaces) <= 0.5 + 1e-9
    assert abs(s.beats[-2].time - max(t for t in s.pulse.beats if t <= s.now)) < 0.51
    assert min(abs(s.beats[-2].time - t) for t in s.pulse.beats) < 1e-3 or s.beats[-2].time > s.now


def test_jumps_when_the_tracker_says_that_it_relocated() -> None:
    s = show(Pulse(lambda t: 120.0 if t < 10 else 174.0)).run(10.0)
    s.pulse.position += 0.4
    once = [True]

    def ear(p: Pulse, t: float) -> BeatObservation:
        return p.heard(t, relocated=once.pop() if once else False)

    s.ear = ear
    s.run(10.0)
    consecutive(s)
    assert s.names() == ["locked", "relocated"]
    late = [b for b in s.beats if 11.0 < b.time < 19.5]
    assert len(late) == pytest.approx(8.5 * 2.9, abs=1)
    spaces = [b.time - a.time for a, b in pairwise(s.beats)]
    assert min(spaces) >= 0.5 * 60 / 174 - 1e-6


def test_changes_over_when_the_tracker_insists() -> None:
    s = show().run(10.0)
    s.pulse.position += 0.45
    s.run(0.9)
    assert s.names() == ["locked"]
    s.run(9.0)
    assert s.names() == ["locked", "relocated"]
    consecutive(s)
    assert max(errors([b for b in s.beats if 12 < b.time < s.now], s.pulse.beats)) < 1e-6


def test_a_flickering_octave_does_not_move_the_clock() -> None:
    s = show()
    s.run(5.0)
    s.ear = lambda p, t: p.heard(t, tempo=60.0 if t % 1.0 < 0.4 else 120.0)
    s.run(20.0)
    consecutive(s)
    assert s.names() == ["locked"]
    assert max(errors(s.beats[:-1], s.pulse.beats)) < 1e-6


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


def test_a_whim_of_the_bar_tracker_is_not_followed() -> None:
    s = show()
    s.ear = lambda p, t: p.heard(
        t,
        beat_in_bar=(math.floor(p.position) + (2 if 10.0 < t < 10.4 else 0)) % 4 + 1,
        downbeat_confidence=0.5,
    )
    s.run(20.0)
    assert all(b.beat_in_bar == round(b.time * 2) % 4 + 1 for b in s.beats)


def test_a_firm_change_of_the_bar_is_followed() -> None:
    s = show()
    s.ear = lambda p, t: p.heard(
        t, beat_in_bar=(math.floor(p.position) + (2 if t > 10.0 else 0)) % 4 + 1, downbeat_confidence=0.6
    )
    s.run(20.0)
    assert all(b.beat_in_bar == round(b.time * 2 + 2) % 4 + 1 for b in s.since(11.6))
    for a, b in pairwise(s.beats):
        assert b.bar - a.bar == (b.beat_in_bar == 1)


def test_phrases_count_bars() -> None:
    s = show(phrase_bars=8).run(80.0)
    starts = [b for a, b in pairwise(s.beats) if b.phrase != a.phrase]
    assert len(starts) >= 3
    for a, b in pairwise(starts):
        assert b.bar - a.bar == 8
        assert b.beat_in_bar == 1


def test_window_folds_the_tempo() -> None:
    s = show(Pulse(lambda t: 87.0), low_bpm=100.0, high_bpm=200.0).run(10.0)
    assert s.transport.state().bpm == pytest.approx(174.0)
    s.act("window", low=60.0, high=120.0)
    s.run(5.0)
    assert s.transport.state().bpm == pytest.approx(87.0)
    consecutive(s)
    assert s.names() == ["locked"]
    assert max(errors(s.since(13.0)[:-1], s.pulse.beats)) < 1e-6


def test_lost_sound_is_said_and_bars_keep_step() -> None:
    s = show().run(10.0)
    for _ in range(1000):  # five seconds vanish
        s.pulse.go(s.now, 0.005)
        s.now += 0.005
    s.run(10.0)
    assert s.names() == ["locked", "relocated"]
    numbers = [b.number for b in s.beats]
    assert all(b > a for a, b in pairwise(numbers))
    assert all(b.beat_in_bar == round(b.time * 2) % 4 + 1 for b in s.beats)
    assert all(b.emitted <= b.time + 0.005001 for b in s.beats)
    assert all(b.number - a.number == round((b.time - a.time) / 0.5) for a, b in pairwise(s.beats))


def test_rubbish_is_counted_not_followed() -> None:
    s = show().run(5.0)
    for bad in (math.nan, math.inf, -1.0, 0.0, 1e9):
        s.transport.observe(BeatObservation(s.now, bad, 0.1, confidence=1.0))
    s.transport.observe(BeatObservation(math.nan, 120.0, 0.1, confidence=1.0))
    s.run(5.0)
    assert s.transport.state().rejected == 6
    assert max(errors(s.beats[:-1], s.pulse.beats)) < 1e-6


@pytest.mark.parametrize(
    ("name", "params", "word"),
    [
        ("tapp", {}, "did you mean 'tap'"),
        ("nudge", {}, "'ms'"),
        ("nudge", {"ms": "fast"}, "'ms'"),
        ("nudge", {"ms": 5000}, "between"),
        ("lock", {"on": "yes"}, "true or false"),
        ("metre", {"beats": 1}, "metre"),
        ("metre", {"beats": 2.5}, "metre"),
        ("window", {"low": 100, "high": 110}, "narrow"),
        ("double", {}, "no tempo"),
        ("one", {}, "no tempo"),
        ("hold", {"on": True}, "no tempo"),
        ("resync", {}, "no pulse"),
    ],
)
def test_nonsense_is_refused_in_one_line(name: str, params: dict, word: str) -> None:
    t = Transport(TransportSettings())
    with pytest.raises(UserError, match=word) as e:
        t.act(name, params, 1.0)
    assert "\n" not in str(e.value)


def test_confidence_and_tempo_shown_are_the_trackers() -> None:
    s = show(Pulse(lambda t: 123.4)).run(5.0)
    state = s.transport.state()
    assert state.bpm == pytest.approx(123.4)
    assert state.confidence == pytest.approx(0.9)
    assert 0.0 <= state.beat_phase < 1.0
    assert 0.0 <= state.bar_phase < 1.0
