"""The count of the bar: rows of whole beats, their training data, the live counter."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.beat import barset, beatwise
from models.beat.barnet import BarConfig, BarNet, export
from models.beat.bars import METRES, BarCounter
from models.beat.features import FPS, SIZE, Features
from tests.fixtures.beats import grid


@pytest.fixture(scope="module")
def frames():
    """Features of ten seconds of clicks in noise at 120 BPM, every fourth click lower."""
    rng = np.random.default_rng(3)
    sound = 0.003 * rng.standard_normal(10 * 24_000).astype(np.float32)
    t = np.arange(2000) / 24_000
    for time, number, _ in grid(120, 9.8):
        tone = np.sin(2 * np.pi * (110.0 if number == 1 else 440.0) * t) * np.exp(-30 * t)
        at = int(time * 24_000)
        sound[at : at + 2000] += 0.5 * tone[: len(sound) - at].astype(np.float32)
    return Features().clip(sound)


def test_a_low_beat_differs_from_the_others_in_its_row(frames):
    beats = grid(120, 9.8)
    rows = barset.rows(frames, beats[:, 0])
    ones = beats[:-1, 1] == 1
    low = rows[:, 64:72].mean(axis=1)  # rise of the lowest bands of the long window
    assert low[ones][1:].min() > 2 * low[~ones].max()
    assert rows.shape == (len(beats) - 1, beatwise.SIZE)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(60, 200))
def test_found_beats_rise_and_are_numbered_where_they_are_right(seed, bpm):
    true = grid(bpm, 40)
    rng = np.random.default_rng(seed)
    beats = barset.found(true, rng)
    assert np.all(np.diff(beats[:, 0]) > 0.12)
    near = np.abs(beats[:, 0, None] - true[None, :, 0])
    right = near.min(axis=1) <= 0.07
    assert np.array_equal(beats[:, 1] > 0, right)
    assert np.array_equal(beats[right, 1], true[near.argmin(axis=1)[right], 1])
    numbers, weight = barset.targets(beats)
    assert np.array_equal(weight > 0, right)
    assert np.allclose(numbers.sum(axis=1), weight)


def test_live_rows_are_those_of_training(frames, monkeypatch):
    beats = grid(120, 9.0)[:, 0]
    seen = []
    whole = beatwise.row
    monkeypatch.setattr(beatwise, "row", lambda *a: seen.append(whole(*a)) or seen[-1])
    counter = BarCounter()
    told, late = list(beats), 3.21  # a stream that began earlier
    for k, frame in enumerate(frames):
        end = (k + 1) / FPS
        counter.hear(frame, end + late)
        if told and told[0] < end + 1 / FPS:
            counter.beat(told.pop(0) + late)
    live = np.array(seen)
    seen.clear()
    trained = barset.rows(frames, beats)
    # the last frame of a beat may not be there yet when the next is about to fall
    assert np.abs(live - trained).mean() < 0.01
    assert np.abs(live - trained).max() < 0.3


def test_counting_keeps_a_distribution_and_starts_anew_after_reset(frames):
    def run(counter):
        out = []
        for k, frame in enumerate(frames):
            counter.hear(frame, (k + 1) / FPS)
            if k % 25 == 10:
                out.append(counter.beat((k + 1) / FPS, lost=0.5 * (k == 260)).copy())
                assert out[-1].sum() == pytest.approx(1.0)
        return np.array(out)

    counter = BarCounter()
    first = run(counter)
    assert first.shape[1] == sum(METRES)
    counter.reset()
    assert np.array_equal(run(counter), first)


def test_hours_of_frames_take_no_more_room():
    counter = BarCounter()
    frame = np.ones(SIZE, np.float32)
    size = counter._frames.nbytes
    for k in range(2000):
        counter.hear(frame, (k + 1) / FPS)
        if k % 30 == 0:
            counter.beat((k + 1) / FPS)
    assert counter._frames.nbytes == size


def test_beat_by_beat_equals_all_at_once_and_onnx(tmp_path):
    torch.manual_seed(0)
    net = BarNet(BarConfig(12, 10)).eval()
    x = torch.rand(9, 2, beatwise.SIZE)
    with torch.no_grad():
        bar, _ = net(x, net.initial(2))
        states = net.initial(2)
        for k in range(len(x)):
            one, states = net(x[k : k + 1], states)
            assert torch.allclose(one[0], bar[k], atol=1e-5)
    assert export(net, tmp_path / "bars.onnx") < 1e-4
    session = onnxruntime.InferenceSession(str(tmp_path / "bars.onnx"))
    names = [i.name for i in session.get_inputs()][1:]
    feed = {"frame": x[0].numpy()} | {n: s.numpy() for n, s in zip(names, net.initial(2))}
    assert np.allclose(session.run(None, feed)[0], bar[0].softmax(-1).numpy(), atol=1e-4)
