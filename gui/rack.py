"""The rack: plugins of the host, their parameters, cost, latency and errors; more of them by choice or by drop."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.controls import ParameterControl, card, quiet
from gui.desk import Desk
from gui.look import Look
from gui.model import Model

_EVERY = 15
_CARD_WIDTH = 470


_MOST_WORDS = 240


def _short(error: str) -> str:
    """An error on one line; what a library writes may run over many."""
    words = " ".join(error.split()).rstrip(".")
    return words if len(words) <= _MOST_WORDS else f"{words[: _MOST_WORDS - 2]} …"


class PluginCard(QFrame):
    """One plugin."""

    def __init__(self, descriptor: dict[str, Any], desk: Desk) -> None:
        super().__init__()
        self.setProperty("card", True)
        self.identifier = str(descriptor["identifier"])
        self._desk = desk
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        head = QHBoxLayout()
        self.switch = QCheckBox(descriptor["name"])
        self.switch.setAccessibleName(f"{descriptor['name']} on or off")
        self.switch.setToolTip(f"{descriptor['description']}\n{descriptor['maker']}, {descriptor['license']}, "
                               f"version {descriptor['version']}")  # fmt: skip
        font = self.switch.font()
        font.setBold(True)
        self.switch.setFont(font)
        self.switch.clicked.connect(self._switch)
        self.cost = quiet()
        self.cost.setToolTip(
            "Time for one hop, median and 99th percentile; share of one core; time from sound to result"
        )
        remove = QToolButton()
        remove.setText("✕")
        remove.setToolTip(f"Take '{self.identifier}' out of the host")
        remove.setAccessibleName(f"Remove {descriptor['name']}")
        remove.clicked.connect(self._remove)
        head.addWidget(self.switch, 1)
        head.addWidget(remove)
        layout.addLayout(head)
        layout.addWidget(quiet(descriptor["description"]))
        layout.addWidget(self.cost)
        self.error = QLabel()
        self.error.setProperty("bad", True)
        self.error.setWordWrap(True)
        self.error.hide()
        self.mend = QPushButton("Turn on again")
        self.mend.setToolTip("Forgive its failures and start it afresh")
        self.mend.clicked.connect(lambda: desk.call("plugin.enable", {"plugin": self.identifier, "on": True}))
        self.mend.hide()
        layout.addWidget(self.error)
        layout.addWidget(self.mend)
        self.controls: dict[str, ParameterControl] = {}
        for p in descriptor["parameters"]:
            control = ParameterControl(p, functools.partial(self._set, p["identifier"], bool(p["live"])))
            self.controls[p["identifier"]] = control
            layout.addWidget(control)
        layout.addStretch(1)

    def _switch(self, on: bool) -> None:
        self._desk.call("plugin.enable", {"plugin": self.identifier, "on": on}, lambda _: self._desk.look_again())

    def _set(self, parameter: str, live: bool, value: float) -> None:
        if live:
            self._desk.call("plugin.set", {"plugin": self.identifier, "parameter": parameter, "value": value},
                            lambda _: self._desk.look_again())  # fmt: skip
            return

        def alter(preset: dict[str, Any]) -> None:
            preset["plugins"].setdefault(self.identifier, {"enabled": True})[parameter] = value

        self._desk.change(alter)

    def _remove(self) -> None:
        self._desk.change(lambda preset: preset["plugins"].pop(self.identifier, None),
                          told=f"'{self.identifier}' is out; the preset is not saved yet")  # fmt: skip

    def show_status(self, status: dict[str, Any]) -> None:
        """What the host says of it."""
        if not self.switch.isDown() and self.switch.isChecked() != bool(status.get("enabled")):
            self.switch.setChecked(bool(status.get("enabled")))
        text = (
            f"{status.get('cost_p50_ms', 0):.2f} / {status.get('cost_p99_ms', 0):.2f} ms · "
            f"{100 * status.get('load', 0):.1f} % · latency {status.get('latency_ms', 0):.0f} ms"
        )
        if self.cost.text() != text:
            self.cost.setText(text)
        for name, value in status.get("parameters", {}).items():
            if name in self.controls:
                self.controls[name].show_value(float(value))
        errors = int(status.get("errors", 0))
        said = ""
        if errors:
            remedy = (
                "" if status.get("enabled") else " It is off: mend its cause (parameters, input), then turn it on."
            )
            said = f"{errors} error{'s' if errors > 1 else ''}: {_short(str(status.get('error', '')))}.{remedy}"
        elif status.get("overruns"):
            times = f"{status['overruns']} ×"
            said = f"{times} a call took more than 50 ms; fewer plugins or a faster machine would help."
        if self.error.text() != said:
            self.error.setText(said)
        self.error.setVisible(bool(said))
        self.mend.setVisible(bool(errors) and not status.get("enabled"))


class Rack(QScrollArea):
    """All plugins, and a place to add some."""

    def __init__(self, model: Model, look: Look, desk: Desk) -> None:
        super().__init__()
        self.model, self._desk = model, desk
        self.cards: dict[str, PluginCard] = {}
        self._frame = 0
        self._columns = 0
        self.setWidgetResizable(True)
        self.setAcceptDrops(True)
        inside = QWidget()
        self._layout = QVBoxLayout(inside)
        self._layout.setContentsMargins(10, 10, 10, 10)
        self._grid = QGridLayout()
        self._grid.setSpacing(10)
        self.empty = quiet("No host is connected, or it hosts no plugins.")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._layout.addWidget(self._adder())
        self._layout.addWidget(self.empty)
        self._layout.addLayout(self._grid)
        self._layout.addStretch(1)
        self.setWidget(inside)
        desk.plugins_changed.connect(self._rebuild)

    def _adder(self) -> QWidget:
        frame, layout = card()
        row = QHBoxLayout()
        self.offer = QComboBox()
        self.offer.setEditable(True)
        self.offer.setAccessibleName("Plugin to add")
        line = self.offer.lineEdit()
        assert line is not None
        self._line = line
        line.setPlaceholderText("plugin, or folder of a bundle")
        self.offer.setMinimumContentsLength(6)
        self.offer.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.offer.setToolTip(
            "An installed plugin by name, or the path of a plugin file or bundle folder on the host"
        )
        add = QPushButton("Add")
        add.clicked.connect(lambda: self.add(self.offer.currentText().strip()))
        line.returnPressed.connect(lambda: self.add(self.offer.currentText().strip()))
        row.addWidget(QLabel("Add a plugin:"))
        row.addWidget(self.offer, 1)
        row.addWidget(add)
        layout.addLayout(row)
        layout.addWidget(quiet("Or drop the folder of a bundle (model.onnx and plugin.toml) here."))
        return frame

    def add(self, name: str) -> None:
        """Have the host load a plugin."""
        if not name:
            return

        def alter(preset: dict[str, Any]) -> None:
            preset["plugins"][name] = {**preset["plugins"].get(name, {}), "enabled": True}

        self._desk.change(alter, told=f"'{name}' is in; the preset is not saved yet")

    def _rebuild(self) -> None:
        for shown in self.cards.values():
            shown.setParent(None)
            shown.deleteLater()
        self.cards = {n: PluginCard(d, self._desk) for n, d in self._desk.descriptors.items()}
        self._columns = 0
        self._arrange()
        self._frame = 0
        self._desk.model.feed.call("plugins.available", {}, self._offer)

    def _offer(self, found: Any, error: str) -> None:
        if error or not isinstance(found, list):
            return
        typed = self.offer.currentText() if self.offer.hasFocus() or self._line.hasFocus() else ""
        self.offer.clear()
        self.offer.addItems([n for n in found if n not in self.cards])
        self.offer.setEditText(typed)

    def _arrange(self) -> None:
        columns = max(1, self.viewport().width() // _CARD_WIDTH)
        if columns == self._columns and self._grid.count() == len(self.cards):
            return
        self._columns = columns
        for k in range(4):
            self._grid.setColumnStretch(k, 1 if k < columns else 0)
        for k, shown in enumerate(self.cards.values()):
            self._grid.addWidget(shown, k // columns, k % columns)

    def resizeEvent(self, event: Any) -> None:
        """As many columns as fit."""
        super().resizeEvent(event)
        self._arrange()

    def refresh(self) -> None:
        """Called once a frame while in sight; figures change four times a second."""
        if self._frame % _EVERY == 0:
            self.empty.setVisible(not self.cards)
            for status in self.model.status.get("plugins", ()):
                shown = self.cards.get(status["identifier"])
                if shown is not None:
                    shown.setEnabled(self.model.feed.connected)
                    shown.show_status(status)
        self._frame += 1

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Folders and plugin files are welcome."""
        if self._dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Load what was dropped."""
        for path in self._dropped(event):
            self.add(path)
        event.acceptProposedAction()

    def _dropped(self, event: QDropEvent) -> list[str]:
        paths = [Path(u.toLocalFile()) for u in event.mimeData().urls() if u.isLocalFile()]
        return [str(p) for p in paths if (p / "plugin.toml").is_file() or p.suffix == ".py"]
