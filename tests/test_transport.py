from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest

from realtime.errors import UserError
from realtime.musical import BeatObservation
from realtime.preset import TransportSettings
from realtime.transport import Transport
from tests.clockdrive import Pulse, Show, consecutive, deaf, errors, show, silent


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
    s = show().run(25.0)
    s.pulse.position += 0.15
    s.run(10.0)
    consecutive(s)
    assert s.names() == ["locked"]
    spaces = [b.time - a.time for a, b in pairwise(s.beats)]
    assert min(spaces) >= 0.5 / 1.04 - 1e-9
    assert max(spaces) <= 0.5 + 1e-9
    assert abs(s.beats[-2].time - max(t for t in s.pulse.beats if t <= s.now)) < 0.51
    assert min(abs(s.beats[-2].time - t) for t in s.pulse.beats) < 1e-3 or s.beats[-2].time > s.now


def test_a_fresh_clock_is_corrected_within_two_beats() -> None:
    s = show()
    s.run(1.2)
    s.pulse.position += 0.15  # the tracker has seen better
    s.run(10.0)
    consecutive(s)
    assert s.names() == ["locked"]
    assert max(errors([b for b in s.beats if 2.2 < b.time < 10.0], s.pulse.beats)) < 1e-3


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


def test_a_pulse_that_was_believed_for_a_moment_only_is_soon_let_go_of() -> None:
    s = show(coast_bars=32).run(2.0)
    assert s.names() == ["locked"]
    s.ear = deaf
    s.run(10.0)
    assert s.names() == ["locked", "unlocked"]
    assert len(s.beats) < 20


def tapped(s: Show) -> None:
    for _ in range(5):
        s.run(0.5)
        s.act("tap")


def held_for_a_moment(s: Show) -> None:
    s.act("hold")
    s.run(1.0)
    s.act("hold")


@pytest.mark.parametrize(("heard", "hand"), [(0.0, tapped), (2.0, tapped), (2.0, held_for_a_moment)])
def test_a_pulse_by_hand_needs_no_proof(heard: float, hand: Callable[[Show], None]) -> None:
    s = show(coast_bars=32).run(heard)
    s.ear = deaf
    hand(s)
    s.run(40.0)
    assert s.transport.state().locked


def test_the_same_pulse_hardly_heard_is_followed_but_does_not_count_as_heard() -> None:
    s = show(Pulse(lambda t: 120.0 if t < 10 else 122.0), coast_bars=4).run(9.0)
    s.ear = lambda p, t: p.heard(t, confidence=0.2)
    s.run(8.0)
    assert s.transport.state().state == "coasting"
    assert max(errors(s.beats[-6:-1], s.pulse.beats)) < 0.01
    s.run(8.0)
    assert s.names() == ["locked", "unlocked"]
