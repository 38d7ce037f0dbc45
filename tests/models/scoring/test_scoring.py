"""Our scores against mir_eval's on random data, and the parts that mir_eval has not on cases worked by hand."""

from __future__ import annotations

from pathlib import Path

import mir_eval
import numpy as np
import pytest
import soundfile

from models.scoring import onsets, pitch, voice
from realtime.errors import UserError


@pytest.mark.parametrize("seed", range(5))
def test_onset_f_equals_mir_eval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.sort(rng.uniform(0, 20, 60))
    found = np.sort(np.concatenate([truth[::2] + rng.normal(0, 0.04, 30), rng.uniform(0, 20, 20)]))
    rows = np.stack([found, found + 0.01], axis=1)
    got = onsets.score({"a": truth}, {"a": rows})
    for key, window, times in (("F50", 0.05, found), ("F25", 0.025, found), ("F50e", 0.05, found + 0.01)):
        assert got[key] == pytest.approx(mir_eval.onset.f_measure(truth, times, window=window)[0])


@pytest.mark.parametrize("seed", range(5))
def test_pitch_shares_equal_mir_eval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.arange(300) * 0.01
    f0 = np.where(rng.random(300) < 0.7, 110 * 2 ** rng.uniform(0, 3, 300), 0.0)
    found = np.maximum(f0, 100) * 2 ** rng.choice([0.0, 0.01, 1.0, 0.3], 300, p=[0.6, 0.2, 0.1, 0.1])
    told = rng.random(300) < 0.8
    truth = np.stack([times, f0], axis=1)
    got = pitch.score({"a": truth}, {}, {"a": np.stack([times, found, told, times], axis=1)})
    want = mir_eval.melody.evaluate(times, f0, times, np.where(told, found, -found))
    assert got["RPA"] == pytest.approx(want["Raw Pitch Accuracy"])
    assert got["RCA"] == pytest.approx(want["Raw Chroma Accuracy"])
    assert got["VR"] == pytest.approx(want["Voicing Recall"])
    assert got["VFA"] == pytest.approx(want["Voicing False Alarm"])
    assert got["OA"] == pytest.approx(want["Overall Accuracy"])


def test_step_response_waits_for_three_right_frames() -> None:
    times = np.arange(100) * 0.01
    hz = np.where(times < 0.5, 200.0, 300.0)
    hz[52] = 100.0
    rows = np.stack([times, hz, np.ones(100), times + 0.005], axis=1)
    assert pitch.steps(rows, np.array([[0.5, 300.0]])) == pytest.approx([0.035])
    assert np.isnan(pitch.steps(rows, np.array([[0.5, 400.0]]))[0])


def test_voice_figures_by_hand() -> None:
    truth = np.array([[0, 1, 0], [1, 2, 1], [2, 3, 0.0]])
    times = np.arange(1, 301) / 100
    value = np.where((times > 1.05) & (times <= 2.0), 0.9, 0.1)
    got = voice.score({"a": truth}, {"a": np.stack([times, value], axis=1)})
    assert got["onset p50 ms"] == pytest.approx(60)
    assert got["false alarm rate"] == 0
    assert got["F1"] == pytest.approx(2 * 95 / 195)
    assert got["AUC"] == pytest.approx(0.95 + 0.05 / 2)
    music = voice.score({"m": np.array([[0, 3, 0.0]])}, {"m": np.stack([times, value], axis=1)})
    assert music == pytest.approx({"alarms per min": 20, "share on": 95 / 300})


def test_benches_run_over_a_folder(tmp_path: Path) -> None:
    rate, t = 16_000, np.arange(32_000) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * 220 * t) * (t > 0.5)
    for kind, truth in (("pitch", "0.6\t220\n1.0\t220\n1.5\t220\n"), ("vad", "0\t0.5\t0\n0.5\t2.0\t1\n")):
        for part in ("audio", "truth", "rivals/other"):
            (tmp_path / kind / "set" / part).mkdir(parents=True)
        soundfile.write(tmp_path / kind / "set/audio/x.wav", tone, rate)
        (tmp_path / kind / "set/truth/x.tsv").write_text(truth)
    (tmp_path / "pitch/set/rivals/other/x.txt").write_text("0.6 220 1 0.61\n1.0 440 1 1.01\n1.5 0 0 1.51\n")
    (tmp_path / "vad/set/rivals/other/x.txt").write_text("0.01 0.9\n")
    ours, other = pitch.run(tmp_path / "pitch")["set"]
    assert ours["RPA"] == 1.0
    assert other["RPA"] == pytest.approx(1 / 3)
    hosted = pitch.run(tmp_path / "pitch", ["pitch"])["set"][1]
    assert (hosted["tracker"], hosted["RPA"], hosted["VR"]) == ("pitch, hosted", 1.0, 1.0)
    with pytest.raises(UserError, match="needs an output 'hz'"):
        pitch.run(tmp_path / "pitch", ["level"])
    assert [r["detector"] for r in voice.run(tmp_path / "vad")["set"]] == ["sidechain", "other"]

    (tmp_path / "onsets/truth").mkdir(parents=True)
    (tmp_path / "onsets/full/audio").mkdir(parents=True)
    soundfile.write(tmp_path / "onsets/full/audio/x.wav", tone, rate)
    (tmp_path / "onsets/truth/x_class.txt").write_text("0.5 \t KD\n0.51 SD\n")
    assert onsets.run(tmp_path / "onsets")["full"][0]["recall"] == 1.0


@pytest.mark.parametrize("bench", [onsets, pitch, voice])
def test_empty_folder_is_a_user_error(bench: object, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no recordings"):
        bench.run(tmp_path)  # type: ignore[attr-defined]
