from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.beat.features import (
    CENTRES,
    FPS,
    HOP,
    MOVE,
    PAIR,
    SAMPLE_RATE,
    SIZE,
    SPAN,
    VIEWS,
    WINDOW,
    Features,
    blocks,
)
from models.beat.plugin import Beat
from models.beat.tracker import HEADS, SECOND, WEIGHTS, Tracker
from models.dsp.offline import drive, prepared
from models.dsp.programme import Programme
from models.dsp.stepper import Stepper
from realtime.errors import UserError


def clicks(seconds: float, bpm: float = 120.0, seed: int = 0) -> np.ndarray:
    """A kick on every beat and hats between, loud and plain."""
    rng = np.random.default_rng(seed)
    n = int(seconds * SAMPLE_RATE)
    out = 0.002 * rng.standard_normal(n)
    t = np.arange(int(0.12 * SAMPLE_RATE)) / SAMPLE_RATE
    kick = np.sin(2 * np.pi * (50 * t + 4 * (1 - np.exp(-40 * t)))) * np.exp(-25 * t)
    hat = 0.2 * rng.standard_normal(len(t)) * np.exp(-80 * t)
    for k, at in enumerate(np.arange(0.25, seconds - 0.2, 30.0 / bpm)):
        i = int(at * SAMPLE_RATE)
        out[i : i + len(t)] += hat if k % 2 else kick
    return (0.5 * out).astype(np.float32)


def _observations(found):
    return [(time, f.value) for time, f in found if f.output == "pulse"]


def test_a_plain_beat_is_followed():
    found = _observations(drive(prepared(Beat), clicks(12)))
    last = found[-1][1]
    assert min(abs(last.tempo - bpm) for bpm in (60, 120, 240)) < 1.5
    assert last.evidence
    assert last.confidence > 0.5


def test_it_says_whether_there_is_music():
    hiss = 0.05 * np.random.default_rng(1).standard_normal(8 * SAMPLE_RATE).astype(np.float32)
    for sound, musical in ((clicks(8), True), (hiss, False)):
        said = [f.value for _, f in drive(prepared(Beat), sound) if f.output == "music"]
        assert len(said) == 8 * SAMPLE_RATE // MOVE
        assert (said[-1] > 0.5) == musical
        assert 0 <= min(said) <= max(said) <= 1


def test_every_frame_has_its_activation():
    told = [(f.time, *f.value) for _, f in drive(prepared(Beat), clicks(3)) if f.output == "activation"]
    time, beat, downbeat = np.array(told).T
    assert np.allclose(np.diff(time), HOP / SAMPLE_RATE)
    assert len(told) == 3 * SAMPLE_RATE // HOP
    assert 0 <= min(beat.min(), downbeat.min()) <= max(beat.max(), downbeat.max()) <= 1


def test_every_hop_gives_one_observation_about_sound_that_was_heard():
    found = _observations(drive(prepared(Beat), clicks(3)))
    assert len(found) == 3 * SAMPLE_RATE // MOVE
    for end, o in found:
        assert o.time <= end
        assert 0 <= o.phase < 1
        assert 0 <= o.confidence <= 1
        assert 0 <= o.downbeat_confidence <= 1
        assert o.beat_in_bar <= o.beats_per_bar


def test_reset_equals_a_new_instance_and_two_instances_do_not_meet():
    first, second = prepared(Beat), prepared(Beat)
    sound, other = clicks(4), clicks(4, 140, 1)
    expected = drive(first, sound)
    drive(second, other)
    second.reset()
    assert drive(second, sound) == expected


def test_what_comes_later_changes_nothing_before():
    sound = clicks(6)
    whole, part = drive(prepared(Beat), sound), drive(prepared(Beat), sound[: 3 * SAMPLE_RATE])
    assert whole[: len(part)] == part


@pytest.mark.parametrize("level", [0.0, 1e-6, 30.0])
def test_silence_whisper_and_overload_stay_finite(level):
    sound = level * np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE)
    for _, o in _observations(drive(prepared(Beat), sound)):
        assert np.isfinite([o.time, o.tempo, o.phase, o.confidence]).all()


