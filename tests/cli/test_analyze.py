"""Analyze: files in, events out; odd sound does no harm; what is written is complete or not there."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.audio.demo import FOLDER
from realtime.cli.main import main

RATE = 48_000


def noise_bursts(seconds: float) -> np.ndarray:
    """Four bursts a second."""
    random = np.random.default_rng(3)
    t = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * random.standard_normal(len(t)) * np.exp(-(t % 0.25) / 0.02)).astype(np.float32)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    soundfile.write(path, noise_bursts(4.0), RATE, subtype="FLOAT")
    return path


def lines(path: Path) -> list[dict]:
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text("utf-8").splitlines()]


def test_events_are_written(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.jsonl"
    assert main(["analyze", str(song), "--only", "onset", "-o", str(out)]) == 0
    events = lines(out)
    assert {e["plugin"] for e in events} == {"onset"}
    assert 14 <= len(events) <= 17
    for event in events:
        assert set(event) == {"time", "emitted", "plugin", "output", "value", "label"}
        assert min(abs(event["time"] - k / 4) for k in range(17)) < 0.03
        assert event["emitted"] >= event["time"]
    assert "real time" in capsys.readouterr().err


def test_values_where_asked(song: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert (
        main(["analyze", str(song), "--only", "onset,level", "--outputs", "level.rms", "-o", str(out), "-q"]) == 0
    )
    names = [(e["plugin"], e["output"]) for e in lines(out)]
    assert set(names) == {("onset", "onset"), ("level", "rms")}
    assert names.count(("level", "rms")) == pytest.approx(400, abs=4)
    assert main(["analyze", str(song), "--only", "level", "--values", "-o", str(out), "-q"]) == 0
    assert {"rms", "peak", "momentary"} <= {e["output"] for e in lines(out)}


def test_several_files_and_a_folder(song: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.flac"
    soundfile.write(second, noise_bursts(1.0), RATE)
    folder = tmp_path / "results"
    assert main(["analyze", str(song), str(second), "--only", "onset", "-o", f"{folder}/", "-q"]) == 0
    assert sorted(p.name for p in folder.iterdir()) == ["second.jsonl", "song.jsonl"]


def test_to_standard_output(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(song), "--only", "onset"]) == 0
    assert all(json.loads(line)["plugin"] == "onset" for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("ending", ["csv", "txt", "mid", "jams"])
def test_other_kinds_of_file(tmp_path: Path, ending: str) -> None:
    samples, rate = soundfile.read(FOLDER / "demo.ogg", dtype="float32", stop=10 * RATE)
    song, out = tmp_path / "song.wav", tmp_path / f"out.{ending}"
    soundfile.write(song, samples, rate)
    assert main(["analyze", str(song), "--only", "tempo", "-o", str(out), "-q"]) == 0
    assert out.stat().st_size > 0


def test_a_midi_file_needs_beats(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.mid"
    assert main(["analyze", str(song), "--only", "level", "-o", str(out), "-q"]) == 2
    assert "beat" in capsys.readouterr().err
    assert not out.exists()


def test_first_seconds_do_not_depend_on_what_follows(song: Path, tmp_path: Path) -> None:
    longer = tmp_path / "longer.wav"
    random = np.random.default_rng(9)
    rest = 0.3 * random.standard_normal(2 * RATE).astype(np.float32)
    soundfile.write(longer, np.concatenate([noise_bursts(4.0), rest]), RATE, subtype="FLOAT")
    outs = []
    for path in (song, longer):
        out = tmp_path / f"{path.stem}.jsonl"
        assert main(["analyze", str(path), "--preset", "everything", "--values", "-o", str(out), "-q"]) == 0
        outs.append([e for e in lines(out) if e["emitted"] <= 3.9])
    assert outs[0]
    assert outs[0] == outs[1]


def odd(kind: str) -> np.ndarray:
    sound = noise_bursts(3.0)
    third = slice(RATE, 2 * RATE)
    if kind == "nan":
        sound[third] = np.nan
    elif kind == "inf":
        sound[third] = np.inf
        sound[RATE] = -np.inf
    elif kind == "denormal":
        sound[third] = 1e-42
    elif kind == "dc":
        sound[:] = 0.9
    elif kind == "full-scale":
        sound[:] = np.where(np.arange(len(sound)) // 50 % 2, 1.0, -1.0)
    elif kind == "huge":
        sound[third] = 1e30
    else:
        sound[:] = 0.0
    return sound


@pytest.mark.parametrize("kind", ["nan", "inf", "denormal", "dc", "full-scale", "huge", "silent"])
def test_odd_sound_does_no_harm(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "odd.wav", tmp_path / "out.jsonl"
    soundfile.write(path, odd(kind), RATE, subtype="FLOAT")
    assert main(["analyze", str(path), "--preset", "everything", "--values", "-o", str(out)]) == 0
    written = lines(out)
    assert written
    for event in written:
        numbers = event["value"] if isinstance(event["value"], list) else [event["value"]]
        assert all(n is None or math.isfinite(n) for n in numbers)
    assert "failed" not in capsys.readouterr().err
    assert not [e for e in written if (e["plugin"], e["output"]) == ("host", "plugin_error")]
