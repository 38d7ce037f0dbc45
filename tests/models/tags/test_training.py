"""Training the tags: patches, scenes mixed in frames and their truth, losses."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from models.tags import fonts
from models.tags.blend import ABSENT, UNKNOWN, Stems, scene, truth
from models.tags.features import BANDS, Frames
from models.tags.labels import FAMILIES, LEARNT
from models.tags.stems import KINDS, melody
from models.tags.train import losses, vary
from realtime.errors import UserError

RATE = 24_000
UNKNOWN_LABELS = np.full((50, 12), UNKNOWN, np.uint8)


def write_patch(path: Path, wave: np.ndarray, root: float) -> None:
    """A Gravis patch with one looped 16-bit sample."""
    raw = (wave * 32767).astype("<i2").tobytes()
    head = struct.pack("<7sBIIIHIII", b"one", 0, len(raw), 0, len(raw), RATE, 20_000, 20_000_000, int(root * 1000))
    front = bytearray(129 + 63 + 47)
    front[198] = 1
    path.write_bytes(bytes(front) + head + bytes(55 - len(head)) + bytes([1 | 4]) + bytes(40) + raw)


def test_a_patch_is_played_at_pitch_and_held_by_its_loop(tmp_path):
    wave = 0.5 * np.sin(2 * np.pi * 400 * np.arange(240) / RATE)
    write_patch(tmp_path / "073_Flute.pat", wave, 400.0)
    key = 69 + 12 * np.log2(800 / 440)
    found = fonts.play(tmp_path, 73, [(0.1, 0.6, key, 1.0)], RATE, RATE)
    assert found is not None
    assert np.abs(found[: RATE // 10]).max() == 0
    assert np.abs(found[-RATE // 20 :]).max() < 0.01
    spectrum = np.abs(np.fft.rfft(found[4800:14400]))
    assert np.argmax(spectrum) * RATE / 9600 == pytest.approx(800, abs=3)
    assert fonts.play(tmp_path, 40, [], RATE, RATE) is None


def test_every_family_has_programs_and_one_font_is_held_out():
    assert set(FAMILIES) - {"drums"} <= set(fonts.PROGRAMS)
    assert fonts.FONTS[fonts.HELD_OUT][0] == 0


def test_melodies_stay_near_their_range():
    rng = np.random.default_rng(0)
    for _ in range(50):
        keys = [n[2] for n in melody(rng, 50, 70)]
        assert min(keys) >= 46
        assert max(keys) <= 74


def test_truth_of_a_scene_follows_from_levels():
    flute, kit = np.full(50, 60.0), np.full(50, 60.0)
    kit[20:] = 0.0
    target, weight = truth(["winds", "drums"], np.array([flute, kit]), [UNKNOWN_LABELS] * 2)
    winds, drums, speech = (LEARNT.index(t) for t in ("winds", "drums", "speech"))
    assert target[:, winds].all()
    assert target[:20, drums].all()
    assert not target[40:, drums].any()
    assert not weight[30, drums]  # what has just ended may still ring
    assert weight[45, drums]
    assert weight[:, speech].all()
    assert not target[:, speech].any()


def test_recorded_music_says_nothing_about_families():
    labels = UNKNOWN_LABELS.copy()
    labels[:, :4] = (ABSENT, ABSENT, 1, ABSENT)
    target, weight = truth(["recorded"], np.full((1, 50), 60.0), [labels])
    assert target[:, LEARNT.index("music")].all()
    assert weight[:, :4].all()
    assert not weight[:, 4:].any()


def stems() -> Stems:
    """Noise of a band each for every kind."""
    rng, frames = np.random.default_rng(0), Frames()
    made = frames.clip(0.1 * rng.standard_normal(5 * RATE).astype(np.float32)).astype(np.float16)
    return Stems(dict.fromkeys(KINDS, made[None]), {k: np.zeros((1, 50, 12), np.uint8) for k in KINDS})


def test_scenes_are_the_same_each_time():
    found = stems()
    for k in range(12):
        one, again = (scene(np.random.default_rng(k), found) for _ in range(2))
        assert one[0].shape == (50, 4, BANDS)
        assert np.isfinite(one[0]).all()
        assert all(np.array_equal(a, b) for a, b in zip(one, again))


def test_a_folder_without_stems_is_named(tmp_path):
    with pytest.raises(UserError, match=str(tmp_path)):
        Stems.load(tmp_path, False)


def test_other_devices_hear_the_same_shape():
    x = np.random.default_rng(0).uniform(0, 4, (40, BANDS)).astype(np.float32)
    y = vary(x, np.random.default_rng(1))
    assert y.shape == x.shape
    assert np.isfinite(y).all()


def test_a_right_answer_costs_less():
    target, weight = torch.zeros(5, 2, 12), torch.ones(5, 2, 12)
    target[..., LEARNT.index("winds")] = 1
    right, wrong = losses(8 * target - 4, target, weight), losses(4 - 8 * target, target, weight)
    assert right["bce"] < wrong["bce"]
    assert right["family"] < wrong["family"]
