"""Key, its place on the Camelot wheel, chord, the twelve pitch classes, and the tuning."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter

from gui.lanes import NOTES
from gui.look import Look
from gui.meters import Meter
from gui.model import Model
from gui.theme import colour


def short_key(key: str) -> str:
    """``A♭m`` for ``Ab minor``."""
    return key.replace(" major", "").replace(" minor", "m").replace("b", "♭").replace("#", "♯")


class Harmony(Meter):
    """The key in large letters, the chord beside it, a bar for each pitch class."""

    needs = "key"
    EVERY, PHASE = 6, 3

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(
            model,
            look,
            "Key and chord",
            "Key with its place on the Camelot wheel, chord, how sure both are (0 to 100 %), strength of the "
            "twelve pitch classes, and tuning against A = 440 Hz in cents",
        )

    def show_values(self, painter: QPainter) -> None:
        area = QRectF(self.rect()).adjusted(8, 4, -8, -4)
        upper = QRectF(area.left(), area.top(), area.width(), max(34.0, 0.42 * area.height()))
        half = upper.width() * 0.62
        key, wheel = self.model.key, self.model.word("key.camelot")
        name = short_key(key)
        self._word(
            painter,
            QRectF(upper.left(), upper.top(), half - 6, upper.height()),
            f"{name}  {wheel}".strip() if key else "–",
            f"{key or 'no key yet'} {self._sure('key.confidence')}{self._tuning()}",
        )
        chord = self.model.word("key.chord")
        self._word(
            painter,
            QRectF(upper.left() + half, upper.top(), upper.width() - half, upper.height()),
            "–" if chord in ("", "N") else chord.replace("b", "♭").replace("#", "♯"),
            "no chord" if chord in ("", "N") else f"chord {self._sure('key.chord_confidence')}",
        )
        self._chroma(
            painter, QRectF(area.left(), upper.bottom() + 4, area.width(), area.bottom() - upper.bottom() - 4)
        )

    def _tuning(self) -> str:
        cents = self.model.number("key.tuning", 0.0)
        return f", tuned {cents:+.0f} ct".replace("-", "−") if abs(cents) >= 1.0 else ""

    def _sure(self, name: str) -> str:
        value = self.model.number(name)
        return "" if math.isnan(value) else f"{100 * value:.0f} %"

    def _word(self, painter: QPainter, box: QRectF, large: str, small: str) -> None:
        theme = self.look.theme
        below = painter.fontMetrics().height()
        font, usual = QFont(painter.font()), painter.font()
        font.setBold(True)
        font.setPixelSize(100)
        tall = box.height() - below
        wide = QFontMetricsF(font).horizontalAdvance(large)
        font.setPixelSize(max(9, int(min(0.86 * tall, 100 * box.width() / max(1.0, wide), 44))))
        painter.setFont(font)
        painter.setPen(QColor(theme.quiet if large == "–" else theme.text))
        left = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(QRectF(box.left(), box.top(), box.width(), tall), left, large)
        painter.setFont(usual)
        painter.setPen(QColor(theme.quiet))
        fitting = painter.fontMetrics().elidedText(small, Qt.TextElideMode.ElideRight, int(box.width()))
        painter.drawText(QRectF(box.left(), box.bottom() - below, box.width(), below), left, fitting)

    def _chroma(self, painter: QPainter, box: QRectF) -> None:
        theme, metrics = self.look.theme, painter.fontMetrics()
        values = self.model.values.get("key.chroma")
        strengths = (
            [float(v or 0.0) for v in values] if isinstance(values, list) and len(values) == 12 else [0.0] * 12
        )
        foot = metrics.height()
        wide, tall = box.width() / 12, box.height() - foot
        centre = Qt.AlignmentFlag.AlignCenter
        for k, strength in enumerate(strengths):
            bar = QRectF(box.left() + k * wide + 1, box.top(), wide - 2, max(4.0, tall))
            painter.fillRect(bar, QColor(theme.off))
            high = min(1.0, max(0.0, strength)) * bar.height()
            hue = colour(theme.good, 0.4 + 0.6 * min(1.0, strength))
            painter.fillRect(QRectF(bar.left(), bar.bottom() - high, bar.width(), high), hue)
            painter.setPen(QColor(theme.text if strength > 0.6 else theme.quiet))
            if metrics.horizontalAdvance(NOTES[k]) <= wide:
                painter.drawText(QRectF(bar.left(), box.bottom() - foot, bar.width(), foot), centre, NOTES[k])
