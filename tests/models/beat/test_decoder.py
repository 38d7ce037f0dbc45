from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.beat.barpointer import STEPS, BarPointer
from models.beat.decoder import MOVE_SECONDS, BeatDecoder
from models.beat.features import FPS
from models.beat.scoring import f_measure
from models.beat.statespace import FilterConfig
from realtime.preset import TransportSettings
from realtime.transport import Transport
from tests.fixtures.beats import decode, grid, pulses


def _times(found):
    return np.array([b.time for b in found])


@pytest.mark.parametrize("bpm", [44, 60, 90, 120, 128, 174, 210, 250, 276])
def test_steady_pulse_is_found_at_its_own_tempo(bpm):
    beats = grid(bpm, 24)
    found, decoder = decode(pulses(beats, 24))
    late = _times(found)
    assert f_measure(beats[beats[:, 0] > 8, 0], late[late > 8], 0.025) > 0.95
    assert decoder.tempo == pytest.approx(bpm, rel=0.01)


@pytest.mark.parametrize("bpm", [110, 120, 125])
def test_weak_answers_half_way_do_not_make_the_pulse_twice_as_fast(bpm):
    strong, weak = (pulses(grid(bpm, 24, start), 24, noise=0.0) for start in (0.3, 0.3 + 30 / bpm))
    weak[:, 0] *= 0.26
    _, decoder = decode(np.where(strong[:, :1] >= weak[:, :1], strong, weak) * [0.8, 1.0])
    assert decoder.tempo == pytest.approx(bpm, rel=0.01)


@pytest.mark.parametrize("per_bar", [3, 4])
def test_bars_are_counted(per_bar):
    beats = grid(120, 30, per_bar=per_bar)
    found, _ = decode(pulses(beats, 30))
    ones = np.array([b.time for b in found if b.number == 1 and b.time > 10])
    truth = beats[(beats[:, 1] == 1) & (beats[:, 0] > 10), 0]
    assert f_measure(truth, ones) > 0.95
    assert found[-1].per_bar == per_bar


def test_machine_tempo_is_steady_to_a_tenth_of_a_bpm():
    beats = grid(127.3, 40)
    decoder = BeatDecoder()
    tempi = []
    for k, answer in enumerate(pulses(beats, 40, noise=0.05)):
        decoder.step(answer, (k + 1) / FPS)
        if k > 20 * FPS:
            tempi.append(decoder.tempo)
    assert np.quantile(np.abs(np.array(tempi) - 127.3), 0.95) < 0.15


@pytest.mark.parametrize("change", [0.9, 1.1])
def test_a_ramp_of_ten_percent_is_followed(change):
    tempo = np.concatenate([np.full(24, 120.0), np.linspace(120, 120 * change, 16), np.full(24, 120 * change)])
    times = 0.3 + np.concatenate([[0], np.cumsum(60 / tempo)])
    beats = np.stack([times, np.arange(len(times)) % 4 + 1, np.full(len(times), 4)], 1)
    found, decoder = decode(pulses(beats, float(times[-1]) + 0.2))
    late = _times(found)
    assert f_measure(times[times > 6], late[late > 6]) > 0.97
    assert decoder.tempo == pytest.approx(120 * change, rel=0.01)


def test_a_hard_cut_is_followed_within_a_few_beats():
    first, second = grid(124, 20), grid(140, 20, start=20.23)
    second = np.concatenate([second, grid(140, 40, start=20.23)[len(second) :]])
    beats = np.concatenate([first, second])
    found, _ = decode(pulses(beats, 40))
    late = _times(found)
    after = second[second[:, 0] > 24.5, 0]
    assert f_measure(after, late[late > 24.3]) > 0.97


@pytest.mark.parametrize("bpm", [85, 110, 190])
def test_the_clock_is_on_the_new_pulse_six_beats_after_a_hard_cut(bpm):
    cut = 20.23
    first, second = grid(124, cut), grid(bpm, 34, start=cut)
    decoder, clock = BeatDecoder(), Transport(TransportSettings())
    sent = []
    for k, answer in enumerate(pulses(np.concatenate([first, second]), 34)):
        decoder.step(answer, (k + 1) / FPS)
        if decoder.relocated and decoder.reading is not None:
            assert decoder.tempo == pytest.approx(60 / decoder.reading.period, rel=0.06)
        clock.observe(decoder.observation())
        sent += [b.time for b in clock.advance((k + 1) / FPS)]
    late = second[6:, 0]
    assert f_measure(late, np.array([t for t in sent if t > late[0] - 0.06]), 0.05) == 1.0


