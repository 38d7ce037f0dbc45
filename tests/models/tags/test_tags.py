"""Tags: silence, plain cases, truth of rendered clips, network step by step, scores."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import torch

from models.dsp.offline import drive, prepared
from models.scoring.roc import auc
from models.tags import bench
from models.tags.export import export
from models.tags.features import SPEC, Frames
from models.tags.labels import LEARNT, TAGS
from models.tags.network import TagNet
from models.tags.plugin import Tags
from models.tags.render import fold, make
from models.tags.truth import clip_truth, piece_truth
from models.training.mix import Stage
from realtime.errors import UserError
from realtime.hosting.spectral import frames

RATE = 24_000


def values(sound: np.ndarray, **parameters: float) -> dict[str, float]:
    """The last value of every tag."""
    found = drive(prepared(Tags, **parameters), sound)
    return {f.output: f.value for _, f in found if isinstance(f.value, float)}


def kit(seconds: float, seed: int = 0) -> np.ndarray:
    """Kick and hi-hat."""
    rng, t = np.random.default_rng(seed), np.arange(int(seconds * RATE)) / RATE
    kick = np.sin(2 * np.pi * 55 * (t % 0.5) + 5 * np.exp(-(t % 0.5) / 0.02)) * np.exp(-(t % 0.5) / 0.12)
    hat = rng.standard_normal(len(t)) * np.exp(-((t + 0.25) % 0.5) / 0.02)
    hat = np.diff(hat, prepend=0)
    return (0.5 * kick + 0.15 * hat).astype(np.float32)


def test_frames_are_those_of_the_host():
    x = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    assert np.allclose(Frames().clip(x), frames(x, SPEC)[:40], atol=1e-4)


def test_silence_is_silence_and_nothing_else():
    found = values(np.zeros(3 * RATE, np.float32))
    assert found["silence"] > 0.95
    assert max(found[t] for t in TAGS[1:]) < 0.05


def test_the_threshold_of_silence_is_a_parameter():
    x = 0.003 * np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)  # -50 dBFS
    assert values(x)["silence"] < 0.1
    assert values(x, silence_db=-40.0)["silence"] > 0.9


def test_drums_are_drums():
    found = values(kit(5))
    assert found["drums"] > 0.7
    assert found["speech"] < 0.3
    assert found["silence"] < 0.1


def test_embedding_has_unit_length_and_tells_sounds_apart():
    def heard(sound: np.ndarray) -> np.ndarray:
        last = [f for _, f in drive(prepared(Tags), sound) if f.output == "embedding"][-1]
        return np.array(last.value)

    t = np.arange(5 * RATE) / RATE
    tone = sum(0.05 * np.sin(2 * np.pi * 220 * h * t) / h for h in range(1, 9)).astype(np.float32)
    one, two, other = heard(kit(5)), heard(kit(5, seed=4)), heard(tone)
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-3)
    assert one @ two > one @ other


def test_smoothing_is_a_live_parameter():
    plugin = prepared(Tags, smoothing=0.0)
    drive(plugin, kit(3))
    plugin.parameter("smoothing", 10.0)
    after = [f.value for _, f in drive(plugin, np.zeros(RATE, np.float32)) if f.output == "silence"]
    assert after[-1] < 0.3  # a slow mean has not turned within a second


def test_onnx_equals_torch_and_batches_are_free(tmp_path):
    torch.manual_seed(0)
    assert export(TagNet(), tmp_path / "tags.onnx") <= 1e-4


def test_streams_of_a_batch_do_not_mix_and_steps_equal_a_sequence():
    torch.manual_seed(0)
    net, x = TagNet().eval(), 3 * torch.rand(12, 3, 4, 80)
    with torch.no_grad():
        whole, _, _ = net(x, net.initial(3))
        alone = net.initial(1)
        for k in range(len(x)):
            one, _, alone = net(x[k : k + 1, 1:2], alone)
            assert torch.allclose(whole[k, 1:2], one[0], atol=1e-5)


def test_what_has_not_been_heard_yet_does_not_count():
    torch.manual_seed(0)
    net = TagNet().eval()
    steady = torch.rand(1, 1, 1, 80).expand(40, 1, 4, 80)
    with torch.no_grad():
        logits, _, _ = net(steady, net.initial(1))
        louder, _, _ = net(steady + 1, net.initial(1))
    assert torch.allclose(logits[8], logits[-1], atol=0.05)
    assert (logits[-1] - louder[-1]).abs().max() < 0.5  # loudness hardly counts


def test_truth_asks_only_where_it_is_clear():
    levels = {"drums": [0] * 30 + [-120] * 30, "guitar": [-27] * 60}
    target, weight = clip_truth({"levels": levels}, 60)
    drums, guitar = LEARNT.index("drums"), LEARNT.index("guitar")
    assert target[:30, drums].all()
    assert not target[50:, drums].any()
    assert not weight[40, drums]  # what has just ended may still ring
    assert weight[55, drums]
    assert not weight[10, guitar]  # too soft beside the drums to be sure
    assert target[50, guitar]
    assert weight[50, guitar]


def test_song_alone_is_not_asked_whether_it_is_music():
    _, weight = clip_truth({"levels": {"singing": [0] * 20}}, 20)
    assert not weight[10, LEARNT.index("music")]


def test_pieces_tell_of_drums_and_music():
    truth = {"vocals": [[2.0, 3.0]], "drums": [[1.0, "kick", 0.9]]}
    times = np.arange(0.1, 6.0, 0.1)
    target, weight = piece_truth(truth, times, np.ones(len(times), bool))
    drums, singing = LEARNT.index("drums"), LEARNT.index("singing")
    assert target[12, drums]
    assert not target[40, drums]
    assert not weight[25, singing]
    assert weight[5, singing]


def test_notes_are_folded_into_a_range():
    assert [n[2] for n in fold([(0, 1, 20, 1), (0, 1, 100, 1)], 40, 60)] == [44, 52]


def test_a_clip_is_the_same_each_time_and_has_levels():
    stage = Stage(None)
    (one, truth), (two, again) = make(5, stage), make(5, stage)
    assert np.array_equal(one, two)
    assert truth == again
    assert np.abs(one).max() < 1
    assert truth["levels"]


def test_scores():
    label, value = np.array([1, 1, 0, 0]) > 0, np.array([0.9, 0.4, 0.5, 0.1])
    assert auc(label, value) == pytest.approx(0.75)
    assert bench.average_precision(label, value) == pytest.approx((1 + 2 / 3) / 2)


def test_bench_reads_rendered_clips(tmp_path):
    soundfile.write(tmp_path / "00000007.flac", kit(3), RATE)
    levels = {"drums": [0] * 30}
    (tmp_path / "00000007.json").write_text(json.dumps({"levels": levels, "duration": 3.0}))
    rows = bench.rendered(tmp_path, bench.Listener())
    assert [r["tag"] for r in rows] == [*LEARNT, "mean"]


def test_bench_names_a_folder_without_sound(tmp_path):
    with pytest.raises(UserError, match=str(tmp_path)):
        bench.recordings(tmp_path, bench.Listener())
