from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import torch

from models.dsp.stepper import Stepper
from models.training.spans import runs
from models.training.synth.voice import Syllable, sing
from models.voice.corpus import gather, keep
from models.voice.features import (
    BANDS,
    EVERY,
    HOP,
    RANGES,
    SHORT,
    SIZE,
    WINDOW,
    Features,
    bank,
    beside,
    mel,
    ripple,
    ripples,
    window,
)  # fmt: skip
from models.voice.labels import close_gaps, speech_frames
from models.voice.mixing import Mixer, Tracks, response, weights
from models.voice.network import VoiceConfig, VoiceNet, export, import_step
from models.voice.noises import made_noise
from models.voice.tracks import FRAMES, LENGTH, UNKNOWN, Material, make, sung, talk
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


@pytest.mark.parametrize("length", [SHORT, WINDOW])
def test_the_window_rises_slowly_falls_fast_and_peaks_at_one_for_a_full_sine(length):
    w = window(length)
    assert length - 2 * HOP < np.argmax(w) < length - HOP / 2
    tone = np.sin(2 * np.pi * 1500 / RATE * np.arange(length)).astype(np.float32)
    assert np.abs(np.fft.rfft(tone * w)).max() == pytest.approx(1, abs=0.01)


def test_features_in_bulk_are_those_of_the_plugin():
    sound = 0.1 * np.random.default_rng(2).standard_normal(RATE // 2).astype(np.float32)
    padded = np.concatenate([np.zeros(WINDOW - HOP, np.float32), sound])
    spans = np.stack([padded[k * HOP : k * HOP + WINDOW] for k in range(len(sound) // HOP)])
    filters = bank()
    spectra = mel(np.abs(np.fft.rfft(spans[:, -SHORT:] * window(SHORT))[:, : len(filters)]), filters)
    close = ripple(np.abs(np.fft.rfft(spans[::EVERY] * window(WINDOW))), ripples())
    bulk = beside(np.concatenate([spectra, np.repeat(close, EVERY, 0)[: len(spans)]], 1))
    live = Features()
    for _ in range(2):
        assert np.allclose(bulk, [live.frame(span).copy() for span in spans], atol=1e-4)
        live.reset()


def test_steady_noise_hardly_stands_above_the_background_and_a_long_burst_does():
    x = 2 + 0.1 * np.random.default_rng(3).standard_normal((900, BANDS + RANGES)).astype(np.float32)
    x[500:600] += 1
    x[700:] -= 1
    height = beside(x)[:, BANDS : 2 * BANDS].mean(1)
    assert height[300:500].max() < 0.3
    assert height[500:600].min() > 0.8
    assert height[600:700].max() < 0.3
    assert np.abs(height[760:]).max() < 0.3


@pytest.mark.parametrize("pitch", [90.0, 140.0, 250.0, 400.0])
def test_the_ripple_is_strongest_in_the_range_of_the_pitch(pitch):
    t = np.arange(WINDOW) / RATE
    sound = sum(np.cos(2 * np.pi * pitch * k * t + k * k) / k for k in range(1, int(2000 / pitch)))
    hiss = 1e-3 * np.random.default_rng(1).standard_normal(WINDOW)
    live = Features()
    toned = live.frame((0.1 * sound + hiss).astype(np.float32))[3 * BANDS :].copy()
    live.reset()
    plain = live.frame(hiss.astype(np.float32))[3 * BANDS :].copy()
    assert np.argmax(toned) == np.searchsorted([115, 190, 310], pitch)
    assert toned.max() > 1.5 * plain.max()


def test_a_frame_at_a_time_is_the_network(tmp_path):
    torch.manual_seed(0)
    net = VoiceNet(VoiceConfig(8, 6)).eval()
    x = torch.rand(9, 1, SIZE)
    net.normalise(x)
    assert export(net, tmp_path / "voice.onnx") < 1e-4
    stepper = Stepper(tmp_path / "voice.onnx", ("probability",))
    with torch.no_grad():
        whole = net(x, net.initial(1))[0].sigmoid().numpy().ravel()
    each = [float(stepper.step(frame[0].numpy())[0][0]) for frame in x]
    assert np.allclose(whole, each, atol=1e-5)


def test_an_exported_network_can_be_trained_on(tmp_path):
    torch.manual_seed(1)
    net, other = VoiceNet(VoiceConfig(8, 6)).eval(), VoiceNet(VoiceConfig(8, 6)).eval()
    x = torch.rand(9, 2, SIZE)
    net.normalise(x)
    export(net, tmp_path / "voice.onnx")
    other.normalise(3 * x - 1)
    import_step(other, tmp_path / "voice.onnx")
    with torch.no_grad():
        before, after = (n(x, n.initial(2))[0] for n in (net, other))
    assert torch.allclose(before, after, atol=1e-4)


@pytest.mark.parametrize("seed", range(24))
def test_made_noise_is_sound(seed):
    x = made_noise(np.random.default_rng(seed), 2 * RATE, RATE)
    assert x.shape == (2 * RATE,)
    assert np.isfinite(x).all()
    assert x.std() > 0


def test_a_microphone_has_a_gain_at_every_frequency():
    hertz = np.arange(300) * 24.0
    for seed in range(20):
        gain = response(np.random.default_rng(seed), hertz)
        assert gain.shape == hertz.shape
        assert (gain > 0).all()
        assert (gain < 10).all()


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


def test_what_is_sung_is_told_and_its_edges_are_not_judged(material):
    x, label = sung(np.random.default_rng(0), material)
    assert x.shape == (LENGTH,)
    assert set(np.unique(label)) == {0, 1, UNKNOWN}


def test_a_track_is_heard_faster_and_slower_with_its_labels(material, tmp_path):
    make(tmp_path, material, {"voice": 1, "music": 1, "noise": 1, "sung": 1}, 5)
    tracks = Tracks(tmp_path)
    cuts = [tracks.cut(np.random.default_rng(k), "voice", 600) for k in range(12)]
    assert {len(x) for x, _ in cuts} == {600 * HOP}
    assert len({x.tobytes() for x, _ in cuts}) > 8
    for x, label in cuts:
        level = np.abs(x).reshape(600, HOP).mean(1)
        if 0 < label.mean() < 1:
            assert level[label == 1].mean() > 4 * level[label == 0].mean()


def test_tracks_and_batches_depend_on_the_seed_alone_and_hold_voice_and_none(material, tmp_path):
    with pytest.raises(UserError, match="no tracks"):
        Mixer(tmp_path, 2, 1)
    counts = {"voice": 3, "music": 2, "noise": 2, "sung": 1}
    make(tmp_path / "one", material, counts, 5)
    make(tmp_path / "two", material, counts, 5)
    for kind in counts:
        name = f"{kind}.npy"
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    first, second = (Mixer(tmp_path / k, 12, 7, 300) for k in ("one", "two"))
    a, b = first.batch(5), second.batch(5)
    assert all((p == q).all() for p, q in zip(a, b))
    assert not (a[0] == first.batch(6)[0]).all()
    assert a[0].shape == (300, 12, SIZE)
    assert np.isfinite(a[0]).all()
    assert 0 == a[1].mean(0).min() < a[1].mean(0).max()
    share = a[3]
    assert share.shape == (300, 12, BANDS // 3)
    assert 0 <= share[share != -1].min() < share.max() <= 1
    sound, _, label, weight = first.scene(np.random.default_rng(1))
    assert np.abs(sound).max() <= 1
    assert label.shape == weight.shape == (300,)
    assert FRAMES >= 300


def test_missing_material_is_named(tmp_path):
    with pytest.raises(UserError, match="no bank of speech"):
        Material(tmp_path / "bank", tmp_path, tmp_path)
