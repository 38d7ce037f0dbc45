"""An ensemble taught to one network."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from models.beat.distill import Teachers, losses, recovered
from models.beat.export import export
from models.beat.features import PAIR, SIZE
from models.beat.network import BeatNet, NetConfig
from models.beat.tracker import HEADS
from models.dsp.stepper import Stepper
from realtime.errors import UserError


@pytest.fixture(scope="module", params=[1, 2])
def ensemble(request, tmp_path_factory):
    """One or two random networks with scaled input and lively norms, exported."""
    torch.manual_seed(4)
    nets = [BeatNet(NetConfig("ssm", 16, 12, 2)).eval() for _ in range(request.param)]
    for net in nets:
        for name, weight in net.named_parameters():
            if "norms" in name:
                torch.nn.init.uniform_(weight, 0.5, 1.5)
        net.mean.uniform_(0, 1)
        net.scale.uniform_(0.5, 2)
    path = tmp_path_factory.mktemp("net") / "beat.onnx"
    export(nets, path)
    return nets, path


def test_networks_come_back_out_of_the_file(ensemble):
    nets, path = ensemble
    x = torch.rand(30, 2, SIZE)
    for net, back in zip(nets, recovered(path)):
        with torch.no_grad():
            one, other = net(x, net.initial(2))[0], back.eval()(x, back.initial(2))[0]
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(one, other))


def test_teachers_answer_as_the_file_does_live(ensemble):
    _, path = ensemble
    x = torch.rand(20, 1, SIZE)
    taught = Teachers(path)(x)
    live = Stepper(path, HEADS)
    for k in range(0, len(x), PAIR):
        pulse, tempo, phase, *_ = live.step(x[k : k + PAIR, 0].numpy())
        assert np.allclose(pulse[:, 0], taught.beat[k : k + PAIR, 0].numpy(), atol=1e-4)
        assert np.allclose(tempo, taught.tempo[k : k + PAIR, 0].numpy(), atol=1e-4)
        assert np.allclose(phase, taught.phase[k : k + PAIR, 0].numpy(), atol=1e-4)


def test_nothing_is_learnt_from_a_teacher_that_says_the_same(ensemble):
    nets, path = ensemble
    teachers = Teachers(path)
    x = torch.rand(120, 2, SIZE)
    taught = teachers(x)
    logits = [taught.beat.logit(), taught.downbeat.logit(), *(head.log() for head in taught[2:])]
    own = type(taught)(*(head.requires_grad_() for head in logits))
    total = torch.stack(list(losses(own, taught, torch.ones(120, 2)).values())).sum()
    for gradient in torch.autograd.grad(total, own):
        assert gradient.abs().max() < 1e-6
    stranger = BeatNet(nets[0].config).eval()
    other = stranger(x, stranger.initial(2))[0]
    assert torch.stack(list(losses(other, taught, torch.ones(120, 2)).values())).sum() > total


def test_another_file_is_refused(tmp_path):
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [info], [info])
    onnx.save(helper.make_model(graph), tmp_path / "other.onnx")
    with pytest.raises(UserError, match=r"other\.onnx"):
        recovered(tmp_path / "other.onnx")
