"""Exports, read back by other programs' rules."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import UserError
from realtime.outputs.eventfile import Entry
from realtime.outputs.export import FORMATS, clock_of, export


def entry(time: float, name: str, value: float | None = None, label: str | None = None) -> Entry:
    plugin, output = name.split(".")
    return Entry(time, time - 0.01, plugin, output, value, label)


def song(bpm: float = 120.0, beats: int = 16, start: float = 0.73) -> list[Entry]:
    found = [entry(start + k * 60 / bpm, "beat.beat", float(k % 4 + 1)) for k in range(beats)]
    found.append(entry(start, "drums.hit", 0.9, "kick"))
    found.append(entry(start + 0.25, "drums.hit", 0.5, "snare"))
    found.append(entry(start + 1.0, "structure.section", None, "chorus ♪"))
    found.append(entry(start + 0.5, "pitch.note", 57.0))
    found.append(entry(start + 0.9, "pitch.note", 0.0))
    return found


def absolute(file: mido.MidiFile) -> list[tuple[float, int, mido.Message]]:
    """(seconds, ticks, message) of all tracks, by the file's own tempo map."""
    seconds, ticks, tempo = 0.0, 0, 500000
    found = []
    for message in mido.merge_tracks(file.tracks):
        seconds += mido.tick2second(message.time, file.ticks_per_beat, tempo)
        ticks += message.time
        if message.type == "set_tempo":
            tempo = message.tempo
        found.append((seconds, ticks, message))
    return found


def parsed(entries: list[Entry], tmp_path: Path) -> mido.MidiFile:
    path = tmp_path / "x.mid"
    export(path, entries)
    return mido.MidiFile(path, charset="utf-8")


def test_midi_has_the_music_where_it_was(tmp_path: Path) -> None:
    events = absolute(parsed(song(), tmp_path))
    hits = [(t, m.note) for t, _, m in events if m.type == "note_on" and m.channel == 9]
    assert hits == [(pytest.approx(0.73, abs=1e-3), 36), (pytest.approx(0.98, abs=1e-3), 38)]
    notes = [(t, m.type) for t, _, m in events if m.type.startswith("note") and m.channel == 0]
    assert notes == [(pytest.approx(1.23, abs=1e-3), "note_on"), (pytest.approx(1.63, abs=1e-3), "note_off")]
    assert [(t, m.text) for t, _, m in events if m.type == "marker"] == [
        (pytest.approx(1.73, abs=1e-3), "chorus ♪")
    ]
    metres = [(n, m.numerator) for _, n, m in events if m.type == "time_signature"]
    assert metres == [(0, 1), (960, 4)]


gaps = st.lists(st.floats(0.15, 3.0), min_size=2, max_size=200)


@given(st.floats(0.0, 60.0), gaps)
def test_every_beat_is_a_whole_quarter_at_its_time(start: float, spacing: list[float]) -> None:
    times = [start]
    for gap in spacing:
        times.append(times[-1] + gap)
    data = FORMATS["midi"][0]([entry(t, "beat.beat", 1.0) for t in times], "beat")
    file = mido.MidiFile(file=io.BytesIO(data))
    quarters = {round(t, 3): n for t, n, m in absolute(file) if m.type == "set_tempo"}
    assert all(n % 960 == 0 for n in quarters.values())
    for time in times[:-1]:
        assert any(abs(time - t) < 0.002 for t in quarters), time


def test_long_waits_do_not_break_the_tempo_map(tmp_path: Path) -> None:
    events = absolute(
        parsed([*song(start=100.0), entry(400.0, "beat.beat", 1.0), entry(400.5, "beat.beat", 2.0)], tmp_path)
    )
    assert any(abs(t - 400.0) < 0.002 for t, _, m in events if m.type == "set_tempo")


def test_no_beats_no_tempo_map(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no beats"):
        export(tmp_path / "x.mid", [entry(1.0, "onset.onset", 1.0)])
    assert list(tmp_path.iterdir()) == []


def test_csv_comes_back(tmp_path: Path) -> None:
    export(tmp_path / "x.csv", [*song(), entry(3.0, "key.key", None, 'with "quotes", and\nlines')])
    with (tmp_path / "x.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == len(song()) + 1
    assert rows[0] == {
        "time": "0.730000", "emitted": "0.720000", "plugin": "beat", "output": "beat", "value": "1.0", "label": "",
    }  # fmt: skip
    assert rows[-1]["label"] == 'with "quotes", and\nlines'


def test_audacity_labels(tmp_path: Path) -> None:
    export(tmp_path / "x.txt", [*song(beats=2), entry(3.0, "key.key", None, "a\tb\nc")])
    lines = (tmp_path / "x.txt").read_text().splitlines()
    fields = [line.split("\t") for line in lines]
    assert all(len(f) == 3 and float(f[0]) == float(f[1]) for f in fields)
    assert [f[2] for f in fields if "b" in f[2]][:2] == ["bar", "beat 2"]
    assert fields[-1][2] == "a b c"
    assert [float(f[0]) for f in fields] == sorted(float(f[0]) for f in fields)


def test_reaper_markers(tmp_path: Path) -> None:
    export(tmp_path / "x.reaper.csv", song(start=65.25))
    with (tmp_path / "x.reaper.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    assert [r["#"] for r in rows] == [f"M{k + 1}" for k in range(len(rows))]
    assert rows[0]["Start"] == "1:05.250"
    assert sum(r["Name"] == "bar" for r in rows) == 4


def test_jams(tmp_path: Path) -> None:
    export(tmp_path / "x.jams", song())
    jams = json.loads((tmp_path / "x.jams").read_text())
    beats = next(a for a in jams["annotations"] if a["namespace"] == "beat")
    assert [d["value"] for d in beats["data"]] == [1.0, 2.0, 3.0, 4.0] * 4
    assert {a["namespace"] for a in jams["annotations"]} == {"beat", "tag_open", "segment_open", "note_midi"}
    assert jams["file_metadata"]["jams_version"]


def test_wrong_use_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="end the name in"):
        export(tmp_path / "x.wav", song())
    with pytest.raises(UserError, match="unknown format 'pdf'"):
        export(tmp_path / "x", song(), "pdf")
    with pytest.raises(UserError, match="cannot be written"):
        export(tmp_path / "no" / "x.csv", song())
    assert clock_of([entry(0.0, "tempo.beat", 1.0), entry(0.0, "beat.beat", 1.0)]) == "beat"
