"""What networks answer, kept beside the music and learnt from."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import torch

from models.beat import answers, train
from models.beat.augment import Sampler
from models.beat.export import export
from models.beat.features import PAIR, SIZE, SPAN, VIEWS, Features
from models.beat.network import HEADS, BeatNet, NetConfig
from models.beat.targets import TEMPO_BINS, frame_times, tempo_position
from models.beat.tracker import HEADS as ANSWERS
from models.dsp.stepper import Stepper
from models.training import loop
from models.training.dataset import cache_features, save_frames
from realtime.errors import UserError
from tests.fixtures.beats import grid

BPM = 120.0


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A small random network, exported."""
    torch.manual_seed(7)
    path = tmp_path_factory.mktemp("net") / "beat.onnx"
    export(BeatNet(NetConfig("ssm", 16, 12, 2)).eval(), path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Three pieces, the last without labels; answered as by one that knows, with nothing to say of the second."""
    sound = 0.1 * np.random.default_rng(0).standard_normal(8 * 24_000)
    for k in range(3):
        beats, valid = (grid(BPM, 8).tolist(), [[0.0, 8.0]]) if k < 2 else ([], [])
        soundfile.write(tmp_path / f"{k:08d}.flac", sound, 24_000)
        (tmp_path / f"{k:08d}.json").write_text(json.dumps({"duration": 8.0, "beats": beats, "valid": valid}))
    for path in cache_features(tmp_path, tmp_path / "features", Features()):
        told = np.zeros((len(np.load(path)), sum(HEADS)), np.float32)
        near = np.abs(frame_times(len(told))[:, None] - grid(BPM, 8)[:, 0]).min(1)
        told[:, 0] = np.clip(1 - near / 0.03, 0, 1)
        told[:, 2 + round(float(tempo_position(np.float32(BPM))))] = 1.0
        if path.stem != "00000001":
            save_frames(answers.kept(path), told)
    return tmp_path


def test_a_view_of_features_is_the_features_of_the_view():
    block = np.random.default_rng(1).standard_normal(SPAN).astype(np.float32)
    plain, bare = Features().views(block)
    assert np.allclose(answers.seen(plain, VIEWS[1]), bare, atol=1e-4)
    assert np.isfinite(answers.seen(np.zeros(SIZE, np.float32), VIEWS[1])).all()


def test_a_panel_answers_with_the_mean_of_what_the_tracker_would_hear(network):
    x = np.random.default_rng(2).random((30, SIZE), np.float32)
    told = answers.Panel([network])([x, x[:10]])
    live = Stepper(network, ANSWERS, len(VIEWS))
    for k in range(0, 30, PAIR):
        *said, _ = live.step(np.stack([answers.seen(x[k : k + PAIR], g) for g in VIEWS]))
        both = np.concatenate([head.mean(0) for head in said], -1)
        assert np.allclose(told.whole()[k : k + PAIR, 0], both, atol=1e-4)
    assert np.allclose(told.whole()[:10, 0], told.whole()[:10, 1], atol=1e-5)


def test_several_networks_are_kept_apart_and_answer_together(network):
    x = np.random.default_rng(3).random((12, SIZE), np.float32)
    told = answers.Panel([network, network])([x])
    assert told.beat.shape == (2, 12, 1)
    assert told.tempo.shape == (2, 12, 1, TEMPO_BINS)
    assert np.allclose(told.whole(), answers.Panel([network])([x]).whole(), atol=1e-6)


def test_a_folder_is_answered_once(folder, network, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["answers", str(folder), "--networks", str(network)])
    answers.main()
    assert "1 answered, 2 had been" in capsys.readouterr().out
    told = np.load(folder / "answers" / "00000001.npy").astype(np.float32)
    assert len(told) == len(np.load(folder / "features" / "00000001.npy"))
    assert np.allclose(told[:, 2 : 2 + TEMPO_BINS].sum(1), 1, atol=0.02)
    answers.main()
    assert "0 answered, 3 had been" in capsys.readouterr().out
    (folder / "empty").mkdir()
    monkeypatch.setattr("sys.argv", ["answers", str(folder / "empty"), "--networks", str(network)])
    with pytest.raises(UserError, match="no features"):
        answers.main()


def sampler(folder, batch=40):
    return Sampler([(folder, folder / "features", 1)], 150, batch, seed=4, taught=True)


def test_answers_are_drawn_with_or_without_labels_but_not_the_other_way_round(folder):
    assert sorted(piece.name for piece, _ in sampler(folder).items) == ["00000000", "00000002"]
    labelled = Sampler([(folder, folder / "features", 1)], 150, 4, seed=4)
    assert sorted(piece.name for piece, _ in labelled.items) == ["00000000", "00000001"]


def test_answers_lie_where_the_truth_does_whatever_the_speed(folder):
    x, targets, taught, sounds = sampler(folder).lesson(3)
    assert x.shape == (150, 40, SIZE)
    assert taught.tempo.shape == (150, 40, TEMPO_BINS)
    known = torch.from_numpy(targets.weight > 0) & (sounds > 0)
    assert known.float().mean() > 0.2
    assert (taught.beat - torch.from_numpy(targets.beat))[known].abs().max() < 0.4  # triangles between frames
    assert not taught.beat[sounds == 0].any()
    inside = known & torch.from_numpy(targets.tempo > 0)
    mean = (taught.tempo * torch.arange(TEMPO_BINS)).sum(-1)
    at_speed = torch.from_numpy(tempo_position(targets.tempo))
    assert at_speed[inside].max() - at_speed[inside].min() > 1, "speeds differ"
    assert (mean - at_speed)[inside].abs().max() < 0.6


def test_a_network_learns_from_what_is_kept(folder, tmp_path, monkeypatch):
    out = tmp_path / "run"
    held_out = folder / "00000007"  # one seed in fifty
    for name in (".flac", ".json"):
        held_out.with_suffix(name).write_bytes((folder / "00000000").with_suffix(name).read_bytes())
    command = ["train", "--data", str(folder), "--out", str(out), "--answers", "--core", "ssm", "--front", "16"]
    command += ["--hidden", "12", "--layers", "1", "--seconds", "3", "--batch", "4", "--steps", "3"]
    monkeypatch.setattr("sys.argv", command)
    train.main()
    log = (out / "log.csv").read_text()
    assert "soft_beat=" in log
    assert "soft_metre=" in log
    assert loop.load(out / "final.pt")["step"] == 3
    assert (out / "beat.onnx").exists()
