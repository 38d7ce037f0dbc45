"""Recordings: what was seen is seen again, and other programs can read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from gui.model import Model
from gui.replay import Replay
from gui.window import Window
from realtime.bus import Event
from realtime.errors import UserError
from realtime.outputs import eventfile
from tests.gui.conftest import WAIT, Host, make_host


def test_a_session_is_recorded_replayed_and_exported(
    window: Window, host: Host, qtbot: QtBot, tmp_path: Path
) -> None:
    page = window.recording
    page.toggle()
    assert page.recorder is not None
    tape, path = page.recorder, page.recorder.path

    def four_beats() -> bool:  # that came after the recording had begun, however late that was
        return tape.first is not None and len(window.model.beats.since(tape.first + 0.3)) >= 4

    qtbot.waitUntil(four_beats, timeout=WAIT)
    seen = window.model.beats.rows()[:, 0].tolist()
    page.toggle()
    assert path.is_file()
    assert page.replay(str(path))
    assert window.model.feed.message == f"replay of {path.name}"
    window.hands.do("tap")
    qtbot.waitUntil(lambda: "recording" in window.statusBar().currentMessage(), timeout=WAIT)
    page.player.speed = 8.0  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: page.player is not None and page.player.ended, timeout=WAIT)
    qtbot.wait(50)
    again = window.model.beats.rows()[:, 0].tolist()
    inside = [t for t in seen if t > page.player.begin + 0.2]  # type: ignore[union-attr]
    assert inside
    assert inside == pytest.approx(again[-len(inside) :])
    assert window.model.clock.bpm == pytest.approx(120, abs=0.5)
    assert np.count_nonzero(window.model.waveform.get(0, window.model.waveform.end)) > 100
    for name in ("out.csv", "out.mid", "out.txt"):
        page.export_to(path, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 20, name
    page.end_replay()
    qtbot.waitUntil(lambda: window.model.feed.connected and window.model.clock.state == "locked", timeout=WAIT)


def test_the_host_records_the_sound_beside(
    sound: Path, look_at: Callable[..., Window], qtbot: QtBot, tmp_path: Path
) -> None:
    host = make_host(sound, "[plugins.beat]\n[plugins.level]\n", recordings=str(tmp_path))
    try:
        window = look_at(host.server.port)
        page = window.recording
        window.pages.setCurrentWidget(page)
        qtbot.waitUntil(lambda: window.model.feed.connected, timeout=WAIT)
        qtbot.mouseClick(page.with_sound, Qt.MouseButton.LeftButton, pos=QPoint(8, page.with_sound.height() // 2))
        qtbot.mouseClick(page.button, Qt.MouseButton.LeftButton)
        assert page.recorder is not None
        name = page.recorder.path.stem
        qtbot.waitUntil(lambda: page.sound != "", timeout=WAIT)
        assert not page.with_sound.isEnabled()
        qtbot.waitUntil(lambda: host.engine.status()["recording"]["seconds"] > 1.0, timeout=WAIT)
        qtbot.mouseClick(page.button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: "the host has recorded" in window.statusBar().currentMessage(), timeout=WAIT)
        heard, rate = soundfile.read(tmp_path / f"{name}.flac")
        assert len(heard) > rate
        assert np.abs(heard).max() == pytest.approx(0.25, abs=0.01)
    finally:
        host.engine.stop()
        host.engine.join()
        host.server.stop()


def test_a_host_that_records_no_sound_says_so(window: Window, host: Host, qtbot: QtBot) -> None:
    page = window.recording
    page.with_sound.setChecked(True)
    page.toggle()
    qtbot.waitUntil(lambda: "no folder" in window.statusBar().currentMessage(), timeout=WAIT)
    assert page.recorder is not None
    page.toggle()
    assert not host.was_asked("audio.stop")


def test_recordings_without_a_clock_get_one_from_their_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "beats.jsonl"
    beats = [Event(k, 0.5 * k, 0.5 * k, "beat", "beat", float(k % 4 + 1), None) for k in range(20)]
    path.write_text("".join(map(eventfile.line, beats)))
    replay = Replay(path)
    model = Model(replay)
    moment = [100.0]
    monkeypatch.setattr("gui.replay.time.monotonic", lambda: moment[0])
    replay._ticked = moment[0]
    for _ in range(60):
        moment[0] += 0.1
        model.tick()
    assert model.clock.bpm == pytest.approx(120.0)
    assert model.clock.state == "locked"
    assert len(model.beats) in (12, 13)
    replay.seek(9.0)
    model.tick()
    assert model.now == pytest.approx(9.0)
    replay.close()


@pytest.mark.parametrize("text", ["", "hello\nyou\n", '{"time": 1}\n'])
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match=r"x\.jsonl"):
        Replay(path)


def test_a_last_line_that_a_crash_tore_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "torn.jsonl"
    whole = eventfile.line(Event(0, 1.0, 1.0, "onset", "onset", 0.5, None))
    path.write_text(whole + '{"time": 2.0, "emit')
    replay = Replay(path)
    assert (replay.begin, replay.end) == (1.0, 1.0)
    replay.close()


def test_a_file_that_cannot_be_written_is_said(
    window: Window, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, not a folder")
    monkeypatch.setattr("gui.recordpage.folder", lambda: blocked)
    window.recording.toggle()
    qtbot.waitUntil(lambda: "✗" in window.statusBar().currentMessage(), timeout=WAIT)
    assert window.recording.recorder is None


def test_lines_of_a_recording_are_events_of_the_common_format(window: Window, qtbot: QtBot) -> None:
    window.recording.toggle()
    tape = window.recording.recorder
    assert tape is not None
    qtbot.waitUntil(lambda: tape.lines > 50, timeout=WAIT)
    window.recording.finish()
    names = {f"{e.plugin}.{e.output}" for e in eventfile.read(tape.path)}
    assert {"transport.bpm", "transport.state", "scope.waveform", "level.rms"} <= names
    assert all("time" in json.loads(line) for line in tape.path.read_text().splitlines())
