"""The head that tells music from everything else: fitted to a network that stays as it is, and what ships."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from models.beat import music
from models.beat.bench import track
from models.beat.distill import recovered
from models.beat.export import export
from models.beat.features import PAIR, SAMPLE_RATE, SIZE, blocks
from models.beat.network import BeatNet, NetConfig
from models.beat.tracker import HEADS, Tracker
from models.dsp.stepper import Stepper
from models.voice.noises import made_noise
from realtime.bench.sounds import read_sound
from realtime.errors import UserError
from realtime.preset import TransportSettings


@pytest.fixture
def tracks(tmp_path):
    """Tracks of each kind: chords for music, hiss for the rest."""
    rng = np.random.default_rng(1)
    t = np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * f * t) for f in (220.0, 277.0, 330.0)) * (0.2 + (t * 2 % 1 < 0.3))
    for kind in music.KINDS:
        musical = kind in ("music", "sung")
        rows = [2000 * (chord if musical else rng.standard_normal(len(t))) for _ in range(2)]
        np.save(tmp_path / f"{kind}.npy", np.array(rows).astype(np.int16))
    return tmp_path


def test_only_the_new_head_changes_and_it_tells_chords_from_hiss(tracks, tmp_path, monkeypatch, capsys):
    torch.manual_seed(1)
    net = BeatNet(NetConfig("ssm", front=32, hidden=24, layers=2)).eval()
    before, after = tmp_path / "before.onnx", tmp_path / "after.onnx"
    export(net, before)
    monkeypatch.setattr(sys, "argv", ["music", str(after), str(before), "--tracks", str(tracks), "--scenes", "12"])
    music.main()
    told = capsys.readouterr().out.splitlines()
    assert float(told[0].split()[-4]) > 0.8 > 0.2 > float(told[1].split()[-4])
    one, other = Stepper(before, HEADS), Stepper(after, HEADS)
    for frames in np.random.default_rng(2).random((10, PAIR, SIZE), np.float32):
        *same, neutral = (a.copy() for a in one.step(frames))
        *kept, new = (a.copy() for a in other.step(frames))
        assert neutral == pytest.approx(0.5)
        assert new != pytest.approx(0.5)
        for a, b in zip(same, kept):
            np.testing.assert_allclose(a, b, atol=1e-6)
    assert recovered(after)[0].music.weight.abs().sum() > 0


def test_the_fit_finds_what_made_the_data():
    rng = np.random.default_rng(3)
    x = rng.normal(2.0, 3.0, (20_000, 3))
    right = x @ [0.5, -1.0, 0.2] + 0.7
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-right))).astype(float)
    weights, constant = music.fit(x, y)
    assert np.allclose([*weights, constant], [0.5, -1.0, 0.2, 0.7], atol=0.12)


def test_scenes_depend_on_their_number_alone(tracks):
    found = [music.Tracks(tracks).scene(np.random.default_rng((1, k)), bool(k)) for k in (0, 1, 0)]
    assert np.array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])
    assert len(found[0]) == music.PARTS * 8 * SAMPLE_RATE


def test_tracks_that_are_not_there_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no tracks .*models\.voice\.tracks"):
        music.Tracks(tmp_path)


def _said(sound: np.ndarray) -> list[float]:
    """What the shipped tracker makes of a sound, a value a pair of frames."""
    tracker, said = Tracker(), []
    for block, end in blocks(sound):
        tracker.step(block, end)
        said.append(tracker.decoder.music.value)
    return said


def test_the_demo_is_music():
    sound, rate = read_sound("demo")
    mono = sound.mean(1)[:: rate // SAMPLE_RATE] if sound.ndim > 1 else sound[:: rate // SAMPLE_RATE]
    assert np.median(_said(mono[: 10 * SAMPLE_RATE].astype(np.float32))) > 2.0


@pytest.mark.parametrize("seed", [0, 2, 3, 4, 6, 7])  # none that ticks or knocks: that has a pulse, or may have
def test_noises_are_none_and_do_not_lock_the_clock(seed):
    sound = 0.1 * made_noise(np.random.default_rng(seed), 20 * SAMPLE_RATE, SAMPLE_RATE)
    sound = (0.1 * sound / np.sqrt(np.mean(sound**2))).astype(np.float32)
    assert np.median(_said(sound)) < 0.0
    sent, _ = track(sound, Tracker(), TransportSettings())
    assert not len(sent)