def test_the_tempo_window_is_kept():
    plugin = prepared(Beat, low_bpm=60, high_bpm=100)
    assert 59 <= _observations(drive(plugin, clicks(10)))[-1][1].tempo <= 101


def test_live_features_are_training_features():
    sound = clicks(2)
    features = Features()
    whole = features.clip(sound)
    padded = np.concatenate([np.zeros(WINDOW - HOP, np.float32), sound])
    for k in (0, 7, len(whole) - 1):
        assert np.array_equal(features.frame(padded[k * HOP : k * HOP + WINDOW]), whole[k])
    assert whole.shape[1] == SIZE


@pytest.mark.parametrize("weights", [WEIGHTS, SECOND])
def test_the_shipped_networks_answer_with_probabilities(weights):
    network = Stepper(weights, HEADS)
    for frames in Features().clip(clicks(1)).reshape(-1, PAIR, SIZE):
        for answer in network.step(frames):
            assert ((answer >= 0) & (answer <= 1)).all()


def test_views_are_the_frame_with_some_bands_turned_down():
    features = Features()
    at = CENTRES
    sound = clicks(1)
    for end in range(SPAN, len(sound), 777):
        block = sound[end - SPAN : end]
        whole = np.stack([features.frame(block[k * HOP :][:WINDOW], 3.0 + k).copy() for k in range(PAIR)])
        plain, without_bass = features.views(block, (3.0, 4.0))
        assert plain == pytest.approx(whole, abs=1e-5)
        assert np.array_equal(without_bass[:, at >= 300], plain[:, at >= 300])
        less = np.expm1(whole[:, at < 300] * np.log(10.0)) / 100
        assert without_bass[:, at < 300] == pytest.approx(np.log1p(less) / np.log(10.0), abs=1e-4)


def test_streams_beside_one_another_are_as_each_alone():
    streams = [Features().clip(clicks(1) * gain).reshape(-1, PAIR, SIZE) for gain in (1.0, 0.1)]
    together, alone = Stepper(WEIGHTS, HEADS, 2), [Stepper(WEIGHTS, HEADS) for _ in range(2)]
    for k, frames in enumerate(zip(*streams)):
        if k == 10:
            together.reset()
            for one in alone:
                one.reset()
        answers = together.step(np.stack(frames))
        for n, one in enumerate(alone):
            for found, expected in zip(answers, one.step(frames[n])):
                assert found[n] == pytest.approx(expected, abs=1e-4)


def test_the_decoder_is_told_of_the_sound_as_it_is_and_of_the_mean_of_both_views_by_both_networks():
    tracker, features = Tracker(), Features()
    network, second = (Stepper(path, HEADS, len(VIEWS)) for path in (WEIGHTS, SECOND))
    programme, sound, frames = Programme(FPS), clicks(2), 0
    for block, end in blocks(sound):
        told = tracker.hear(block, end)
        gains = [programme.gain for hop in block[-MOVE:].reshape(-1, HOP) if not programme.hear(hop)]
        views = features.views(block, gains)
        (pulse, tempo, phase, *_), (other, *_) = network.step(views), second.step(views)
        for k, heard in enumerate(told):
            frames += 1
            assert heard.end == pytest.approx(frames * HOP / SAMPLE_RATE)
            assert heard.pulse[0] == pytest.approx(pulse[0, k], abs=1e-6)
            assert heard.pulse[1] == pytest.approx(pulse[:, k].mean(0), abs=1e-6)
            assert heard.pulse[2] == pytest.approx(other[:, k].mean(0), abs=1e-6)
            assert heard.tempo == pytest.approx(tempo[:, k], abs=1e-6)
            assert heard.phase == pytest.approx(phase[0, k], abs=1e-6)
    assert frames == len(sound) // HOP


def test_missing_and_foreign_weights_are_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.onnx"):
        Stepper(tmp_path / "none.onnx", HEADS)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(WEIGHTS.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"broken\.onnx"):
        Stepper(broken, HEADS)


def test_the_descriptor_says_what_it_gives():
    descriptor = Beat.descriptor
    assert descriptor.latency <= 0.046
    assert {o.identifier: o.kind for o in descriptor.outputs} == {
        "pulse": "observation",
        "activation": "vector",
        "music": "value",
    }
    assert dataclasses.is_dataclass(descriptor)
