"""Scrolling pictures: a ring of pixel columns, of which only the new ones are drawn."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from gui.history import Series
from gui.look import Look
from gui.model import Model
from gui.theme import Theme, colour, rgb

U32 = npt.NDArray[np.uint32]
LEAD = 0.15
"""Seconds to the right of now: what is predicted shows before it happens."""


class Picture:
    """A ring of pixel columns. Column ``p`` of the endless picture lies at ``p % width``."""

    def __init__(self, width: int, height: int, ground: int) -> None:
        self.width, self.height = max(1, width), max(1, height)
        self.pixels: U32 = np.full((self.height, self.width), ground, np.uint32)
        self.end = 0
        """Column after the newest that is drawn."""
        self._image = QImage(self.pixels.data, self.width, self.height, 4 * self.width, QImage.Format.Format_RGB32)

    def column(self, number: int) -> U32:
        """A column's pixels, top to bottom, to be drawn on."""
        return self.pixels[:, number % self.width]

    def paint(self, painter: QPainter, area: QRectF, edge: int, ratio: float) -> None:
        """Draw it so that column ``edge - 1`` is at the right edge of `area` (logical pixels)."""
        first, last = max(edge - self.width, self.end - self.width, 0), min(edge, self.end)
        while first < last:
            at = first % self.width
            run = min(last - first, self.width - at)
            x = area.right() - (edge - first) / ratio
            target = QRectF(x, area.top(), run / ratio, area.height())
            painter.drawImage(target, self._image, QRectF(at, 0, run, self.height))
            first += run


class Strip(QWidget):
    """Base of the scrolling views: time runs to the left, now is at the right.

    Subclasses draw pixel columns in :meth:`draw` and lay marks over them in :meth:`overlay`.

    Parameters
    ----------
    model : Model
    look : Look
    title : str
        Said to screen readers and in tool tips.
    tip : str
        What is shown, with units.
    """

    GUTTER = 46
    needs = ""
    """Plugin without which there is nothing to see."""

    def __init__(self, model: Model, look: Look, title: str, tip: str) -> None:
        super().__init__()
        self.model, self.look = model, look
        self.setAccessibleName(title)
        self.setToolTip(tip)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 40)
        self._serial = -1
        self._edge = 0
        self._picture = Picture(1, 1, 0)
        look.changed.connect(self.renew)

    # -- for subclasses -------------------------------------------------------------------------------------

    def known(self) -> float:
        """Stream seconds up to which there is something to draw."""
        return self.model.now

    def begin(self) -> None:
        """A new picture begins: prepare what depends on size and theme."""

    def draw(self, picture: Picture, first: int, last: int, per_second: float) -> None:
        """Draw pixel columns `first` … `last` − 1; column ``p`` is at ``p / per_second`` stream seconds."""

    def overlay(self, painter: QPainter, area: QRectF) -> None:
        """Marks that lie over the picture."""

    def scale(self, painter: QPainter, area: QRectF) -> None:
        """Labels in the gutter, right-aligned to ``area.left()``."""

    def ground(self) -> int:
        """Pixel of an empty place."""
        return rgb(self.theme.panel)

    # -- helpers --------------------------------------------------------------------------------------------

    @property
    def theme(self) -> Theme:
        """The theme of now."""
        return self.look.theme

    def area(self) -> QRectF:
        """Where the picture is, logical pixels."""
        return QRectF(self.GUTTER, 0, max(1, self.width() - self.GUTTER), self.height())

    def across(self, time: float, area: QRectF) -> float:
        """Where a time is."""
        ratio = self.devicePixelRatioF()
        return area.right() - (self._edge - math.floor(time * self.per_second())) / ratio

    def start(self) -> float:
        """The oldest time in sight."""
        return self.model.now + LEAD - self.look.choices.span

    def per_second(self) -> float:
        """Pixel columns a second."""
        return float(self._picture.width) / self.look.choices.span

    def label(self, painter: QPainter, area: QRectF, y: float, text: str) -> None:
        """A scale label in the gutter at height `y`."""
        height = painter.fontMetrics().height()
        top = min(max(0.0, y - height / 2), max(0.0, self.height() - height))
        box = QRectF(0, top, self.GUTTER - 5, height)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)

    # -- life -----------------------------------------------------------------------------------------------

    def renew(self) -> None:
        """Throw the picture away and draw all of it again."""
        self._serial = -1
        self.update()

    def refresh(self) -> None:
        """Draw what is new; called once a frame while in sight."""
        if self._serial != self.model.serial:
            self._serial = self.model.serial
            area, ratio = self.area(), self.devicePixelRatioF()
            self._picture = Picture(round(area.width() * ratio), round(area.height() * ratio), self.ground())
            self.begin()
        picture, rate = self._picture, self.per_second()
        self._edge = math.floor((self.model.now + LEAD) * rate)
        last = math.floor(self.known() * rate)
        first = max(picture.end, last - picture.width, 0)
        if last > first:
            self.draw(picture, first, last, rate)
            picture.end = last
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A new size needs a new picture."""
        self._serial = -1
        super().resizeEvent(event)

    def sizeHint(self) -> QSize:
        """Room for a scale and some seconds."""
        return QSize(640, 120)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Picture, marks, scale."""
        painter = QPainter(self)
        area = self.area()
        painter.fillRect(self.rect(), QColor(self.theme.panel))
        if self.needs and not self.model.has(self.needs):
            self.say(painter, f"'{self.needs}' is not on; switch it on in the rack")
            return
        self._picture.paint(painter, area, self._edge, self.devicePixelRatioF())
        painter.save()
        painter.setClipRect(area)
        self.overlay(painter, area)
        painter.restore()
        font = QFont(self.font())
        font.setPointSizeF(max(6.0, 0.8 * font.pointSizeF()))
        painter.setFont(font)
        painter.setPen(QColor(self.theme.quiet))
        self.scale(painter, area)

    def say(self, painter: QPainter, text: str) -> None:
        """Why there is nothing to see."""
        painter.setPen(QColor(self.theme.quiet))
        painter.drawText(
            self.rect().adjusted(8, 0, -8, 0), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text
        )

    def marks(self, series: Series, area: QRectF) -> list[tuple[float, float]]:
        """Events in sight as (x, strength); where several fall on one pixel, the strongest."""
        rows = series.since(self.start())
        columns = np.floor(rows[:, 0] * self.per_second()).astype(np.int64)
        if len(rows) > 1:
            order = np.lexsort((-rows[:, 1], columns))
            first = np.unique(columns[order], return_index=True)[1]
            rows, columns = rows[order][first], columns[order][first]
        ratio = self.devicePixelRatioF()
        return list(zip((area.right() - (self._edge - columns) / ratio).tolist(), rows[:, 1].tolist()))

    def beat_lines(self, painter: QPainter, area: QRectF, strength: float = 1.0) -> None:
        """Beats and downbeats as lines over the whole height."""
        theme = self.theme
        beat, down = colour(theme.beat, 0.45 * strength), colour(theme.downbeat, 0.9 * strength)
        top, tall = int(area.top()), math.ceil(area.height())
        for time, place in self.model.beats.since(self.start()).tolist():
            x = self.across(time, area)
            # Rectangles of whole pixels: lines with a wide pen cost ten times as much.
            if place == 1:
                painter.fillRect(int(x) - 1, top, 2, tall, down)
            else:
                painter.fillRect(int(x), top, 1, tall, beat)
