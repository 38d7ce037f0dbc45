from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch

from models.drums.augment import Sampler, vary
from models.drums.features import FPS, LABELS, SPEC, Features
from models.drums.targets import ANY, CLASS, OUTPUTS, build
from models.drums.train import losses
from models.training.causal import CausalConfig, CausalNet, export
from models.training.dataset import cache_features
from models.training.spectra import mel_frames
from realtime.hosting.spectral import LogMelSpec, frames


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Two short pieces in the renderer's format, and their feature cache."""
    data, cache = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("cache")
    rng = np.random.default_rng(0)
    for k in range(2):
        sound = 0.002 * rng.standard_normal(6 * 24_000)
        hits = [[float(t), LABELS[i % 3], 0.5] for i, t in enumerate(np.arange(0.3, 5.5, 0.4))]
        for t, _, _ in hits:
            sound[int(t * 24_000) :][:600] += 0.4 * rng.standard_normal(600)
        soundfile.write(data / f"{k:08d}.flac", np.clip(sound, -1, 1), 24_000)
        truth = {"duration": 6.0, "beats": [], "valid": [], "drums": hits, "instruments": ["drums"]}
        (data / f"{k:08d}.json").write_text(json.dumps(truth))
    assert len(list(cache_features(data, cache, Features()))) == 2
    return data, cache


@pytest.mark.parametrize("spec", [SPEC, LogMelSpec(24_000, 240, 1024, 64, 60.0, 4000.0, 1e5)])
def test_frames_in_bulk_are_those_of_the_live_front_end(spec):
    sound = 0.1 * np.random.default_rng(1).standard_normal(24_000).astype(np.float32)
    assert np.allclose(mel_frames(sound, spec), frames(sound, spec), atol=2e-6)


def test_targets_lie_where_the_hit_shows():
    t = build([(0.5, "snare", 0.7)], 20, 200)
    ends = (np.arange(200) + 21) / FPS
    for column, (low, high) in ((0, ANY), (2, CLASS)):
        shown = ends[t.hit[:, column] > 0]
        assert len(shown) == 2
        assert low - 1e-6 <= shown.min() - 0.5 <= shown.max() - 0.5 < high
        unjudged = ends[t.weight[:, column] == 0]
        assert len(unjudged) == 4
        assert np.abs(unjudged - 0.5).max() < 0.035
    assert t.hit[:, [1, 3, 4, 5, 6]].max() == 0
    assert t.strength[t.hit[:, 2] > 0, 1] == pytest.approx([0.7, 0.7])


def test_inaudible_hits_are_not_judged():
    t = build([(0.5, "kick", 0.01)], 0, 200)
    assert t.hit.max() == 0
    assert (t.weight[:, :2] == 0).sum() == 12


def test_batches_depend_on_seed_and_step_alone(rendered):
    first, second = (Sampler([rendered], 150, 3, seed=5) for _ in range(2))
    x, targets = first.batch(3)
    y, same = second.batch(3)
    assert torch.equal(x, y)
    assert all(np.array_equal(a, b) for a, b in zip(targets, same))
    assert not torch.equal(x, first.batch(4)[0])
    assert x.shape == (150, 3, SPEC.bands)


def test_variation_changes_level_but_stays_a_spectrum(rendered):
    x = np.load(next(rendered[1].glob("*.npy"))).astype(np.float32)
    y = vary(x, np.random.default_rng(2))
    assert y.shape == x.shape
    assert np.isfinite(y).all()
    assert y.min() >= 0
    assert np.corrcoef(x.mean(1), y.mean(1))[0, 1] > 0.5


def test_a_few_steps_lower_the_loss(rendered):
    torch.manual_seed(0)
    sampler = Sampler([rendered], 200, 4, seed=1)
    net = CausalNet(CausalConfig(SPEC.bands, OUTPUTS, 16, 16))
    net.normalise(sampler.batch(99)[0])
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    seen = []
    for k in range(12):
        x, targets = sampler.batch(k)
        total = sum(losses(net(x, net.initial(4))[0], targets).values())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        seen.append(float(total.detach()))
    assert seen[-1] < 0.5 * seen[0]


@pytest.mark.parametrize("layers", [1, 2])
def test_frame_by_frame_equals_all_at_once_and_onnx_equals_torch(layers, tmp_path):
    torch.manual_seed(0)
    net = CausalNet(CausalConfig(20, 3, 16, 12, layers)).eval()
    x = torch.rand(30, 2, 20)
    path = tmp_path / "net.onnx"
    assert export(net, path) < 1e-4
    session = onnxruntime.InferenceSession(str(path))
    names = [i.name for i in session.get_inputs()][1:]
    with torch.no_grad():
        whole = net(x, net.initial(2))[0].sigmoid().numpy()
    states = [s.numpy() for s in net.initial(2)]
    for k in range(len(x)):
        answer, *states = session.run(None, {"frame": x[k].numpy(), **dict(zip(names, states))})
        assert np.allclose(answer, whole[k], atol=1e-4)
