"""The stage view: what one must see from three metres in the dark, and the hand on the clock."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from gui.hands import HANDS, Hand, Hands
from gui.harmony import short_key
from gui.look import Look
from gui.model import Model
from gui.structure import part_hue
from gui.theme import blend, colour

FLASH = 0.13
"""Seconds that a lamp takes to fade after its beat."""


class Panel(QWidget):
    """Base of the parts: draws itself, when told to."""

    def __init__(self, model: Model, look: Look, title: str, tip: str) -> None:
        super().__init__()
        self.model, self.look = model, look
        self.setAccessibleName(title)
        self.setToolTip(tip)
        look.changed.connect(self.update)

    def refresh(self) -> None:
        """Called once a frame."""
        self.update()

    def fit(self, text: str, box: QRectF, bold: bool = True) -> QFont:
        """The largest font in which `text` fits into `box`."""
        font = QFont(self.font())
        font.setBold(bold)
        font.setPixelSize(100)
        metrics = QFontMetricsF(font)
        wide, tall = metrics.horizontalAdvance(text), metrics.capHeight() * 1.25
        font.setPixelSize(max(8, int(100 * min(box.width() / max(1.0, wide), box.height() / max(1.0, tall)))))
        return font


class Bpm(Panel):
    """The tempo, as large as the window allows; repainted only when it reads differently."""

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(model, look, "Tempo", "Tempo in beats per minute, as the host's clock runs")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(200, 90)
        self._shown: tuple[str, str] = ("", "")
        look.changed.connect(self._renew)

    def _renew(self) -> None:
        self._shown = ("", "")

    def reading(self) -> str:
        """What stands there."""
        bpm = self.model.clock.bpm
        return f"{bpm:.1f}" if bpm > 0 else "–"

    def refresh(self) -> None:
        now = (self.reading(), self.model.clock.state)
        if now != self._shown:
            self._shown = now
            self.setAccessibleDescription(f"{now[0]} BPM, {now[1]}")
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme, state = self.look.theme, self.model.clock.state
        box = QRectF(self.rect()).adjusted(0.04 * self.width(), 0.05 * self.height(), -0.04 * self.width(), 0)
        unit_wide = 0.13 * box.width()
        painter.setFont(self.fit("188.8", box.adjusted(0, 0, -unit_wide, -0.04 * box.height())))
        painter.setPen(QColor(theme.text if state in ("locked", "coasting", "held") else theme.quiet))
        painter.drawText(box.adjusted(0, 0, -unit_wide, 0), Qt.AlignmentFlag.AlignCenter, self.reading())
        unit = QRectF(box.right() - unit_wide, box.top(), unit_wide, box.height() * 0.74)
        painter.setFont(self.fit("BPM", unit.adjusted(8, unit.height() * 0.7, 0, 0)))
        painter.setPen(QColor(theme.quiet))
        painter.drawText(unit, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, "BPM")


class Lamps(Panel):
    """A lamp a beat of the bar; the first is of another colour and shape."""

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(model, look, "Beat lamps", "Beats of the bar; the first one is the downbeat")
        self.setMinimumHeight(44)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme, clock = self.look.theme, self.model.clock
        count = max(1, min(12, clock.beats_per_bar))
        place, at = self.model.flash
        since = self.model.now - at
        running = clock.state in ("locked", "coasting", "held") and since < 4.0
        gap = max(6.0, 0.015 * self.width())
        wide = (self.width() - gap * (count + 1)) / count
        for k in range(count):
            box = QRectF(gap + k * (wide + gap), 2, wide, self.height() - 4)
            hue = theme.downbeat if k == 0 else theme.beat
            here = running and k == place - 1
            glow = math.exp(-max(0.0, since) / FLASH) if here else 0.0
            shade = 0.35 + 0.65 * glow if here else 0.0
            painter.setBrush(QColor(blend(theme.off, hue, shade)))
            painter.setPen(
                QPen(QColor(hue), 3 if k == 0 else 1.5) if here or k == 0 else QPen(QColor(theme.line), 1.5)
            )
            painter.drawRoundedRect(box, 8, 8)
            painter.setFont(self.fit("8", box.adjusted(0, 0.25 * box.height(), 0, -0.25 * box.height())))
            painter.setPen(QColor(theme.ground if glow > 0.3 else theme.quiet))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(k + 1))


class Sweep(Panel):
    """Where in the bar: a bar that fills, with a mark at each beat."""

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(model, look, "Bar phase", "Position within the bar")
        self.setFixedHeight(22)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme, clock = self.look.theme, self.model.clock
        box = QRectF(self.rect()).adjusted(8, 4, -8, -4)
        painter.fillRect(box, QColor(theme.off))
        if clock.state in ("locked", "coasting", "held"):
            done = QRectF(box.left(), box.top(), clock.bar_phase * box.width(), box.height())
            painter.fillRect(done, colour(theme.state(clock.state), 0.75))
        for k in range(1, clock.beats_per_bar):
            x = box.left() + k / clock.beats_per_bar * box.width()
            painter.fillRect(QRectF(x - 1, box.top(), 2, box.height()), QColor(theme.ground))
        if clock.state in ("locked", "coasting", "held"):
            x = box.left() + clock.bar_phase * box.width()
            painter.fillRect(QRectF(x - 2, box.top() - 3, 4, box.height() + 6), QColor(theme.text))


class Reading(Panel):
    """A word above, a large figure below, and (where it has one) a bar under it."""

    def __init__(
        self, model: Model, look: Look, title: str, tip: str, text: Callable[[Model], str],
        share: Callable[[Model], float] | None = None, hue: Callable[[Model, Look], str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(model, look, title, tip)
        self._title, self._text, self._share = title, text, share
        self._hue = hue or (lambda _, look: look.theme.text)
        self._shown: tuple[str, float, str] = ("", -1.0, "")
        self.setMinimumSize(84, 52)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        look.changed.connect(self._renew)

    def _renew(self) -> None:
        self._shown = ("", -1.0, "")

    def refresh(self) -> None:
        share = self._share(self.model) if self._share else 0.0
        now = (self._text(self.model), round(min(1.0, max(0.0, share)), 2), self._hue(self.model, self.look))
        if now != self._shown:
            self._shown = now
            self.setAccessibleDescription(now[0])
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = self.look.theme
        text, share, hue = self._shown
        box = QRectF(self.rect()).adjusted(8, 3, -8, -4)
        head = QRectF(box.left(), box.top(), box.width(), max(14.0, 0.27 * box.height()))
        painter.setFont(
            self.fit("Confidence", head.adjusted(0, 0.15 * head.height(), 0, -0.15 * head.height()), False)
        )
        painter.setPen(QColor(theme.quiet))
        painter.drawText(head, Qt.AlignmentFlag.AlignCenter, self._title)
        foot = 8.0 if self._share else 0.0
        body = QRectF(box.left(), head.bottom(), box.width(), max(8.0, box.height() - head.height() - foot))
        room = body.adjusted(0, 3, 0, -3)
        usual = self.fit("searching" if self._title == "State" else "−88 dB", room)
        own = self.fit(text, room)
        painter.setFont(own if own.pixelSize() < usual.pixelSize() else usual)
        painter.setPen(QColor(hue or theme.text))
        painter.drawText(body, Qt.AlignmentFlag.AlignCenter, text)
        if self._share:
            under = QRectF(box.left(), box.bottom() - 6, box.width(), 6)
            painter.fillRect(under, QColor(theme.off))
            painter.fillRect(
                QRectF(under.left(), under.top(), share * under.width(), 6), QColor(hue or theme.good)
            )


def _counted(number: int) -> str:
    return str(number) if number > 0 else "–"


def _sure(model: Model, look: Look) -> str:
    if not model.clock.state:
        return look.theme.quiet
    return look.theme.good if model.clock.confidence >= 0.5 else look.theme.warn


def _loud(model: Model, look: Look) -> str:
    if not model.values:
        return look.theme.quiet
    return look.theme.bad if model.number("level.peak", -120.0) > -0.1 else look.theme.good


def _key_text(model: Model) -> str:
    if not model.key or not model.values:
        return "–"
    return f"{short_key(model.key)} {model.word('key.camelot')}".strip()


def _level_text(model: Model) -> str:
    if not model.values:
        return "–"
    level = model.number("level.rms", -120.0)
    return "−∞ dB" if level <= -119 else f"{level:.0f} dB".replace("-", "−")


class Stage(QWidget):
    """BPM, lamps, sweep, readings and buttons.

    Parameters
    ----------
    model : Model
    look : Look
    hands : Hands
        What buttons do.
    """

    def __init__(self, model: Model, look: Look, hands: Hands) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.model, self._hands = model, hands
        self.bpm, self.lamps, self.sweep = Bpm(model, look), Lamps(model, look), Sweep(model, look)
        self.readings = [
            Reading(model, look, "State", "searching, locked, coasting (keeps time on its own) or held",
                    lambda m: m.clock.state or "no clock", None, lambda m, k: k.theme.state(m.clock.state)),
            Reading(model, look, "Confidence", "How sure the tracker is, 0 to 100 %",
                    lambda m: f"{100 * m.clock.confidence:.0f} %" if m.clock.state else "–",
                    lambda m: m.clock.confidence,
                    _sure),
            Reading(model, look, "Bar", "Bars since the clock began", lambda m: _counted(m.clock.bar)),
            Reading(model, look, "Phrase", "Phrases since the clock began", lambda m: _counted(m.clock.phrase)),
            Reading(model, look, "Level", "RMS level, dB re full scale", _level_text,
                    lambda m: (m.number("level.rms", -120.0) + 60) / 60,
                    _loud),
            Reading(model, look, "Key", "Key, and its place on the Camelot wheel", _key_text),
            Reading(model, look, "Part", "Part of the piece: breakdown, build, groove or drop",
                    lambda m: m.word(f"{m.structure}.section") or "–",
                    lambda m: m.number("structure.energy", 0.0),
                    lambda m, k: part_hue(k.theme, m.word(f"{m.structure}.section"))),
        ]  # fmt: skip
        self._of_plugins = {"key": self.readings[5], "structure": self.readings[6]}
        for reading in self._of_plugins.values():
            reading.hide()
        self.buttons: dict[str, QPushButton] = {}
        grid = QGridLayout()
        grid.setSpacing(6)
        for k, hand in enumerate(HANDS):
            grid.addWidget(self._button(hand, hands), k // 5, k % 5)
        row = QHBoxLayout()
        row.setSpacing(4)
        for reading in self.readings:
            row.addWidget(reading, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 10)
        layout.setSpacing(8)
        layout.addWidget(self.bpm, 10)
        layout.addWidget(self.lamps, 4)
        layout.addWidget(self.sweep)
        layout.addLayout(row, 4)
        layout.addLayout(grid, 4)

    def _button(self, hand: Hand, hands: Hands) -> QPushButton:
        button = QPushButton(f"{hand.title}\n{hand.key_text}")
        button.setToolTip(f"{hand.tip} (key: {hand.key_text})")
        button.setAccessibleName(hand.title)
        button.setProperty("stage", True)
        button.setCheckable(bool(hand.shows))
        button.setAutoRepeat(hand.repeats)
        button.setMinimumWidth(60)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        if hand.on_press:
            button.pressed.connect(lambda: hands.do(hand.name))
        else:
            button.clicked.connect(lambda: hands.do(hand.name))
        self.buttons[hand.name] = button
        return button

    def refresh(self) -> None:
        """Called once a frame while in sight."""
        for plugin, reading in self._of_plugins.items():
            if reading.isHidden() == self.model.has(plugin):
                reading.setVisible(self.model.has(plugin))
        for part in (self.bpm, self.lamps, self.sweep, *self.readings):
            part.refresh()
        alive = self.model.feed.connected
        for hand in HANDS:
            button = self.buttons[hand.name]
            if hand.shows and button.isChecked() != self._hands.shown(hand):
                button.setChecked(self._hands.shown(hand))
            if button.isEnabled() != alive:
                button.setEnabled(alive)

    def sizeHint(self) -> QSize:
        return QSize(1100, 680)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The buttons' text is as large as the narrowest of them lets it be."""
        super().resizeEvent(event)
        font = QFont(self.font())
        font.setPixelSize(100)
        metrics = QFontMetricsF(font)
        lines = [line for b in self.buttons.values() for line in b.text().split("\n")]
        wide = max(metrics.horizontalAdvance(line) for line in lines)
        room = self.width() / 5 - 16, self.height() * 0.085
        size = round(min(34.0, max(9.0, 100 * min(0.86 * room[0] / wide, 0.36 * room[1] / metrics.height()))))
        for button in self.buttons.values():
            button.setStyleSheet(f"font-size: {size}px")
