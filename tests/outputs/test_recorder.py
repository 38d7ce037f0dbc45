"""The recorder: what is on disk while it runs, after it ended, and after a crash."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import UserError
from realtime.outputs import eventfile
from realtime.outputs.eventfile import Entry
from realtime.outputs.recorder import Recorder, Recordings
from tests.fixtures.engine import FakeEngine


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.01)


def test_a_session_is_written_whole_and_then_named(tmp_path: Path) -> None:
    engine, path = FakeEngine(), tmp_path / "set.jsonl"
    recorder = Recorder(engine, path)
    recorder.start()
    for k in range(100):
        engine.bus.publish(k + 0.5, k + 0.25, "beat", "beat", float(k % 4 + 1), None)
    engine.bus.publish(101.0, 101.0, "tags", "top", (0.5, float("nan")), "Rock ♪")
    until(lambda: recorder.events == 101)
    assert not path.exists()
    recorder.stop()
    recorder.stop()
    lines = path.read_text().splitlines()
    assert json.loads(lines[2]) == {
        "time": 2.5, "emitted": 2.25, "plugin": "beat", "output": "beat", "value": 3.0, "label": None,
    }  # fmt: skip
    assert json.loads(lines[100])["value"] == [0.5, None]
    assert len(lines) == 101
    assert not recorder.part.exists()


def test_events_published_just_before_the_end_are_in(tmp_path: Path) -> None:
    engine = FakeEngine()
    recorder = Recorder(engine, tmp_path / "x.jsonl")
    recorder.start()
    engine.bus.publish(1.0, 1.0, "beat", "beat", 1.0, None)
    recorder.stop()
    assert len(eventfile.read(tmp_path / "x.jsonl")) == 1


def test_a_crash_leaves_what_was_heard_until_the_last_second(tmp_path: Path) -> None:
    engine, path = FakeEngine(), tmp_path / "set.jsonl"
    recorder = Recorder(engine, path)
    recorder.start()
    engine.bus.publish(1.0, 1.0, "beat", "beat", 1.0, None)
    until(lambda: recorder.part.exists() and recorder.part.stat().st_size > 0)
    torn = recorder.part.read_bytes() + b'{"time": 2.0, "emit'
    recorder.stop()
    (tmp_path / "torn.part").write_bytes(torn)
    assert [e.time for e in eventfile.read(tmp_path / "torn.part")] == [1.0]


def test_disk_use_is_bounded(tmp_path: Path) -> None:
    engine, said = FakeEngine(), []
    recorder = Recorder(engine, tmp_path / "x.jsonl", most_bytes=20_000, say=said.append)
    recorder.start()
    for _ in range(3000):
        engine.bus.publish(1.0, 1.0, "beat", "beat", 1.0, None)
    until(lambda: not recorder.status()["recording"])
    assert (tmp_path / "x.jsonl").stat().st_size < 20_000 + 1024 * 120
    assert len(said) == 1
    assert "has reached" in said[0]
    recorder.stop()


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    engine = FakeEngine()
    for path, words in (
        (tmp_path / "no" / "x.jsonl", "does not exist"),
        (tmp_path, "folder"),
    ):
        with pytest.raises(UserError, match=words):
            Recorder(engine, path).start()
    with pytest.raises(UserError, match="cannot be written"):
        Recorder(engine, tmp_path / ("x" * 300)).start()
    assert os.listdir(tmp_path) == []


def test_what_was_there_is_kept_aside(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("mine")
    recorder = Recorder(FakeEngine(), tmp_path / "x.jsonl")
    recorder.start()
    assert (tmp_path / "x.jsonl").read_text() == "mine"
    recorder.stop()
    assert (tmp_path / "x.jsonl").read_text() == ""
    assert (tmp_path / "x.jsonl.bak").read_text() == "mine"


def test_a_recording_that_is_thrown_away_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("mine")
    recorder = Recorder(FakeEngine(), tmp_path / "x.jsonl")
    recorder.start()
    recorder.discard()
    assert os.listdir(tmp_path) == ["x.jsonl"]
    assert (tmp_path / "x.jsonl").read_text() == "mine"


def test_clients_name_files_never_paths(tmp_path: Path) -> None:
    engine = FakeEngine()
    recordings = Recordings(engine, tmp_path / "sets")
    for wrong in ("../x", "/etc/x", "a/b", ".hidden", "a\\b", "x" * 200):
        with pytest.raises(UserError, match="plain file name"):
            recordings.start(wrong)
    with pytest.raises(UserError, match="nothing"):
        recordings.stop()
    assert recordings.start("one.jsonl")["recording"]
    with pytest.raises(UserError, match="already"):
        recordings.start("two.jsonl")
    assert recordings.status()["recording"]
    assert not recordings.stop()["recording"]
    assert not recordings.status()["recording"]
    recordings.start()
    recordings.stop()
    assert len(list((tmp_path / "sets").glob("*.jsonl"))) == 2


number = st.floats(allow_nan=False, allow_infinity=False)
entries = st.builds(
    Entry,
    number,
    number,
    st.text(min_size=1, max_size=10),
    st.text(min_size=1, max_size=10),
    st.one_of(st.none(), number, st.lists(number, max_size=4).map(tuple)),
    st.one_of(st.none(), st.text(max_size=20)),
)


@given(st.lists(entries, max_size=20))
def test_lines_survive(content: list[Entry]) -> None:
    assert eventfile.parse([eventfile.line(e).rstrip("\n") for e in content], "x") == content


@given(st.lists(st.text(max_size=40), min_size=2, max_size=4))
def test_rubbish_is_one_line(lines: list[str]) -> None:
    with contextlib.suppress(UserError):
        eventfile.parse(lines, "x")
