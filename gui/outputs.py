"""Outputs: what goes where, whether it moves, how early or late; add, test, remove."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gui.controls import quiet
from gui.desk import Desk
from gui.form import Form
from gui.look import Look
from gui.model import Model
from realtime.errors import UserError
from realtime.outputs import registry

RANGE_MS = 500
_EVERY = 6


def profiles() -> list[str]:
    """Names of the OSC dialects that come with the host."""
    from realtime.outputs import dialect

    folder = Path(dialect.__file__).parent / "profiles"
    return sorted(p.stem for p in folder.glob("*.toml"))


class Lamp(QWidget):
    """Lights up when something leaves."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._lit = 0.0
        self._hue = ""
        self.setFixedSize(18, 18)
        self.setToolTip("Lights up when something is sent; red: errors")

    def flash(self, bad: bool = False) -> None:
        """Something has left, or has failed to."""
        self._lit, self._hue = time.monotonic(), self._look.theme.bad if bad else self._look.theme.good

    @property
    def lit(self) -> bool:
        """Whether it shines."""
        return time.monotonic() - self._lit < 0.25

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(self._look.theme.line))
        painter.setBrush(QColor(self._hue if self.lit and self._hue else self._look.theme.off))
        painter.drawEllipse(2, 2, 14, 14)


class OutputCard(QFrame):
    """One output."""

    def __init__(self, name: str, kind: str, look: Look, desk: Desk) -> None:
        super().__init__()
        self.setProperty("card", True)
        self.name, self._desk = name, desk
        self._sent = self._errors = -1
        grid = QGridLayout(self)
        grid.setContentsMargins(12, 8, 12, 8)
        self.lamp = Lamp(look)
        self.switch = QCheckBox(name)
        font = self.switch.font()
        font.setBold(True)
        self.switch.setFont(font)
        self.switch.setAccessibleName(f"{name} on or off")
        self.switch.clicked.connect(lambda on: desk.call("output.enable", {"name": name, "on": on}))
        self.about = quiet(kind)
        self.test = QPushButton("Test")
        self.test.setToolTip("Send something that can be recognised at the other end")
        self.test.clicked.connect(lambda: desk.call("output.test", {"name": name}, None, f"test sent to '{name}'"))
        self.remove = QPushButton("Remove")
        self.remove.clicked.connect(
            lambda: desk.call("output.remove", {"name": name}, lambda _: desk.look_again(), f"'{name}' is removed")
        )
        top = QHBoxLayout()
        for widget, share in ((self.lamp, 0), (self.switch, 0), (self.about, 1), (self.test, 0), (self.remove, 0)):
            top.addWidget(widget, share)
        grid.addLayout(top, 0, 0, 1, 4)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(-RANGE_MS, RANGE_MS)
        self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.slider.setTickInterval(100)
        self.box = QSpinBox()
        self.box.setRange(-1000, 1000)
        self.box.setSuffix(" ms")
        self.box.setKeyboardTracking(False)
        for control in (self.slider, self.box):
            control.setAccessibleName(f"Offset of {name}")
            control.setToolTip("Negative leaves really earlier (by prediction), positive later; milliseconds")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(60)
        self._timer.timeout.connect(
            lambda: desk.call("output.offset", {"name": name, "ms": float(self.box.value())},
                              lambda _: desk.look_again())
        )  # fmt: skip
        self.slider.valueChanged.connect(self._slid)
        self.box.valueChanged.connect(self._typed)
        zero = QPushButton("0")
        zero.setToolTip("No offset")
        zero.setAccessibleName(f"No offset for {name}")
        zero.clicked.connect(lambda: self.box.setValue(0))
        timing = QWidget()
        timing.setVisible(not kind.endswith("-in"))
        row = QHBoxLayout(timing)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(quiet("earlier"))
        row.addWidget(self.slider, 1)
        row.addWidget(quiet("later"))
        row.addWidget(self.box)
        row.addWidget(zero)
        grid.addWidget(timing, 1, 0, 1, 4)
        self.test.setVisible(not kind.endswith("-in"))
        self.last = quiet()
        self.trouble = QLabel()
        self.trouble.setProperty("bad", True)
        self.trouble.setWordWrap(True)
        self.trouble.hide()
        grid.addWidget(self.last, 2, 0, 1, 4)
        grid.addWidget(self.trouble, 3, 0, 1, 4)

    def _slid(self, value: int) -> None:
        self.box.blockSignals(True)
        self.box.setValue(value)
        self.box.blockSignals(False)
        self._timer.start()

    def _typed(self, value: int) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(value)
        self.slider.blockSignals(False)
        self._timer.start()

    def show_status(self, status: dict[str, Any], settings: dict[str, Any]) -> None:
        """What the host says of it."""
        sent, errors = int(status.get("sent", 0)), int(status.get("errors", 0))
        if self._sent >= 0 and (sent != self._sent or errors != self._errors):
            self.lamp.flash(bad=errors != self._errors)
        self._sent, self._errors = sent, errors
        if self.switch.isChecked() != bool(status.get("enabled", True)) and not self.switch.isDown():
            self.switch.setChecked(bool(status.get("enabled", True)))
        offset = round(float(status.get("offset_ms", 0.0)))
        touched = self._timer.isActive() or self.slider.isSliderDown() or self.box.hasFocus()
        if offset != self.box.value() and not touched:
            for widget in (self.box, self.slider):
                widget.blockSignals(True)
                widget.setValue(offset)
                widget.blockSignals(False)
        host = settings.get("host") or ("127.0.0.1" if settings.get("port") else "")
        place = ":".join(str(p) for p in (host, settings.get("port")) if p)
        about = [
            status.get("kind", ""),
            place,
            f"profile {settings['profile']}" if settings.get("profile") else "",
        ]
        self._set(self.about, " · ".join(a for a in about if a))
        last = status.get("last") or "nothing yet"
        worst = f" · worst {status['worst_ms']:.1f} ms late" if status.get("worst_ms") else ""
        verb = "taken" if str(status.get("kind", "")).endswith("-in") else "sent"
        self._set(self.last, f"{sent} {verb} · last: {last}{worst}")
        said = status.get("message", "")
        if errors or status.get("dropped"):
            said = f"{errors} errors, {status.get('dropped', 0)} dropped. {said}"
        self._set(self.trouble, said)
        self.trouble.setVisible(bool(said))

    @staticmethod
    def _set(label: QLabel, text: str) -> None:
        if label.text() != text:
            label.setText(text)


