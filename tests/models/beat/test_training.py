from __future__ import annotations

import contextlib
import json

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch

from models.beat.augment import Sampler
from models.beat.export import export
from models.beat.features import PAIR, SIZE, Features
from models.beat.network import BeatNet, NetConfig, _Ring, _Scan
from models.beat.targets import build, frame_times
from models.beat.train import losses
from models.training import loop
from models.training.dataset import cache_features, cached_pieces, is_validation, pieces
from realtime.errors import UserError
from tests.fixtures.beats import grid

CORES = [
    NetConfig("gru", 16, 16, 1),
    NetConfig("tcn", 16, 12, 3),
    NetConfig("ssm", 16, 16, 2),
    NetConfig("ssm", 16, 16, 1, resonators=True),
]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Three short pieces in the renderer's format, and their feature cache."""
    data, cache = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("cache")
    rng = np.random.default_rng(0)
    for k, bpm in enumerate((100.0, 128.0, 150.0)):
        beats = grid(bpm, 8)
        sound = 0.01 * rng.standard_normal(8 * 24_000)
        for t in beats[:, 0]:
            sound[int(t * 24_000) :][:400] += 0.5 * rng.standard_normal(400)[: len(sound[int(t * 24_000) :])]
        soundfile.write(data / f"{k:08d}.flac", np.clip(sound, -1, 1), 24_000)
        truth = {"seed": k, "duration": 8.0, "beats": beats.tolist(), "valid": [[0.0, 8.0]]}
        (data / f"{k:08d}.json").write_text(json.dumps(truth))
    assert len(list(cache_features(data, cache, Features()))) == 3
    return data, cache


def test_cache_is_filled_once_and_holds_what_the_plugin_sees(rendered):
    data, cache = rendered
    assert list(cache_features(data, cache, Features())) == []
    (piece, path), *_ = cached_pieces(data, cache)
    sound, _ = soundfile.read(piece.audio, dtype="float32")
    assert np.allclose(np.load(path), Features().clip(sound), atol=2e-3)


def test_a_folder_without_pieces_is_named(tmp_path):
    with pytest.raises(UserError, match=str(tmp_path)):
        pieces(tmp_path)


def test_one_seed_in_fifty_is_held_out():
    assert [n for n in range(200) if is_validation(f"{n:08d}")] == [7, 57, 107, 157]


def test_targets_lie_where_the_beats_are():
    beats = grid(120, 6)
    times = frame_times(300)
    t = build(times, beats, np.array([[0.0, 3.0]]))
    peaks = times[t.beat > 0.6]
    assert np.abs(peaks[:, None] - beats[None, :, 0]).min(1).max() < 0.012
    assert t.weight[times > 3.01].max() == 0
    inside = (times > 0.4) & (times < 5)
    assert np.allclose(t.tempo[inside], 120)
    one = np.argmin(np.abs(times - (beats[0, 0] + 0.01)))
    assert t.phase[one] == 0
    assert t.metre[one] == 2


def test_batches_depend_on_seed_and_step_alone(rendered):
    first, second = (Sampler([(*rendered, 1)], 150, 3, seed=5) for _ in range(2))
    x, targets = first.batch(3)
    y, same = second.batch(3)
    assert torch.equal(x, y)
    assert all(np.array_equal(a, b) for a, b in zip(targets, same))
    assert not torch.equal(x, first.batch(4)[0])
    assert x.shape == (150, 3, SIZE)
    assert torch.isfinite(x).all()


@pytest.mark.parametrize("config", CORES, ids=lambda c: c.core + "-ring" * c.resonators)
def test_frame_by_frame_equals_all_at_once(config):
    torch.manual_seed(0)
    net = BeatNet(config).eval()
    if net.ring is not None:
        torch.nn.init.normal_(net.ring.leave.weight, 0.0, 0.1)
    x = torch.rand(40, 2, SIZE)
    with torch.no_grad():
        whole, _ = net(x, net.initial(2))
        states = net.initial(2)
        for k in range(len(x)):
            part, states = net(x[k : k + 1], states)
            assert torch.allclose(part.beat[0], whole.beat[k], atol=1e-5)
            assert torch.allclose(part.tempo[0], whole.tempo[k], atol=1e-5)


@pytest.mark.parametrize("config", CORES, ids=lambda c: c.core + "-ring" * c.resonators)
def test_onnx_equals_torch_for_any_batch(config, tmp_path):
    torch.manual_seed(1)
    net = BeatNet(config)
    assert export(net, tmp_path / "net.onnx") < 1e-4
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    for batch in (1, 4):
        shapes = {i.name: [batch if isinstance(n, str) else n for n in i.shape] for i in session.get_inputs()}
        assert shapes["frame"] == [batch, PAIR, SIZE]
        feed = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        assert session.run(None, feed)[0].shape == (batch, PAIR, 2)


def test_gradient_of_the_scan_is_right():
    torch.manual_seed(2)
    a = torch.rand(7, 2, 3, dtype=torch.double, requires_grad=True)
    b = torch.randn(7, 2, 3, dtype=torch.double, requires_grad=True)
    h = torch.randn(2, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(_Scan.apply, (a, b, h))


def test_gradient_of_the_resonators_is_right():
    torch.manual_seed(3)
    u = torch.randn(6, 2, 3, dtype=torch.double, requires_grad=True)
    pole = torch.polar(0.9 * torch.rand(4, dtype=torch.double), 3 * torch.rand(4, dtype=torch.double))
    h = torch.randn(2, 3, 4, dtype=torch.cdouble)
    assert torch.autograd.gradcheck(lambda u: torch.view_as_real(_Ring.apply(u, pole, h)), (u,))


def _run(rendered, out, steps):
    torch.manual_seed(0)
    sampler = Sampler([(*rendered, 1)], 100, 4, seed=1)
    net = BeatNet(NetConfig("ssm", 16, 16, 1), mixed=False)
    seen = []

    def step(number, model):
        x, targets = sampler.batch(number)
        terms = losses(model(x, net.initial(4))[0], targets)
        seen.append(float(sum(terms.values()).detach()))
        return terms

    config = loop.LoopConfig(8, 3e-3, warmup=2, validate_every=100, save_every=0.0)
    if steps < 8:  # a run that is stopped half way: the loop ends by an error after its last checkpoint
        whole = step

        def step(number, model):
            if number == steps:
                raise KeyboardInterrupt
            return whole(number, model)

    mean = {}
    with contextlib.suppress(KeyboardInterrupt):
        mean = loop.train(net, step, lambda model: {}, out, config, {"seed": 1})
    return mean, seen


def test_training_learns_and_a_stopped_run_goes_on_where_it_was(rendered, tmp_path):
    straight, seen = _run(rendered, tmp_path / "a", 8)
    assert seen[-1] < seen[0]
    _run(rendered, tmp_path / "b", 4)
    resumed, _ = _run(rendered, tmp_path / "b", 8)
    assert all(torch.allclose(straight[k], resumed[k], atol=1e-6) for k in straight)


def test_average_of_checkpoints_is_their_mean():
    states = [{"w": torch.full((2,), v), "n": torch.tensor(3)} for v in (1.0, 2.0)]
    assert torch.equal(loop.average(states)["w"], torch.full((2,), 1.5))
