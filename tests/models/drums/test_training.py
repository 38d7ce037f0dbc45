from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch

from models.drums.features import FPS, LABELS, RATE, SIZE
from models.drums.kits import strike
from models.drums.network import DrumNet, Shape, export
from models.drums.scenes import COUNT, Kinds, Scenes
from models.drums.targets import ANY, CLASS, build
from models.drums.train import losses
from models.training.synth import drums as synth


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """An accompaniment as ``backing`` writes it, and a piece as ``render`` writes it."""
    backing, mixes = tmp_path_factory.mktemp("backing"), tmp_path_factory.mktemp("mixes")
    rng = np.random.default_rng(0)
    voices = ("kick", "hat", "snare", "open_hat", "crash")
    hits = [[float(t), voices[i % 5], 0.7] for i, t in enumerate(np.arange(0.3, 5.5, 0.3))]
    np.save(backing / "00000001.npy", (2000 * rng.standard_normal((2, 6 * RATE))).astype(np.int16))
    (backing / "00000001.json").write_text(json.dumps({"duration": 6.0, "hits": hits}))
    soundfile.write(mixes / "00000002.flac", 0.1 * rng.standard_normal(6 * RATE), RATE)
    rows = [[t, LABELS[i % 3], v] for i, (t, _, v) in enumerate(hits)]
    (mixes / "00000002.json").write_text(json.dumps({"duration": 6.0, "drums": rows}))
    return backing, mixes


def scenes(folders, **kinds: float) -> Scenes:
    given = dict.fromkeys(("alone", "band", "other", "silent", "piece"), 0.0) | kinds
    return Scenes(None, *folders, batch=3, seed=5, kinds=Kinds(**given) if kinds else None, kits=4)


def test_targets_lie_where_the_hit_shows():
    t = build([(0.503, "snare", 0.7)], 20, 200)
    ends = (np.arange(200) + 21) / FPS
    for column, (low, high) in ((0, ANY), (2, CLASS)):
        shown = ends[t.hit[:, column] > 0]
        assert len(shown) == 2
        assert low - 1e-6 <= shown.min() - 0.503 <= shown.max() - 0.503 < high
        unjudged = ends[t.weight[:, column] == 0]
        assert len(unjudged) == 2
        assert np.abs(unjudged - 0.503).max() < 0.039
    assert t.hit[:, [1, 3, 4, 5, 6]].max() == 0
    assert t.strength[t.hit[:, 2] > 0, 1] == pytest.approx([0.7, 0.7])


def test_inaudible_hits_are_not_judged():
    t = build([(0.503, "kick", 0.01)], 0, 200)
    assert t.hit.max() == 0
    assert (t.weight[:, :2] == 0).sum() == 8


def test_drums_sound_where_they_are_struck_and_hats_are_closed():
    kit = synth.kit(np.random.default_rng(3), RATE)
    x = strike(
        np.random.default_rng(1), [kit], [(0.1, "kick", 0.9), (0.5, "open_hat", 0.9), (0.6, "hat", 0.2)], RATE
    )
    assert not x[: int(0.099 * RATE)].any()
    assert x[int(0.1 * RATE) : int(0.11 * RATE)].any()
    tails = strike(np.random.default_rng(1), [kit], [(-0.01, "kick", 0.9)], RATE)
    assert tails[:10].any()


def test_batches_depend_on_seed_and_step_alone(folders):
    first, second = scenes(folders), scenes(folders)
    x, targets = first.batch(3)
    y, same = second.batch(3)
    assert torch.equal(x, y)
    assert all(np.array_equal(a, b) for a, b in zip(targets, same))
    assert not torch.equal(x, first.batch(4)[0])
    assert x.shape == (255, 3, SIZE)
    assert torch.isfinite(x).all()


def test_scenes_may_be_longer(folders):
    drawn = Scenes(None, *folders, batch=2, seed=5, kits=4, count=2 * COUNT)
    assert drawn.batch(0)[0].shape == (528, 2, SIZE)


def test_a_band_alone_has_no_hits_and_other_scenes_have(folders):
    rng = np.random.default_rng(4)
    assert all(not scenes(folders, silent=1).scene(rng)[1] for _ in range(4))
    for kind in ("alone", "band", "other", "piece"):
        sound, hits, band = scenes(folders, **{kind: 1}).scene(rng)
        assert len(hits) > 3
        assert band == {"alone": 0, "piece": -1}.get(kind, 1)
        assert 0.005 < np.sqrt(np.mean(sound**2)) < 0.5


def test_a_few_steps_lower_the_loss(folders):
    torch.manual_seed(0)
    drawn = scenes(folders, alone=1)
    net = DrumNet(Shape(front=24, hidden=16))
    net.normalise(drawn.batch(99)[0])
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    seen = []
    for k in range(12):
        x, targets = drawn.batch(k)
        total = sum(losses(net(x, net.initial(3))[0], targets).values())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        seen.append(float(total.detach()))
    assert seen[-1] < 0.6 * seen[0]


def test_frame_by_frame_equals_all_at_once_and_onnx_equals_torch(tmp_path):
    torch.manual_seed(0)
    net = DrumNet(Shape(front=16, hidden=12)).eval()
    net.normalise(torch.rand(40, 2, SIZE))
    x = torch.rand(30, 2, SIZE)
    path = tmp_path / "net.onnx"
    assert export(net, path) < 1e-4
    session = onnxruntime.InferenceSession(str(path))
    names = [i.name for i in session.get_inputs()][1:]
    with torch.no_grad():
        whole = net(x, net.initial(2))[0].sigmoid().numpy()
    states = [
        np.zeros([n if isinstance(n, int) else 2 for n in i.shape], np.float32) for i in session.get_inputs()[1:]
    ]
    for k in range(len(x)):
        answer, *states = session.run(None, {"frame": x[k].numpy(), **dict(zip(names, states))})
        assert np.allclose(answer, whole[k], atol=1e-4)
