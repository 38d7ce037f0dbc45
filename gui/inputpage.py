"""Input: which device is heard, how loud, which channels; and the frame of the clock (metre, BPM window)."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.controls import card, quiet
from gui.desk import Desk
from gui.look import Look
from gui.model import Model

COLUMNS = ("Input", "Channels", "Rate", "Kind", "Level")
_EVERY = 6


class InputPage(QScrollArea):
    """The present input, the others, and the clock's frame."""

    def __init__(self, model: Model, look: Look, desk: Desk) -> None:
        super().__init__()
        self.model, self._desk = model, desk
        self.devices: list[dict[str, Any]] = []
        self._frame = 0
        self._lives = -1
        self._measuring: list[str] = []
        self.setWidgetResizable(True)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.setSpacing(10)
        layout.addWidget(self._present())
        layout.addWidget(self._chooser(), 1)
        layout.addWidget(self._clock())
        self.setWidget(inside)

    def _present(self) -> QWidget:
        frame, layout = card()
        self.title = QLabel("–")
        self.title.setProperty("title", True)
        self.title.setWordWrap(True)
        self.level = QProgressBar()
        self.level.setRange(0, 600)
        self.level.setAccessibleName("Level")
        self.level.setToolTip("RMS level, −60 to 0 dB re full scale")
        self.detail = quiet()
        self.loss = quiet(
            "When this input disappears, the host says so and goes on: the clock keeps time, outputs keep "
            "sending, and the input is taken again as soon as it is back. "
            "Another device is never taken in its place."
        )
        self.level.setTextVisible(False)
        self.level.setFixedHeight(14)
        self.reading = QLabel()
        for widget in (self.title, self.level, self.reading, self.detail, self.loss):
            layout.addWidget(widget)
        return frame

    def _chooser(self) -> QWidget:
        frame, layout = card()
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setAccessibleName("Inputs")
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.verticalHeader().hide()
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        self.table.setMinimumHeight(130)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.itemActivated.connect(lambda _: self.listen())
        self.note = quiet("The inputs of the machine that the host runs on.")
        row = QHBoxLayout()
        self.again = QPushButton("Look again")
        self.again.setToolTip("Devices that came or went since")
        self.again.clicked.connect(self.look_again)
        self.measure = QPushButton("Measure levels")
        self.measure.setToolTip("Listens to each of them for a moment")
        self.measure.clicked.connect(self._measure)
        demo = QPushButton("Demo")
        demo.setToolTip("The built-in piece")
        demo.clicked.connect(lambda: self.use("demo"))
        file = QPushButton("File …")
        file.setToolTip("A sound file on the host")
        file.clicked.connect(self._choose_file)
        for button in (self.again, self.measure, demo, file):
            row.addWidget(button)
        row.addStretch(1)
        setting = QGridLayout()
        self.channels = QLineEdit()
        self.channels.setPlaceholderText("all")
        self.channels.setAccessibleName("Channels")
        self.channels.setToolTip("Channels to use, from 1, separated by commas; empty = all")
        self.gain = _number(-60, 60, " dB", "Gain before everything else")
        self.correction = _number(-1000, 1000, " ms", "Correction of the input's latency")
        self.use_button = QPushButton("Listen to it")
        self.use_button.clicked.connect(self.listen)
        for k, (name, widget) in enumerate(
            (("Channels", self.channels), ("Gain", self.gain), ("Latency correction", self.correction))
        ):
            setting.addWidget(quiet(name), 0, k)
            setting.addWidget(widget, 1, k)
        setting.addWidget(self.use_button, 1, 3)
        layout.addWidget(self.table, 1)
        layout.addLayout(row)
        layout.addLayout(setting)
        layout.addWidget(self.note)
        return frame

    def _clock(self) -> QWidget:
        frame, layout = card()
        title = QLabel("Clock")
        title.setProperty("title", True)
        row = QHBoxLayout()
        self.metre = QComboBox()
        self.metre.addItem("as heard", 0)
        for beats in range(2, 13):
            self.metre.addItem(f"{beats} beats", beats)
        self.metre.setAccessibleName("Metre")
        self.metre.setToolTip("Beats in a bar")
        self.metre.activated.connect(
            lambda _: self._desk.call("transport.metre", {"beats": self.metre.currentData()})
        )
        self.low, self.high = QSpinBox(), QSpinBox()
        for box, value, name in ((self.low, 40, "Slowest tempo"), (self.high, 280, "Fastest tempo")):
            box.setRange(20, 400)
            box.setValue(value)
            box.setSuffix(" BPM")
            box.setKeyboardTracking(False)
            box.setAccessibleName(name)
            box.setToolTip("Tempos outside the window are doubled or halved into it")
        window = QPushButton("Set the window")
        window.clicked.connect(
            lambda: self._desk.call(
                "transport.window", {"low": float(self.low.value()), "high": float(self.high.value())}
            )
        )
        for widget in (quiet("Metre"), self.metre, quiet("Tempo from"), self.low, quiet("to"), self.high, window):
            row.addWidget(widget)
        row.addStretch(1)
        layout.addWidget(title)
        layout.addLayout(row)
        return frame

    # -- once a frame ---------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Called once a frame while in sight; readings change ten times a second."""
        self._frame += 1
        if self._frame % _EVERY:
            return
        alive = self.model.feed.connected
        if alive and self._lives != self.model.feed.lives:
            self._lives = self.model.feed.lives
            self.look_again()
            self._take_settings()
        source = self.model.status.get("input", {})
        rms, peak = self.model.number("level.rms", -120.0), self.model.number("level.peak", -120.0)
        self.level.setValue(round(10 * min(60.0, max(0.0, rms + 60.0))))
        self.reading.setText(f"{rms:.1f} dB RMS · {peak:.1f} dB peak" if rms > -119 else "silence")
        if not alive or not source:
            self.title.setText("No host is connected")
            self.detail.setText("")
            return
        gone = "" if source.get("connected", True) else " — gone; waiting for it"
        self.title.setText(f"{source['name']}{gone}")
        parts = [
            f"{source['sample_rate']} Hz",
            f"{source['channels']} channels",
            f"{source['latency_ms']:.1f} ms latency",
            f"{source.get('lost', 0)} frames lost",
            f"opened again {source.get('reopened', 0)} times",
        ]
        if source.get("message"):
            parts.append(str(source["message"]))
        self.detail.setText(" · ".join(parts))

    def _take_settings(self) -> None:
        transport = self.model.status.get("transport", {})
        for box, key in ((self.low, "low_bpm"), (self.high, "high_bpm")):
            if transport.get(key):
                box.setValue(round(float(transport[key])))

    # -- devices --------------------------------------------------------------------------------------------

    def look_again(self) -> None:
        """Ask the host for its inputs."""
        self.model.feed.call("devices.list", {}, self._show_devices)

    def _show_devices(self, found: Any, error: str) -> None:
        if error:
            self.note.setText(f"The host cannot list its inputs: {error}")
            return
        self.devices = list(found)
        self.note.setText(
            "The inputs of the machine that the host runs on."
            if found
            else "The host's machine has no sound input; a file or the demo works without."
        )
        self.table.setRowCount(len(self.devices))
        for k, device in enumerate(self.devices):
            kind = (
                "what the computer plays"
                if device["loopback"]
                else "default"
                if device["default"]
                else device["api"]
            )
            texts = (device["name"], str(device["channels"]), f"{device['sample_rate'] / 1000:g} kHz", kind, "–")
            for column, text in enumerate(texts):
                self.table.setItem(k, column, QTableWidgetItem(text))
        self.measure.setEnabled(bool(self.devices))
        self.use_button.setEnabled(bool(self.devices))

    def _measure(self) -> None:
        self._measuring = [str(d["name"]) for d in self.devices]
        self._measure_next()

    def _measure_next(self) -> None:
        if not self._measuring:
            return
        name = self._measuring.pop(0)

        def done(level: Any, error: str) -> None:
            for k, device in enumerate(self.devices):
                item = self.table.item(k, 4)
                if device["name"] == name and item is not None:
                    text = error or ("silence" if level <= -90 or math.isnan(level) else f"{level:.0f} dB")
                    item.setText(text)
                    item.setToolTip(text)
            self._measure_next()

        self.model.feed.call("devices.level", {"device": name}, done)

    def listen(self) -> None:
        """Take the chosen device."""
        row = self.table.currentRow()
        if 0 <= row < len(self.devices):
            self.use(str(self.devices[row]["name"]))
        else:
            self._desk.refused.emit("choose an input in the list first")

    def use(self, device: str) -> None:
        """Have the host listen to something else."""
        text = self.channels.text().replace(" ", "")
        channels = [c for c in text.split(",") if c]
        if not all(c.isdigit() and int(c) > 0 for c in channels):
            self._desk.refused.emit("channels are numbers from 1, separated by commas, for example 1,2")
            return
        settings = {"device": device, "channels": [int(c) for c in channels], "gain_db": self.gain.value(),
                    "latency_ms": self.correction.value()}  # fmt: skip
        self.note.setText(f"Opening '{device}' …")

        def done(result: Any, error: str) -> None:
            self.note.setText(f"'{device}' cannot be used: {error}" if error else f"Listening to '{device}'.")

        self.model.feed.call("input.set", settings, done)

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "A sound file", "", "Sound (*.wav *.flac *.ogg *.mp3 *.aif *.aiff *.opus);;All files (*)"
        )
        if path:
            self.use(path)


def _number(low: float, high: float, suffix: str, tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(low, high)
    box.setDecimals(1)
    box.setSuffix(suffix)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return box
