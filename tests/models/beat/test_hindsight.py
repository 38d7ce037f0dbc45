"""Labelling of music without truth: the smoother finds planted beats, and doubt stays masked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from models.beat import answers, hindsight, smooth
from models.beat.features import FPS, LABEL_DELAY
from models.beat.targets import TEMPO_BINS, frame_times, tempo_position
from models.training.dataset import cached_pieces

Times = npt.NDArray[np.floating]
WEIGHTS = Path(hindsight.__file__).with_name("beat.onnx")


def planted(times: Times, frames: int, bpm: float | None = None) -> tuple[npt.NDArray[np.float32], ...]:
    """What a perfect network answers: logits of the beat and log probabilities of the tempo."""
    distance = np.abs(frame_times(frames)[:, None] - times).min(1)
    p = np.clip(0.9 * (1 - distance / 0.03), 0.01, 0.9)
    tempo = np.full((frames, TEMPO_BINS), -np.log(TEMPO_BINS))
    if bpm:
        away = np.arange(TEMPO_BINS) - tempo_position(np.array(bpm, np.float32))
        tempo = np.tile(-0.5 * away**2 - np.log(np.exp(-0.5 * away**2).sum()), (frames, 1))
    return np.log(p / (1 - p)).astype(np.float32)[None], tempo.astype(np.float32)[None]


@pytest.mark.parametrize("bpm", [62.0, 100.0, 137.3, 174.0, 220.0])
def test_planted_beats_are_found(bpm: float) -> None:
    times = np.arange(0.4, 29.5, 60 / bpm)
    found = smooth.beats(*planted(times, 1500, bpm))[0]
    assert abs(len(found) - len(times)) <= 1
    nearest = np.abs(found[:, None] - times).min(1)
    assert np.percentile(nearest, 90) < 0.008


def test_the_networks_tempo_decides_between_octaves() -> None:
    times = np.arange(0.4, 29.5, 0.5)
    logits, _ = planted(times, 1500)
    logits[:] = -1.0  # beats and what lies between sound alike
    for bpm in (80.0, 160.0):
        found = smooth.beats(logits, planted(times, 1500, bpm)[1])[0]
        assert 60 / np.median(np.diff(found)) == pytest.approx(bpm, rel=0.04)


def test_a_change_of_tempo_is_followed() -> None:
    times = np.concatenate([np.arange(0.4, 15, 0.5), np.arange(15.1, 29.5, 0.43)])
    found = smooth.beats(*planted(times, 1500))[0]
    assert (np.abs(found[:, None] - times).min(1) < 0.02).mean() > 0.95


def test_agreement_wants_the_same_beats_and_no_more() -> None:
    first = np.arange(20) * 0.5
    assert hindsight.agreement(first, first + 0.01).all()
    assert not hindsight.agreement(first, np.arange(0, 10, 0.25))[:-1].any()
    late = first.copy()
    late[10:] += 0.2
    assert hindsight.agreement(first, late).tolist() == [True] * 10 + [False] * 10


def test_a_line_is_found_in_spite_of_gaps_and_wild_beats() -> None:
    rng = np.random.default_rng(1)
    times = 0.3 + 0.4687 * np.arange(200)
    keep = np.delete(times + rng.normal(0, 0.006, 200), [20, 21, 22, 90, 150])
    keep[60:66] += 0.2
    start, period, share = hindsight.line(keep)
    assert period == pytest.approx(0.4687, abs=2e-4)
    assert start == pytest.approx(0.3, abs=0.01)
    assert share == pytest.approx(189 / 195, abs=0.01)


@pytest.mark.parametrize("per_bar", [3, 4])
def test_bars_are_numbered_when_one_beat_stands_out(per_bar: int) -> None:
    one = np.full(120, 0.2)
    one[2::per_bar] = 0.8
    number, found = hindsight.numbered(one)
    assert found == per_bar
    assert (np.flatnonzero(number == 1) % per_bar == 2 % per_bar).all()
    assert hindsight.numbered(np.full(120, 0.4))[1] == 0


def test_machine_time_is_labelled_throughout_and_other_time_in_spans() -> None:
    frames = 3000
    steady = 0.2 + 0.5 * np.arange(119)
    logits, _ = planted(steady, frames)
    quiet = np.full(frames, -2.0, np.float32)
    middle = steady[30:]  # the networks came in late
    labels = hindsight.label(middle, [middle, middle], logits[0], quiet, (0.0, 60.0))
    assert labels is not None
    assert labels.straight
    assert labels.valid == [(0.0, 60.0)]
    assert np.abs(labels.beats[:119, 0] - steady).max() < 0.01
    bent = np.cumsum(0.5 + 0.1 * np.sin(np.arange(100) / 10))
    logits, _ = planted(bent, frames)
    other = bent.copy()
    other[50:60] += 0.2
    labels = hindsight.label(bent, [bent, other], logits[0], quiet, (0.0, 60.0))
    assert labels is not None
    assert not labels.straight
    assert len(labels.valid) == 2
    assert labels.valid[0][1] < bent[50]
    assert labels.valid[1][0] > bent[58]


def test_doubt_is_left_out() -> None:
    steady = 0.2 + 0.5 * np.arange(119)
    logits, _ = planted(steady, 3000)
    quiet = np.full(3000, -2.0, np.float32)
    assert hindsight.label(steady, [steady, steady + 0.25], logits[0], quiet, (0.0, 60.0)) is None
    assert hindsight.label(steady + 0.25, [steady + 0.25], logits[0], quiet, (0.0, 60.0)) is None, (
        "between the beats"
    )


def test_a_folder_of_music_becomes_training_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    music = tmp_path / "music"
    music.mkdir()
    sound = np.zeros(44_100 * 40, np.float32)
    burst = rng.standard_normal(2000).astype(np.float32) * np.exp(-np.arange(2000) / 300)
    kick = np.sin(2 * np.pi * 60 * np.arange(8000) / 44_100) * np.exp(-np.arange(8000) / 2500)
    for k in range(79):
        at = int(44_100 * 0.5 * k)
        sound[at : at + 8000] += 0.7 * kick
        sound[at + 11_025 : at + 13_025] += 0.2 * burst
        if k % 2:
            sound[at : at + 2000] += 0.5 * burst
    soundfile.write(music / "a song.ogg", 0.5 * sound, 44_100)
    soundfile.write(music / "short.wav", sound[:88_200], 44_100)
    soundfile.write(music / "tracker.flac", 0.5 * sound, 44_100)
    grid = np.column_stack([0.125 * np.arange(316), np.arange(316) % 64, np.full(316, 64)])
    np.savetxt(music / "tracker.rows", grid, "%.4f")
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["hindsight", str(out), "--music", str(music), "--networks", str(WEIGHTS)])
    hindsight.main()
    assert "one line: 1, rows: 1, in spans: 0, no labels: 0" in capsys.readouterr().out
    (piece, frames), (tracker, _) = cached_pieces(out, out / "features")
    assert tracker.beats[:6] == pytest.approx(np.column_stack([0.5 * np.arange(6), [1, 2, 3, 4, 1, 2], [4] * 6]))
    assert 60 / np.median(np.diff(piece.beats[:, 0])) == pytest.approx(120, abs=0.2)
    on_kick = np.abs(piece.beats[:, 0] / 0.5 - np.round(piece.beats[:, 0] / 0.5)).max() * 0.5
    assert on_kick < 0.03
    assert len(np.load(frames)) == pytest.approx((40 + LABEL_DELAY) * FPS, abs=5)
    assert json.loads((out / f"{piece.name}.json").read_text())["source"] == "heard"
    told = np.load(answers.kept(frames))
    times = frame_times(len(told))
    at = [np.abs(times - beat).argmin() for beat in piece.beats[8:-4, 0]]
    assert told[at, 0].mean() > 5 * np.median(told[:, 0]), "answers are kept beside the labels"


def test_music_on_which_no_two_agree_is_kept_without_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    music = tmp_path / "music"
    music.mkdir()
    hiss = 0.1 * np.random.default_rng(0).standard_normal(24_000 * 36).astype(np.float32)
    soundfile.write(music / "hiss.wav", hiss, 24_000)
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["hindsight", str(out), "--music", str(music), "--networks", str(WEIGHTS)])
    hindsight.main()
    assert "no labels: 1" in capsys.readouterr().out
    [(piece, frames)] = cached_pieces(out, out / "features")
    assert len(piece.valid) == len(piece.beats) == 0
    assert answers.kept(frames).exists()


def test_a_folder_without_music_is_named_in_one_line(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "models.beat.hindsight",
        tmp_path / "out",
        "--music",
        tmp_path,
        "--networks",
        WEIGHTS,
    ]
    ended = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert ended.stderr == f"{tmp_path}: no recording of 35 s or more; give folders with music\n"
