"""The mel CNN: pictures, labels, training on a handful of pieces, and the plugin on sound."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from models.dsp.offline import drive, prepared
from models.melcnn import train
from models.melcnn.features import LENGTH, SIZE, SPEC, SPREAD, Picture, level
from models.melcnn.labels import GENRES, PARTS, genre
from models.melcnn.network import Answer, MelCNN
from models.melcnn.plugin import WEIGHTS
from models.melcnn.plugin import MelCNN as Plugin
from models.scoring.roc import auc
from realtime.hosting.inference import open_session
from realtime.hosting.spectral import frames

RATE = SPEC.sample_rate


def music(seconds: float, seed: int = 0) -> np.ndarray:
    rng, t = np.random.default_rng(seed), np.arange(int(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * 110 * h * t) / h for h in range(1, 6))
    return (0.05 * tone + 0.3 * rng.standard_normal(len(t)) * np.exp(-(t % 0.5) / 0.03)).astype(np.float32)


def test_a_picture_is_the_hosts_log_mel() -> None:
    x = music(5)[-LENGTH - SPEC.hop * 4 :]
    whole = frames(x, SPEC)
    used = len(x) // SPEC.hop * SPEC.hop
    assert np.allclose(Picture().raw(x[used - LENGTH : used]).T, whole[-SIZE:], atol=1e-4)


def test_loudness_hardly_counts() -> None:
    picture = Picture()
    x = 0.1 * np.random.default_rng(0).standard_normal(LENGTH).astype(np.float32)
    raw = [picture.raw(g * x) for g in (1.0, 0.3)]
    loud, soft = level(raw[0]), level(raw[1])
    assert np.abs(loud - soft).mean() < 0.2 * np.abs(raw[0] - raw[1]).mean() / SPREAD
    assert loud.mean() == pytest.approx(0, abs=1e-4)


def test_styles_have_families() -> None:
    assert GENRES[genre("techno")] == "electronic"
    assert GENRES[genre("pop_house")] == "pop"
    assert GENRES[genre("groove_jazz")] == "jazz"
    assert genre("five") == -1
    assert genre("cut:house+rock") == -1


def test_truth_is_of_the_moment() -> None:
    piece = {
        "source": "composer",
        "instruments": ["drums", "bass", "vocal"],
        "drums": [[1.0, "kick", 0.9], [1.5, "snare", 0.9]],
        "vocals": [[10.0, 12.0]],
    }
    early, late = train.truth(piece, 0.5, 3.0), train.truth(piece, 9.5, 12.5)
    assert dict(zip(PARTS, early)) == {"drums": 1, "bass": 1, "chords": 0, "pad": 0, "lead": 0, "vocal": 0}
    assert (late[0], late[-1]) == (0, 1)


def test_auc() -> None:
    assert auc(np.array([True, True, False, False]), np.array([0.9, 0.4, 0.5, 0.1])) == pytest.approx(0.75)
    assert math.isnan(auc(np.array([True]), np.array([0.5])))


def test_training_runs_and_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "BATCH", 4)
    monkeypatch.setattr(train, "PICTURES", 2)
    for seed, style in ((1, "techno"), (2, "rock"), (7, "techno"), (57, "rock")):
        soundfile.write(tmp_path / f"{seed:08d}.flac", music(13, seed), RATE)
        piece = {"seed": seed, "source": "composer", "style": style, "duration": 13.0, "instruments": ["drums"]}
        piece |= {"drums": [[t, "kick", 1.0] for t in range(13)], "vocals": []}
        (tmp_path / f"{seed:08d}.json").write_text(json.dumps(piece))
    found = train.train(tmp_path, tmp_path / "out", steps=2, seed=1)
    assert 0 <= found["genre"] <= 1
    session = open_session(tmp_path / "out" / "melcnn.onnx")
    for count in (1, 2):
        genres, parts = session.run(None, {"picture": np.zeros((count, SIZE, SIZE), np.float32)})
        assert genres.shape == (count, len(GENRES))
        assert parts.shape == (count, len(PARTS))


def test_onnx_equals_torch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    assert train.export(MelCNN(), tmp_path / "x.onnx") <= 1e-4
    with torch.no_grad():
        genres, parts = Answer(MelCNN().eval())(torch.randn(2, SIZE, SIZE))
    assert torch.allclose(genres.sum(1), torch.ones(2))
    assert ((parts >= 0) & (parts <= 1)).all()


# -- the weights that ship ---------------------------------------------------------------------------------------


def test_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size < 2_000_000


def test_scores_are_in_range_and_genres_sum_to_one() -> None:
    found = drive(prepared(Plugin), music(4))
    last = {f.output: f for _, f in found}
    assert set(last) == {o.identifier for o in Plugin.descriptor.outputs}
    assert sum(float(str(last[g].value)) for g in GENRES) == pytest.approx(1, abs=1e-3)
    assert all(0 <= float(str(last[f"part_{p}"].value)) <= 1 for p in PARTS)
    assert last["genre"].label in GENRES


def test_drums_are_told_from_a_held_tone() -> None:
    t = np.arange(5 * RATE) / RATE
    tone = (0.1 * sum(np.sin(2 * np.pi * 220 * h * t) / h for h in range(1, 9))).astype(np.float32)
    with_drums, without = (
        [float(str(f.value)) for _, f in drive(prepared(Plugin), x) if f.output == "part_drums"][-1]
        for x in (music(5), tone)
    )
    assert with_drums > without


def test_silence_and_hostile_sound() -> None:
    silent = drive(prepared(Plugin), np.zeros(RATE, np.float32))
    assert {f.output for _, f in silent} == {"genre", "confidence"}
    for x in (np.full(RATE, 1e-42), 16 * np.sign(np.random.default_rng(0).standard_normal(4 * RATE))):
        for _, feature in drive(prepared(Plugin), x):
            assert feature.value is None or math.isfinite(float(str(feature.value)))


def test_the_future_changes_nothing_and_reset_forgets() -> None:
    x = music(4)
    plugin = prepared(Plugin)
    first = drive(plugin, x)
    plugin.reset()
    assert drive(plugin, x) == first
    assert drive(prepared(Plugin), x[: 3 * RATE]) == [f for f in first if f[0] <= 3.0 + 1e-9]
