"""Several beliefs side by side: alike they are one, unlike each goes by what it trusts, and their mean is read."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from models.beat import trusts
from models.beat.barpointer import STEPS, BarPointer
from models.beat.decoder import BeatDecoder
from models.beat.features import FPS, SAMPLE_RATE
from models.beat.rhythm import Rhythm
from models.beat.statespace import FilterConfig, Trust
from models.beat.targets import TEMPO_BINS, tempo_position
from tests.fixtures.beats import grid, pulses
from tests.models.beat.test_plugin import clicks


def pointer(*beliefs: Trust) -> BarPointer:
    """A filter with these beliefs."""
    return BarPointer(FilterConfig(beliefs=beliefs))


def run(filter_: BarPointer, seed: int, moves: int, answers: slice = slice(1)) -> None:
    """Drive a filter with those of three random answers, random rises and tempi."""
    rng = np.random.default_rng(seed)
    rhythm = Rhythm(filter_, 0.06)
    for k in range(moves):
        told = [[(beat, down, 1.0) for beat, down in one] for one in rng.random((3, STEPS, 2))]
        ratios = filter_.evidence(told[answers])
        filter_.advance(ratios, rhythm.beats(rng.exponential(1.0, (STEPS, 3))))
        rhythm.between()
        if k % 5 == 4:
            filter_.renew(rng.uniform(0.8, 1.25, filter_.size))
        if k % 40 == 39:
            filter_.coast(123.0, 0.3)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 120),
    st.sampled_from([Trust(), Trust(2.0, accents=False), Trust(tempo=2.0), Trust(0.5, 0.0)]),
    st.integers(2, 4),
)
def test_beliefs_that_are_alike_are_one(seed, frames, trust, count):
    one, several = pointer(trust), pointer(*[trust] * count)
    run(one, seed, frames)
    run(several, seed, frames)
    assert several.marginal() == pytest.approx(one.marginal(), rel=1e-3, abs=1e-7)
    assert several.around(20, 60)[0] == pytest.approx(one.around(20, 60)[0], rel=1e-3, abs=1e-7)
    told, alone = several.joint(20, 60), one.joint(20, 60)
    assert told / told.sum() == pytest.approx(alone / alone.sum(), rel=1e-2, abs=1e-7)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 120), st.permutations([0, 1, 2]))
def test_the_mean_is_that_of_each_kind_alone_in_whatever_order(seed, frames, order):
    trusting = [(Trust(tempo=2.0), Trust(2.0, accents=False), Trust(0.5, tempo=0.0))[k] for k in order]
    together = pointer(*trusting)
    run(together, seed, frames)
    mean = np.zeros(together.size)
    for trust in trusting:
        alone = pointer(trust)
        run(alone, seed, frames)
        mean += alone.marginal() / len(trusting)
    found = together.marginal()
    assert found == pytest.approx(mean, rel=1e-3, abs=1e-6)
    assert found.sum() == pytest.approx(1.0, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 120), st.permutations([0, 1, 2]))
def test_each_belief_goes_by_its_own_answer(seed, frames, order):
    together = pointer(*[Trust(answer=answer) for answer in order])
    run(together, seed, frames, slice(3))
    mean = np.zeros(together.size)
    for answer in order:
        alone = pointer(Trust())
        run(alone, seed, frames, slice(answer, answer + 1))
        mean += alone.marginal() / len(order)
    assert together.marginal() == pytest.approx(mean, rel=1e-3, abs=1e-6)


def test_each_belief_goes_by_the_tempo_as_far_as_it_trusts_it():
    several = pointer(Trust(tempo=2.0), Trust(tempo=1.0), Trust(tempo=0.0))
    before = several.weight.sum(0)
    told = np.linspace(0.5, 1.5, several.size)
    several.renew(told)
    for belief, exponent in enumerate((2.0, 1.0, 0.0)):
        expected = before[belief] * told**exponent
        assert several.weight[:, belief].sum(0) == pytest.approx(expected / expected.sum(), rel=1e-3)


def test_a_network_sure_of_twice_the_tempo_does_not_move_the_clock():
    decoder = BeatDecoder()
    twice = np.full(TEMPO_BINS, 1e-3)
    twice[round(float(tempo_position(np.array([160.0], np.float32))[0]))] = 1.0
    for k, answer in enumerate(pulses(grid(80, 30), 30)):
        decoder.step(answer, (k + 1) / FPS, tempo=twice / twice.sum())
    assert decoder.tempo == pytest.approx(80, rel=0.01)


def test_the_comparison_runs_every_way_on_the_same_answers(tmp_path, capsys):
    sound = clicks(14)
    soundfile.write(tmp_path / "a.flac", sound, SAMPLE_RATE)
    beats = np.arange(0.25, 14.0, 0.5)
    (tmp_path / "a.beats").write_text("".join(f"{t:.3f}\t{k % 4 + 1}\n" for k, t in enumerate(beats)))
    assert trusts.main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(trusts.WAYS)
    shipped = dict(zip(trusts.COLUMNS, map(float, lines[-1].split()[-len(trusts.COLUMNS) :])))
    assert shipped["F70e"] > 0.95
    assert shipped["Acc1"] == 1.0


def test_the_comparison_says_what_is_missing(tmp_path, capsys):
    assert trusts.main([str(tmp_path)]) == 2
    assert "no truth" in capsys.readouterr().err
