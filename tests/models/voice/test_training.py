from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from models.training.spectra import mel_frames
from models.training.synth.voice import Syllable, sing
from models.voice.corpus import gather, keep
from models.voice.features import LONG, SHORT, SIZE, WINDOW, Features
from models.voice.labels import close_gaps, runs, speech_frames
from models.voice.mixing import FRAMES, UNKNOWN, Material, features, scene, talk
from models.voice.train import Scenes, vary, weights
from realtime.errors import UserError

RATE = 24_000


def phrase(seed: int, seconds: float = 3.0) -> np.ndarray:
    """A few sung syllables from 0.5 s on."""
    rng = np.random.default_rng(seed)
    syllables = [Syllable(0.5 + 0.3 * k, 0.28, 50 + 3 * (k % 4), 0.8, "da") for k in range(5)]
    return sing(syllables, int(seconds * RATE), RATE, rng).astype(np.float32)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Three singers, a song with and one without voice, two noises."""
    root = tmp_path_factory.mktemp("material")
    gather(root / "bank", [((phrase(k), f"singer{k}") for k in range(3))])
    rng = np.random.default_rng(0)
    for k, vocals in enumerate(([], [[1.0, 3.0], [3.1, 4.0]])):
        tone = 0.2 * np.sin(2 * np.pi * 220 * np.arange(9 * RATE) / RATE) + 0.01 * rng.standard_normal(9 * RATE)
        soundfile.write(root / f"{k:08d}.flac", tone, RATE)
        instruments = ["bass", "vocal"] if vocals else ["bass"]
        truth = {"vocals": vocals, "instruments": instruments, "duration": 9.0}
        (root / f"{k:08d}.json").write_text(json.dumps(truth))
        soundfile.write(root / f"noise{k}.ogg", 0.1 * rng.standard_normal(5 * 44_100), 44_100)
    return Material(root / "bank", root, root)


def test_speech_is_where_the_energy_is_and_short_pauses_are_speech():
    active = speech_frames(phrase(0))
    first, last = np.flatnonzero(active)[[0, -1]]
    assert 46 <= first <= 51
    assert 190 <= last <= 205
    assert len(runs(close_gaps(active))) == 1


def test_only_pauses_between_speech_are_closed():
    active = np.array([0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0], bool)
    assert close_gaps(active, 2).astype(int).tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0]


def test_noise_alone_is_no_clip():
    rng = np.random.default_rng(1)
    assert keep(0.1 * rng.standard_normal(2 * RATE).astype(np.float32)) is None
    assert keep(np.zeros(RATE, np.float32)) is None


def test_a_clip_is_cut_to_its_speech():
    kept = keep(phrase(1))
    assert kept is not None
    assert 1.4 * RATE < len(kept) < 1.9 * RATE
    assert 0.5 < np.abs(kept).max() <= 1


def test_features_in_bulk_are_those_of_the_plugin():
    sound = 0.1 * np.random.default_rng(2).standard_normal(RATE // 2).astype(np.float32)
    bulk = np.concatenate([mel_frames(sound, SHORT), mel_frames(sound, LONG)], 1)
    live, padded = Features(), np.concatenate([np.zeros(WINDOW - 240, np.float32), sound])
    each = [live.frame(padded[k * 240 : k * 240 + WINDOW]).copy() for k in range(len(bulk))]
    assert np.allclose(bulk, each, atol=1e-4)


def test_scenes_depend_on_their_seed_alone_and_hold_voice_and_none(material):
    shares = []
    for k in range(12):
        x, y = scene(np.random.default_rng(k), material)
        again, same = scene(np.random.default_rng(k), material)
        assert np.array_equal(x, again)
        assert np.array_equal(y, same)
        assert np.abs(x).max() <= 1
        assert features(x).shape == (FRAMES, SIZE)
        assert set(np.unique(y)) <= {0, 1, UNKNOWN}
        shares.append((y == 1).mean())
    assert min(shares) == 0
    assert max(shares) > 0.2


def test_talk_has_pauses(material):
    active = close_gaps(speech_frames(talk(np.random.default_rng(3), material)))
    assert 0.15 < active.mean() < 0.98
    assert runs(~active)


def test_beginnings_weigh_more_and_unknown_frames_nothing():
    label = np.array([0] * 10 + [1] * 30 + [UNKNOWN] * 5 + [0] * 5, np.uint8)
    w = weights(label)
    assert w[10] > w[39] > 0
    assert (w[40:45] == 0).all()
    assert w[0] > w[39]
    ended = weights(np.array([1] * 20 + [0] * 60, np.uint8))
    assert ended[20] > ended[79] > 0


def test_batches_depend_on_seed_and_step_alone(material, tmp_path):
    with pytest.raises(UserError, match="no scenes"):
        Scenes(tmp_path, 2, 1)
    x, y = np.zeros((3, FRAMES, SIZE), np.float16), np.zeros((3, FRAMES), np.uint8)
    for k in range(3):
        sound, y[k] = scene(np.random.default_rng(k), material)
        x[k] = features(sound)
    np.savez(tmp_path / "000.npz", x=x, y=y)
    first, second = Scenes(tmp_path, 4, 7), Scenes(tmp_path, 4, 7)
    a, b = first.batch(5), second.batch(5)
    assert all((p == q).all() for p, q in zip(a, b))
    assert not (a[0] == first.batch(6)[0]).all()
    assert a[0].shape == (400, 4, SIZE)
    assert np.isfinite(vary(x[0].astype(np.float32), np.random.default_rng(0))).all()


def test_missing_material_is_named(tmp_path):
    with pytest.raises(UserError, match="no bank of speech"):
        Material(tmp_path / "bank", tmp_path, tmp_path)
