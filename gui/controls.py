"""Controls made from a parameter's descriptor: unit, range, default, choices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

_STEPS = 1000
_TOGETHER_MS = 60


class ParameterControl(QWidget):
    """One parameter: slider and number, or a choice; a click on ↺ gives the default back.

    Parameters
    ----------
    descriptor : dict
        A :class:`realtime.hosting.plugin.Parameter` as plain data.
    send : callable
        Called with the value, at most some 16 times a second.
    """

    def __init__(self, descriptor: dict[str, Any], send: Callable[[float], None]) -> None:
        super().__init__()
        self._d, self._send = descriptor, send
        self._low, self._high = float(descriptor["minimum"]), float(descriptor["maximum"])
        self._default = float(descriptor["default"])
        self._log = self._low > 0 and self._high / self._low > 50
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_TOGETHER_MS)
        self._timer.timeout.connect(lambda: self._send(self.value()))
        self.slider: QSlider | None = None
        self.box: QDoubleSpinBox | None = None
        self.choice: QComboBox | None = None
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        title = QLabel(descriptor["name"])
        title.setFixedWidth(title.fontMetrics().horizontalAdvance("M" * 10))
        title.setWordWrap(True)
        layout.addWidget(title)
        if descriptor["choices"]:
            self._make_choice(layout)
        else:
            self._make_slider(layout)
        back = QToolButton()
        back.setText("↺")
        back.setAccessibleName(f"{descriptor['name']}: default")
        back.setToolTip(f"Back to the default ({self._text(self._default)})")
        back.clicked.connect(lambda: self.set_by_hand(self._default))
        layout.addWidget(back)
        self.setToolTip(self._tip())

    def _make_choice(self, layout: QHBoxLayout) -> None:
        self.choice = QComboBox()
        self.choice.addItems(self._d["choices"])
        self.choice.setAccessibleName(self._d["name"])
        self.choice.activated.connect(lambda _: self._timer.start())
        layout.addWidget(self.choice, 1)

    def _make_slider(self, layout: QHBoxLayout) -> None:
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setAccessibleName(self._d["name"])
        self.slider.setMinimumWidth(40)
        self.slider.valueChanged.connect(self._slid)
        self.box = QDoubleSpinBox()
        self.box.setRange(self._low, self._high)
        wide = self._high - self._low
        self.box.setDecimals(0 if wide >= 500 else 1 if wide >= 50 else 2)
        self.box.setSingleStep(max(10.0 ** -self.box.decimals(), wide / 100))
        self.box.setKeyboardTracking(False)
        self.box.setAccessibleName(f"{self._d['name']} in {self._d['unit'] or 'numbers'}")
        if self._d["unit"]:
            self.box.setSuffix(f" {self._d['unit']}")
        self.box.valueChanged.connect(self._typed)
        self.box.setFixedWidth(self.box.fontMetrics().horizontalAdvance("0" * 12) + 30)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.box)

    def value(self) -> float:
        """What is set."""
        if self.choice is not None:
            return float(self.choice.currentIndex())
        assert self.box is not None
        return float(self.box.value())

    def show_value(self, value: float) -> None:
        """What the host says; not while a hand is on it."""
        busy = self._timer.isActive() or (self.slider is not None and self.slider.isSliderDown())
        if busy or (self.box is not None and self.box.hasFocus() and self.box.lineEdit().isModified()):
            return
        if abs(value - self.value()) > 1e-6 * max(1.0, abs(value)):
            self._put(value)

    def set_by_hand(self, value: float) -> None:
        """Set and send."""
        self._put(value)
        self._timer.start()

    def _put(self, value: float) -> None:
        if self.choice is not None:
            self.choice.setCurrentIndex(min(self.choice.count() - 1, max(0, round(value))))
            return
        assert self.box is not None
        assert self.slider is not None
        for widget in (self.box, self.slider):
            widget.blockSignals(True)
        self.box.setValue(value)
        self.slider.setValue(self._position(value))
        for widget in (self.box, self.slider):
            widget.blockSignals(False)

    def _slid(self, position: int) -> None:
        assert self.box is not None
        share = position / _STEPS
        value = (
            self._low * (self._high / self._low) ** share
            if self._log
            else self._low + share * (self._high - self._low)
        )
        self.box.blockSignals(True)
        self.box.setValue(value)
        self.box.blockSignals(False)
        self._timer.start()

    def _typed(self, value: float) -> None:
        assert self.slider is not None
        self.slider.blockSignals(True)
        self.slider.setValue(self._position(value))
        self.slider.blockSignals(False)
        self._timer.start()

    def _position(self, value: float) -> int:
        if self._high <= self._low:
            return 0
        if self._log:
            share = math.log(max(value, self._low) / self._low) / math.log(self._high / self._low)
        else:
            share = (value - self._low) / (self._high - self._low)
        return round(_STEPS * share)

    def _text(self, value: float) -> str:
        if self._d["choices"]:
            return str(self._d["choices"][round(value)])
        return f"{value:g} {self._d['unit']}".strip()

    def _tip(self) -> str:
        d = self._d
        lines = [d["description"] or d["name"]]
        if not d["choices"]:
            lines.append(f"{d['minimum']:g} to {d['maximum']:g} {d['unit']}".strip())
        lines.append(f"default {self._text(self._default)}")
        if not d["live"]:
            lines.append("the plugin starts anew when this changes")
        return "\n".join(lines)


def card() -> tuple[QFrame, QVBoxLayout]:
    """A framed box and its layout."""
    frame = QFrame()
    frame.setProperty("card", True)
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(12, 10, 12, 10)
    layout.setSpacing(6)
    return frame, layout


def quiet(text: str = "") -> QLabel:
    """A label in the background."""
    label = QLabel(text)
    label.setProperty("quiet", True)
    label.setWordWrap(True)
    return label
