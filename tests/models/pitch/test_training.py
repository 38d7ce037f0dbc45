"""Scenes with exact labels, and a training that goes from them to ONNX."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from models.pitch import scenes, train
from models.pitch.backing import Music, chords
from models.pitch.features import HOP, SIZE
from models.pitch.network import NetConfig, PitchNet, export
from models.pitch.voices import FRAMES, LENGTH, SECONDS, track, waves
from models.training import loop
from realtime.errors import UserError


@pytest.fixture
def material(tmp_path: Path) -> scenes.Material:
    """A rendered piece that may be used and two that may not; no speech, no recorded noise."""
    rng = np.random.default_rng(0)
    parts: list[tuple[list[list[int]], list[str]]]
    parts = [([], ["bass", "pad"]), ([[1, 2]], ["vocal", "pad"]), ([], ["lead", "pad"])]
    n = 7 * 24_000
    for k, (vocals, instruments) in enumerate(parts):
        tone = 0.2 * np.sin(2 * np.pi * 220 * np.arange(n) / 24_000) + 0.01 * rng.standard_normal(n)
        soundfile.write(tmp_path / f"{k:08d}.flac", tone, 24_000)
        truth = {"vocals": vocals, "instruments": instruments, "duration": 7.0}
        (tmp_path / f"{k:08d}.json").write_text(json.dumps(truth))
    return scenes.Material(tmp_path, None, None)


def test_labels_are_where_the_sound_is() -> None:
    off = []
    for seed in range(100, 104):
        voice = waves(np.random.default_rng(seed))
        found, strength, _ = track(0.3 * voice.sound)
        sure = (voice.pitch > 100) & (strength > 0.8)
        off.append(np.abs(1200 * np.log2(found[sure] / voice.pitch[sure])))
    assert np.median(np.concatenate(off)) < 15
    assert (np.concatenate(off) < 50).mean() > 0.9


def test_only_music_without_voice_and_lead_accompanies(material: scenes.Material, tmp_path: Path) -> None:
    assert [path.name for path, _ in Music(tmp_path)._songs] == ["00000000.flac"]
    assert material.music.cut(np.random.default_rng(0)).shape == (LENGTH,)


def test_chords_go_on_and_are_at_unit_level() -> None:
    x = chords(np.random.default_rng(3))
    assert np.isfinite(x).all()
    assert np.sqrt(np.mean(x**2)) == pytest.approx(1, rel=0.01)
    assert (np.abs(x).reshape(SECONDS, -1).max(1) > 0.1).all()


def test_a_scene_depends_on_its_number_and_seed_alone(material: scenes.Material) -> None:
    first, again = scenes.scene(3, 1, material), scenes.scene(3, 1, material)
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert first.sound.shape == (LENGTH,)
    assert first.pitch.shape == (FRAMES,)
    assert first.pitch.max() < 2100
    assert not np.array_equal(first.sound, scenes.scene(4, 1, material).sound)


def test_frame_by_frame_is_the_sequence() -> None:
    torch.manual_seed(0)
    net = PitchNet(NetConfig()).eval()
    x = torch.rand(12, 2, SIZE)
    with torch.no_grad():
        pitch, voiced, _ = net(x, net.initial(2))
        states = net.initial(2)
        for k in range(12):
            one, said, states = net(x[k : k + 1], states)
            assert torch.allclose(one[0], pitch[k], atol=1e-4)
            assert torch.allclose(said[0], voiced[k], atol=1e-4)
    assert loop.parameters(net) < 200_000


def test_training_learns_and_exports(tmp_path: Path) -> None:
    """Two tones, told apart after a few steps."""
    torch.manual_seed(0)
    hz, n = np.array([[200.0], [300.0]], np.float32), np.arange(60 * HOP)
    sound = (10_000 * np.sin(2 * np.pi * hz * n / 16_000)).astype(np.int16)
    told = {"pitch": hz.repeat(60, 1), "weight": np.full((2, 60), 16, np.uint8)}
    np.savez(tmp_path / "000.npz", sound=sound, peak=np.full(2, 0.3, np.float32), **told)
    found = train.Scenes(tmp_path, 4, 0, 20)
    net = PitchNet(NetConfig(front=4, width=8, memory=4, near=4, whole=8))
    optimiser = torch.optim.Adam(net.parameters(), 0.02)
    for step in range(40):
        x, wanted, weights = found.batch(step)
        pitch, voiced, _ = net(x, net.initial(4))
        terms = train.losses(pitch, voiced, wanted, weights)
        optimiser.zero_grad()
        sum(terms.values(), torch.zeros(())).backward()
        optimiser.step()
    with torch.no_grad():
        learned = train.Validator(train.Scenes(tmp_path, 4, 0, 20), 1)(net.eval())
    assert learned["right"] > 0.9
    assert export(net, tmp_path / "pitch.onnx") < 1e-4


def test_no_scenes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=str(tmp_path)):
        train.Scenes(tmp_path, 1, 0, 10)