class AddOutput(QDialog):
    """A new output: its kind, then the fields of that kind."""

    def __init__(self, parent: QWidget, desk: Desk) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add an output")
        self.setMinimumWidth(420)
        self._desk = desk
        layout = QVBoxLayout(self)
        self.kind = QComboBox()
        self.kind.setAccessibleName("Kind")
        self.kind.addItems(registry.kinds())
        self.kind.setCurrentText("osc")
        self.kind.currentTextChanged.connect(self._show_form)
        layout.addWidget(QLabel("Kind"))
        layout.addWidget(self.kind)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setMinimumHeight(280)
        layout.addWidget(self._scroll, 1)
        self.trouble = QLabel()
        self.trouble.setProperty("bad", True)
        self.trouble.setWordWrap(True)
        layout.addWidget(self.trouble)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Add")
        self.buttons.accepted.connect(self._add)
        self.buttons.rejected.connect(self.reject)
        layout.addWidget(self.buttons)
        self.form: Form | None = None
        self._show_form("osc")

    def _show_form(self, kind: str) -> None:
        self.form = None
        try:
            settings = registry.load(kind).Settings
        except UserError as e:
            self.trouble.setText(str(e))
            self._scroll.setWidget(QWidget())
            return
        self.trouble.clear()
        offers = {"profile": profiles()} if kind == "osc" else {}
        self.form = Form(settings, skip=("kind", "enabled", "rates"), offers=offers)
        self.form.show_values({"profile": "generic"})
        self._scroll.setWidget(self.form)

    def settings(self) -> dict[str, Any]:
        """What is filled in."""
        return {"kind": self.kind.currentText(), **(self.form.values() if self.form is not None else {})}

    def _add(self) -> None:
        def answered(result: Any, error: str) -> None:
            if error:
                self.trouble.setText(error)
                return
            self._desk.look_again()
            self._desk.told.emit(f"'{result}' is added; the preset is not saved yet")
            self.accept()

        self._desk.model.feed.call("output.add", {"settings": self.settings()}, answered)


class OutputsPage(QScrollArea):
    """All outputs."""

    def __init__(self, model: Model, look: Look, desk: Desk) -> None:
        super().__init__()
        self.model, self._look, self._desk = model, look, desk
        self.cards: dict[str, OutputCard] = {}
        self._names: tuple[str, ...] = ("?",)
        self._frame = 0
        self.setWidgetResizable(True)
        inside = QWidget()
        self._layout = QVBoxLayout(inside)
        self._layout.setContentsMargins(10, 10, 10, 10)
        self._layout.setSpacing(8)
        row = QHBoxLayout()
        self.add = QPushButton("Add an output …")
        self.add.clicked.connect(self.open_dialog)
        panic = QPushButton("Panic")
        panic.setToolTip("All outputs let go of what they hold (key P on the stage)")
        panic.clicked.connect(lambda: desk.call("outputs.panic", {}, None, "all outputs have let go"))
        row.addWidget(self.add)
        row.addWidget(panic)
        row.addStretch(1)
        self.empty = quiet("Nothing is sent anywhere yet. 'Add an output' sends OSC, MIDI, OS2L or Link.")
        self._layout.addLayout(row)
        self._layout.addWidget(self.empty)
        self._layout.addStretch(1)
        self.setWidget(inside)

    def open_dialog(self) -> AddOutput:
        """Ask what to add."""
        dialog = AddOutput(self, self._desk)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    def refresh(self) -> None:
        """Called once a frame while in sight; cards change ten times a second."""
        for shown in self.cards.values():
            shown.lamp.update()
        self._frame += 1
        if self._frame % _EVERY:
            return
        outputs = self.model.status.get("outputs", ())
        names = tuple(o["name"] for o in outputs)
        if names != self._names:
            self._rebuild(names, outputs)
        settings = {o.get("name") or o.get("kind"): o for o in self._desk.preset.get("outputs", [])}
        for output in outputs:
            self.cards[output["name"]].show_status(output, settings.get(output["name"], {}))
        self.add.setEnabled(self.model.feed.connected)

    def _rebuild(self, names: tuple[str, ...], outputs: Any) -> None:
        self._names = names
        for shown in self.cards.values():
            shown.setParent(None)
            shown.deleteLater()
        self.cards = {}
        for k, output in enumerate(outputs):
            made = OutputCard(output["name"], output.get("kind", ""), self._look, self._desk)
            self.cards[output["name"]] = made
            self._layout.insertWidget(2 + k, made)
        self.empty.setVisible(not names)