def test_time_is_kept_through_thirty_two_bars_of_nothing():
    bpm, bars = 126.0, 32
    gap = bars * 4 * 60 / bpm
    beats = grid(bpm, 30 + gap + 12)
    answers = pulses(beats, 30 + gap + 12, noise=0.03)
    answers[int(30 * FPS) : int((30 + gap) * FPS)] = (0.01, 0.3)
    found, _ = decode(answers)
    late = _times(found)
    inside = (beats[:, 0] > 30) & (beats[:, 0] < 30 + gap)
    assert f_measure(beats[inside, 0], late[(late > 30) & (late < 30 + gap)]) > 0.9
    after = beats[:, 0] > 30 + gap + 3
    assert f_measure(beats[after, 0], late[late > 30 + gap + 2.9]) > 0.95


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**31), st.floats(45, 270), st.floats(0, 0.9), st.floats(0, 0.6))
def test_whatever_comes_beats_are_apart_and_sent_in_time(seed, bpm, noise, missing):
    found, _ = decode(pulses(grid(bpm, 12), 12, seed, noise, missing))
    times, sent = _times(found), np.array([b.emitted for b in found])
    assert np.all(times >= sent)
    assert np.all(times < sent + MOVE_SECONDS + 1e-9)
    if len(times) > 1:
        assert np.diff(times).min() > 0.09
    assert all(1 <= b.number <= b.per_bar for b in found)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_random_answers_neither_break_nor_unbalance_the_filter(seed):
    rng = np.random.default_rng(seed)
    answers = rng.random((400, 2))
    _, decoder = decode(answers)
    assert np.isfinite(decoder.filter.weight).all()
    assert np.isfinite(decoder.filter.share).all()
    decoder.filter.renew()
    assert decoder.filter.weight.sum((0, 2)) == pytest.approx(1.0, abs=1e-3)
    held = decoder.filter.weight[:, 0] > 1e-6
    assert decoder.filter.share[:, 0].sum(1)[held] == pytest.approx(1.0, abs=1e-3)
    assert 0.0 <= decoder.confidence <= 1.0 + 1e-3


def test_nothing_heard_nothing_sent():
    found, _ = decode(np.zeros((300, 2)))
    assert found == []


def test_two_runs_and_a_run_after_reset_are_equal():
    answers = pulses(grid(133, 10), 10)
    first, decoder = decode(answers)
    decoder.reset()
    again = [decoder.step(answer, (k + 1) / FPS) for k, answer in enumerate(answers)]
    assert first == [b for b in again if b]
    assert first == decode(answers)[0]


def test_later_sound_does_not_change_earlier_beats():
    answers = pulses(grid(118, 20), 20)
    whole, part = decode(answers)[0], decode(answers[: int(9 * FPS)])[0]
    assert [b for b in whole if b.emitted <= 9.0] == part


def test_a_tempo_window_moves_the_octave():
    beats = grid(150, 20)
    decoder = BeatDecoder()
    decoder.filter.window(60, 100)
    decoder.reset()
    for k, answer in enumerate(pulses(beats, 20)):
        decoder.step(answer, (k + 1) / FPS)
    assert decoder.tempo == pytest.approx(75, rel=0.02)


def test_a_window_without_any_tempo_takes_the_nearest():
    pointer = BarPointer(FilterConfig())
    pointer.window(300, 310)
    pointer.reset()
    for _ in range(50):
        pointer.advance(pointer.evidence([[(0.3, 0.3, 1.0), (0.5, 0.3, 1.0)] * (STEPS // 2)]))
        pointer.renew()
    assert np.isfinite(pointer.weight).all()


def test_coasting_keeps_the_belief_and_turns_at_the_given_tempo():
    pointer = BarPointer()
    rng = np.random.default_rng(1)
    for _ in range(60):
        beat, downbeat = rng.random(2)
        pointer.advance(pointer.evidence([[(beat, downbeat, 1.0)] * STEPS]))
    before = pointer.around(0, pointer.size)[0].copy()
    spread = np.sort(pointer.weight.mean(1), axis=None)
    for _ in range(100):
        pointer.coast(120.0, 0.01)
    after, _ = pointer.around(0, pointer.size)
    assert np.allclose(np.sort(after, axis=None), spread[spread.size - after.size :], atol=1e-9)
    for chain, period in enumerate(np.ceil(pointer.periods).astype(int)):  # two beats later everything is back
        assert np.allclose(after[:period, chain], before[:period, chain], atol=1e-9)
    shares = pointer.share.sum(2)
    for kind in range(pointer.kinds):
        assert np.allclose(shares[:, kind][pointer.weight[:, kind] > 0], 1.0, atol=1e-4)
