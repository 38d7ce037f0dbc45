"""Recording: begin, end; replay through the views; export for other programs; what the host has said."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import platformdirs
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from gui.controls import card, quiet
from gui.desk import Desk
from gui.feed import Feed
from gui.look import Look
from gui.model import Model
from gui.replay import Replay
from gui.tape import Tape
from realtime.errors import UserError

EXPORTS = "Table (*.csv);;Audacity labels (*.txt);;REAPER markers (*.reaper.csv);;JAMS (*.jams);;MIDI file (*.mid)"
_EVERY = 10


def folder() -> Path:
    """Where recordings of the window go."""
    return Path(platformdirs.user_data_dir("sidechain")) / "recordings"


def short(path: Path | None) -> str:
    """A path for people: ``~`` for one's own folder."""
    try:
        return f"~/{path.relative_to(Path.home())}" if path is not None else ""
    except ValueError:
        return str(path)


class RecordPage(QWidget):
    """Recorder, player, log."""

    def __init__(self, model: Model, look: Look, desk: Desk) -> None:
        super().__init__()
        self.model, self._desk = model, desk
        self.recorder: Tape | None = None
        self.sound = ""
        """Where the host records the sound beside; empty while it does not."""
        self.player: Replay | None = None
        self._live: Feed | None = None
        self._last: Path | None = None
        self._frame = 0
        self._log: object = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.setSpacing(10)
        layout.addWidget(self._recorder())
        layout.addWidget(self._player())
        layout.addWidget(quiet("What the host has said:"))
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(200)
        self.log.setAccessibleName("Messages of the host")
        layout.addWidget(self.log, 1)

    def _recorder(self) -> QWidget:
        frame, layout = card()
        row = QHBoxLayout()
        self.button = QPushButton("● Record")
        self.button.setCheckable(True)
        self.button.setToolTip("Events, values and the sound's outline, to a file of this machine (Ctrl+R)")
        self.button.clicked.connect(lambda _: self.toggle())
        self.with_sound = QCheckBox("with the sound")
        self.with_sound.setToolTip(
            "The host writes the sound that it hears, too: a FLAC file in its own folder of recordings"
        )
        self.state = quiet(f"Recordings go to {short(folder())}")
        row.addWidget(self.button)
        row.addWidget(self.with_sound)
        row.addWidget(self.state, 1)
        layout.addLayout(row)
        return frame

    def _player(self) -> QWidget:
        frame, layout = card()
        row = QHBoxLayout()
        self.open = QPushButton("Replay …")
        self.open.setToolTip("Show a recording, or results of 'sidechain analyze', in the views (Ctrl+O)")
        self.open.clicked.connect(self.choose_replay)
        self.pause = QPushButton("Pause")
        self.pause.setCheckable(True)
        self.pause.clicked.connect(self._pause)
        self.stop = QPushButton("Back to the host")
        self.stop.clicked.connect(self.end_replay)
        self.speed = QComboBox()
        self.speed.setAccessibleName("Speed")
        for factor in (0.25, 0.5, 1.0, 2.0, 4.0):
            self.speed.addItem(f"× {factor:g}", factor)
        self.speed.setCurrentIndex(2)
        self.speed.currentIndexChanged.connect(self._set_speed)
        self.export = QPushButton("Export …")
        self.export.setToolTip("Labels, markers, a table or a MIDI file for another program")
        self.export.clicked.connect(self._choose_export)
        for widget in (self.open, self.pause, self.stop, self.speed, self.export):
            row.addWidget(widget)
        row.addStretch(1)
        self.place = QSlider(Qt.Orientation.Horizontal)
        self.place.setRange(0, 1000)
        self.place.setAccessibleName("Place in the recording")
        self.place.sliderReleased.connect(self._seek)
        self.where = QLabel()
        layout.addLayout(row)
        layout.addWidget(self.place)
        layout.addWidget(self.where)
        self._show_player()
        return frame

    # -- recording ------------------------------------------------------------------------------------------

    def toggle(self) -> None:
        """Begin or end a recording."""
        if self.recorder is not None:
            self.finish()
            return
        try:
            folder().mkdir(parents=True, exist_ok=True)
            self.recorder = Tape(folder() / (time.strftime("%Y-%m-%d %H.%M.%S") + ".jsonl"))
        except (UserError, OSError) as e:
            self._desk.refused.emit(str(e))
        else:
            if self.with_sound.isChecked():
                self._begin_sound(self.recorder.path.stem)
        self._show_recorder()

    def _begin_sound(self, name: str) -> None:
        def begun(answer: Any, error: str) -> None:
            if error:
                self._desk.refused.emit(f"the sound is not recorded: {error}")
            else:
                self.sound = str(answer["path"])
                if self.recorder is None:  # ended before it had begun
                    self._end_sound()
            self._show_recorder()

        self.model.feed.call("audio.start", {"name": f"{name}.flac"}, begun)

    def _end_sound(self) -> None:
        path, self.sound = self.sound, ""

        def ended(answer: Any, error: str) -> None:
            if error:
                self._desk.refused.emit(f"the sound in {path}: {error}")
            else:
                self._desk.told.emit(f"the host has recorded: {path}")

        if path:
            self.model.feed.call("audio.stop", {}, ended)

    def take(self) -> None:
        """Called once a frame, in sight or not."""
        if self.recorder is not None:
            self.recorder.take(self.model)
            if self.recorder.message:
                self.finish()

    def finish(self) -> None:
        """End the recording, if there is one."""
        if self.recorder is None:
            return
        tape, self.recorder = self.recorder, None
        self._end_sound()
        trouble = tape.finish()
        if trouble:
            self._desk.refused.emit(trouble)
        else:
            self._last = tape.path
            self._desk.told.emit(f"recorded: {short(tape.path)}")
        self._show_recorder()

    def _show_recorder(self) -> None:
        tape = self.recorder
        self.button.setChecked(tape is not None)
        self.button.setText("■ End the recording" if tape is not None else "● Record")
        self.with_sound.setEnabled(tape is None)
        if tape is not None:
            seconds = tape.last - (tape.first if tape.first is not None else tape.last)
            lost = f", {tape.dropped} dropped" if tape.dropped else ""
            sound = ", with the sound" if self.sound else ""
            self.state.setText(
                f"{tape.path.name}: {seconds:.0f} s, {tape.lines} lines, {tape.bytes / 1e6:.1f} MB{sound}{lost}"
            )
        else:
            self.state.setText(
                f"Last: {short(self._last)}" if self._last else f"Recordings go to {short(folder())}"
            )

    # -- replay ---------------------------------------------------------------------------------------------

    def choose_replay(self) -> None:
        """Ask for a file and show it."""
        start = str(folder()) if folder().is_dir() else ""
        path, _ = QFileDialog.getOpenFileName(self, "Replay", start, "Recordings (*.jsonl);;All files (*)")
        if path:
            self.replay(path)

    def replay(self, path: str) -> bool:
        """Show a recording in place of the host."""
        try:
            player = Replay(Path(path))
        except UserError as e:
            self._desk.refused.emit(str(e))
            return False
        self.finish()
        before = self.model.follow(player)
        if self.player is None:
            self._live = before
        else:
            before.close()
        self.player = player
        self._last = Path(path)
        self._set_speed()
        self._show_player()
        return True

    def end_replay(self) -> None:
        """Back to the host."""
        if self.player is None or self._live is None:
            return
        self.model.follow(self._live).close()
        self.player, self._live = None, None
        self._show_player()

    def close_live(self) -> None:
        """The window ends while a recording is shown: the host's line must be cut, too."""
        if self._live is not None:
            self._live.close()

    def _pause(self) -> None:
        if self.player is not None:
            if self.player.ended:
                self.player.seek(self.player.begin)
                self.pause.setChecked(False)
            self.player.paused = self.pause.isChecked()

    def _seek(self) -> None:
        if self.player is not None:
            share = self.place.value() / 1000
            self.player.seek(self.player.begin + share * (self.player.end - self.player.begin))

    def _set_speed(self) -> None:
        if self.player is not None:
            self.player.speed = float(self.speed.currentData())

    def _show_player(self) -> None:
        shown = self.player is not None
        for widget in (self.pause, self.stop, self.speed, self.place):
            widget.setEnabled(shown)
        if not shown:
            self.where.setText("No recording is shown.")
        self.export.setEnabled(self._last is not None or shown)

    # -- export ---------------------------------------------------------------------------------------------

    def _choose_export(self) -> None:
        source = self.player.path if self.player is not None else self._last
        if source is None:
            return
        path, _ = QFileDialog.getSaveFileName(
            self, f"Export {source.name}", str(source.with_suffix(".csv")), EXPORTS
        )
        if path:
            self.export_to(source, Path(path))

    def export_to(self, source: Path, target: Path) -> None:
        """Write a recording's events in another program's format; the ending of the name says which."""
        from gui.replay import is_event
        from realtime.outputs import eventfile, export

        try:
            export.export(target, [e for e in eventfile.read(source) if is_event(e)])
        except UserError as e:
            self._desk.refused.emit(str(e))
            return
        self._desk.told.emit(f"exported: {target}")

    # -- once a frame ---------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Called once a frame while in sight."""
        self._frame += 1
        if self._frame % _EVERY:
            return
        self._show_recorder()
        self._show_player()
        if self.player is not None:
            player = self.player
            length = max(1e-6, player.end - player.begin)
            if not self.place.isSliderDown():
                self.place.setValue(round(1000 * (player.now() - player.begin) / length))
            self.where.setText(f"{player.path.name}: {player.now() - player.begin:.1f} of {length:.1f} s")
        newest = (len(self.model.log), self.model.log[-1] if self.model.log else None)
        if newest != self._log:
            self._log = newest
            self.log.setPlainText("\n".join(f"{at:9.1f} s  {text}" for at, text in self.model.log))
            self.log.verticalScrollBar().setValue(self.log.verticalScrollBar().maximum())
