"""Bars that show the present: spectrum, loudness and correlation, tags."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from gui.look import Look
from gui.model import BANDS, FLOOR, Model
from gui.spectrogram import MARKS, place
from gui.theme import blend, rgb


class Meter(QWidget):
    """Base of views that draw all of themselves each time."""

    needs = ""
    EVERY = 1
    """Frames between two drawings."""
    PHASE = 0
    """On which of them: what is dear does not fall on the same frame."""

    def __init__(self, model: Model, look: Look, title: str, tip: str) -> None:
        super().__init__()
        self.model, self.look = model, look
        self._shown: tuple[object, ...] = ()
        self._frame = self.EVERY - self.PHASE
        self.setAccessibleName(title)
        self.setToolTip(tip)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(120, 60)
        look.changed.connect(self.update)

    def refresh(self) -> None:
        """Called once a frame while in sight."""
        self._frame += 1
        feed = self.model.feed
        shown = (feed.snapshots, feed.connected)
        if self._frame % self.EVERY == 0 and shown != self._shown:
            self._shown = shown
            self.update()

    def show_values(self, painter: QPainter) -> None:
        """Draw."""

    def sizeHint(self) -> QSize:
        return QSize(260, 160)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self.look.theme.panel))
        font = QFont(self.font())
        font.setPointSizeF(max(6.0, 0.85 * font.pointSizeF()))
        painter.setFont(font)
        if self.needs and not self.model.has(self.needs):
            painter.setPen(QColor(self.look.theme.quiet))
            text = f"'{self.needs}' is not on; switch it on in the rack"
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(8, 0, -8, 0), flags, text)
            return
        self.show_values(painter)


class Spectrum(Meter):
    """Level by pitch now, with peaks that fall slowly."""

    needs = "scope"
    EVERY = 2

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(model, look, "Spectrum", "Level by frequency, dB re full scale; the line holds peaks")
        self._peaks = np.full(BANDS, FLOOR)
        self._seen = 0

    def show_values(self, painter: QPainter) -> None:
        theme, choices = self.look.theme, self.look.choices
        high, low = 0.0, min(-40.0, choices.low)
        area = QRectF(self.rect()).adjusted(38, 4, -4, -18)
        painter.setPen(QColor(theme.line))
        for level in range(0, int(low) - 1, -20):
            y = area.top() + (high - level) / (high - low) * area.height()
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        end = self.model.spectra.end
        now = self.model.spectra.get(max(0, end - 1), max(1, end))[0].astype(float)
        self._peaks = np.maximum(self._peaks - 0.25 * max(0, min(40, end - self._seen)), now)
        self._seen = end
        wide = area.width() / BANDS
        heights = ((now - low) / (high - low)).clip(0, 1) * area.height()
        trace, left, floor = QColor(theme.trace), area.left(), area.bottom()
        bar = max(1.0, wide - 1)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(trace)
        bars = enumerate(heights.tolist())
        painter.drawRects([QRectF(left + k * wide, floor - tall, bar, tall) for k, tall in bars if tall > 0])
        peaks = floor - ((self._peaks - low) / (high - low)).clip(0, 1) * area.height()
        painter.setBrush(QColor(theme.downbeat))
        painter.drawRects([QRectF(left + k * wide, y - 1, bar, 2) for k, y in enumerate(peaks.tolist())])
        self._labels(painter, area, low, high)

    def _labels(self, painter: QPainter, area: QRectF, low: float, high: float) -> None:
        painter.setPen(QColor(self.look.theme.quiet))
        tall = painter.fontMetrics().height()
        step = 20 if area.height() > 7 * tall else 40
        for level in range(0, int(low) - 1, -step):
            y = area.top() + (high - level) / (high - low) * area.height()
            top = min(max(0.0, y - tall / 2), self.height() - tall)
            painter.drawText(QRectF(0, top, 33, tall), Qt.AlignmentFlag.AlignRight, f"{level}")
        free = 0.0
        for hertz, text in MARKS:
            width = painter.fontMetrics().horizontalAdvance(text)
            x = area.left() + place(hertz) * area.width()
            if x - width / 2 >= free and x + width / 2 <= self.width():
                painter.drawText(QPointF(x - width / 2, self.height() - 4), text)
                free = x + width / 2 + 8


class Loudness(Meter):
    """EBU R 128 loudness, true peak and stereo correlation."""

    needs = "level"
    EVERY, PHASE = 2, 1
    ROWS = (
        ("M", "level.momentary", "LUFS"),
        ("S", "level.shortterm", "LUFS"),
        ("I", "level.integrated", "LUFS"),
        ("TP", "level.truepeak", "dBTP"),
        ("RMS", "level.rms", "dBFS"),
    )

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(
            model,
            look,
            "Loudness",
            "Momentary (400 ms), short-term (3 s) and integrated loudness in LUFS, true peak in dBTP, "
            "RMS in dBFS, and the correlation of left and right (−1 to +1)",
        )

    def show_values(self, painter: QPainter) -> None:
        theme = self.look.theme
        rows = len(self.ROWS) + 1
        tall = self.height() / rows
        metrics = painter.fontMetrics()
        name_wide = metrics.horizontalAdvance("RMS") + 10
        text_wide = metrics.horizontalAdvance("−00.0 LUFS") + 10
        bar_left = float(name_wide)
        bar_wide = max(20.0, self.width() - name_wide - text_wide)
        middle_left = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        middle_right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        for k, (name, value, unit) in enumerate(self.ROWS):
            number = self.model.number(value, -120.0)
            row = QRectF(0, k * tall, self.width(), tall)
            painter.setPen(QColor(theme.quiet))
            painter.drawText(row.adjusted(6, 0, 0, 0), middle_left, name)
            bar = QRectF(bar_left, row.top() + 0.22 * tall, bar_wide, 0.56 * tall)
            painter.fillRect(bar, QColor(theme.off))
            share = min(1.0, max(0.0, (number + 60.0) / 60.0))
            hot = number > (-1.0 if unit == "dBTP" else 0.0)
            warm = number > (-6.0 if unit != "LUFS" else -9.0)
            hue = theme.bad if hot else theme.warn if warm else theme.good
            painter.fillRect(QRectF(bar.left(), bar.top(), share * bar_wide, bar.height()), QColor(hue))
            text = "−∞" if number <= -119.0 else f"{number:.1f}".replace("-", "−")
            painter.setPen(QColor(theme.text))
            painter.drawText(row.adjusted(0, 0, -6, 0), middle_right, f"{text} {unit}")
        self._correlation(painter, QRectF(0, (rows - 1) * tall, self.width(), tall), bar_left, bar_wide)

    def _correlation(self, painter: QPainter, row: QRectF, left: float, wide: float) -> None:
        theme = self.look.theme
        value = self.model.number("level.correlation", 0.0)
        painter.setPen(QColor(theme.quiet))
        painter.drawText(
            row.adjusted(6, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, "L/R"
        )
        bar = QRectF(left, row.top() + 0.36 * row.height(), wide, 0.28 * row.height())
        painter.fillRect(bar, QColor(theme.off))
        middle = left + wide / 2
        painter.fillRect(QRectF(middle - 1, bar.top() - 3, 2, bar.height() + 6), QColor(theme.quiet))
        x = middle + value * wide / 2
        painter.fillRect(
            QRectF(min(x, middle), bar.top(), abs(x - middle), bar.height()),
            QColor(theme.good if value >= 0 else theme.bad),
        )
        painter.setPen(QColor(theme.text))
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(row.adjusted(0, 0, -6, 0), right, f"{value:+.2f}".replace("-", "−"))


class Tags(Meter):
    """What kind of sound it is: a bar a tag, with the last minute behind it."""

    EVERY, PHASE = 12, 7

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(model, look, "Tags", "Tags and their strength, 0 to 1, with the last minute")

    def show_values(self, painter: QPainter) -> None:
        theme = self.look.theme
        tags = self.model.tags
        if not tags:
            painter.setPen(QColor(theme.quiet))
            text = "no plugin that gives tags is on"
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)
            return
        tall = max(16.0, painter.fontMetrics().height() + 4.0)
        lines = max(1, int(self.height() // tall))
        columns = max(1, min(math.ceil(len(tags) / lines), int(self.width() // 130)))
        # Each tag keeps its place, so that one can look for it; where there is no room for all, the strongest stay
        most = sorted(tags, key=lambda name: -tags[name].value)[: lines * columns]
        shown = [name for name in tags if name in most]
        lines = math.ceil(len(shown) / columns)
        wide = self.width() / columns
        name_wide = max(0.3 * wide, min(0.5 * wide, 8.0 + self._widest(painter, shown)))
        for k, name in enumerate(shown):
            tag = tags[name]
            row = QRectF(k // lines * wide, k % lines * tall, wide, tall)
            box = row.adjusted(name_wide, 2, -4, -2)
            strong = tag.value >= 0.5
            painter.fillRect(box, QColor(theme.off))
            self._past(painter, box, tag.past.since(self.model.now - 60.0))
            hue = QColor(theme.good if strong else theme.accent)
            painter.fillRect(QRectF(box.left(), box.bottom() - 4, tag.value * box.width(), 4), hue)
            painter.setPen(QColor(theme.text if strong else theme.quiet))
            fitting = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, int(name_wide - 8))
            painter.drawText(row.adjusted(6, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, fitting)

    @staticmethod
    def _widest(painter: QPainter, names: list[str]) -> float:
        return max((float(painter.fontMetrics().horizontalAdvance(n)) for n in names), default=0.0)

    def _past(self, painter: QPainter, box: QRectF, rows: np.ndarray) -> None:
        """Strengths of the last minute as one small picture: bars by the hundred cost more than all else."""
        wide, tall = max(1, int(box.width())), max(1, int(box.height()))
        seconds = self.model.now - 60.0 + (np.arange(wide) + 1) * (60.0 / wide)
        at = np.searchsorted(rows[:, 0], seconds, side="right") - 1
        heights = np.zeros(wide)
        known = at >= 0
        known[known] = seconds[known] - rows[at[known], 0] < 1.0
        heights[known] = np.nan_to_num(rows[at[known], 1])
        filled = np.arange(tall, 0, -1)[:, None] <= np.where(heights > 0.02, np.rint(heights * tall), 0)
        theme = self.look.theme
        past, empty = np.uint32(rgb(blend(theme.accent, theme.off, 0.65))), np.uint32(rgb(theme.off))
        pixels = np.where(filled, past, empty)
        image = QImage(pixels.data, wide, tall, 4 * wide, QImage.Format.Format_RGB32)
        painter.drawImage(box.topLeft(), image)
