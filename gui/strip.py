"""Scrolling pictures: a ring of pixel columns, of which only the new ones are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QWidget

from gui.look import Look
from gui.model import Model
from gui.stamps import U32, Brush, Ink, Picture, Stamp
from gui.theme import Theme, rgb

LEAD = 0.15
"""Seconds to the right of now: what is predicted shows before it happens."""


class Strip(QWidget):
    """Base of the scrolling views: time runs to the left, now is at the right.

    Subclasses draw pixel columns in :meth:`draw`, marks that stay where they are by :meth:`stamps`, and what moves
    over both in :meth:`overlay`.

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
    HEAD = 0
    """Logical pixels at the top that :meth:`heading` draws on."""
    needs = ""
    """Plugin without which there is nothing to see."""

    def __init__(self, model: Model, look: Look, title: str, tip: str) -> None:
        super().__init__()
        self.model, self.look = model, look
        self.setAccessibleName(title)
        self.setToolTip(tip)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 40)
        self._drawn: tuple[int, tuple[str, ...]] | None = None
        self._shown: tuple[object, ...] = ()
        self._edge = 0
        self._take(Picture(1, 1, 0))
        self._stamps: Sequence[Stamp] = ()
        self._fixed: tuple[Hashable, list[QPixmap]] = (None, [])
        look.changed.connect(self.renew)

    # -- for subclasses -------------------------------------------------------------------------------------

    def known(self) -> float:
        """Stream seconds up to which there is something to draw."""
        return self.model.now

    def begin(self) -> None:
        """A new picture begins: prepare what depends on size and theme."""

    def draw(self, picture: Picture, first: int, last: int, per_second: float) -> None:
        """Draw pixel columns `first` … `last` − 1; column ``p`` is at ``p / per_second`` stream seconds."""

    def stamps(self) -> Sequence[Stamp]:
        """Marks that scroll with the picture; asked for when a new picture begins."""
        return ()

    def overlay(self, painter: QPainter, area: QRectF) -> None:
        """What lies over the picture and changes."""

    def scale(self, painter: QPainter, area: QRectF) -> None:
        """Labels in the gutter, right-aligned to ``area.left()``; kept until size, look or `lanes` change."""

    def heading(self, painter: QPainter, area: QRectF) -> None:
        """What stands still over the top of the picture; kept as :meth:`scale` is."""

    def lanes(self) -> tuple[str, ...]:
        """What the view is divided into; when it changes, all is drawn again."""
        return ()

    def ground(self) -> int:
        """Pixel of an empty place."""
        return rgb(self.theme.panel)

    def lead(self) -> int | U32:
        """Pixels of columns of which nothing is known yet: one, or those of a column (height, 1)."""
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
        self._drawn = None
        self.update()

    def refresh(self) -> None:
        """Draw what is new; called once a frame while in sight."""
        drawn = (self.model.serial, self.lanes())
        if self._drawn != drawn:
            self._drawn = drawn
            area, ratio = self.area(), self.devicePixelRatioF()
            self._take(Picture(round(area.width() * ratio), round(area.height() * ratio), self.ground()))
            self.begin()
            self._stamps = self.stamps()
        picture, rate = self._picture, self.per_second()
        self._edge = math.floor((self.model.now + LEAD) * rate)
        last = min(math.floor(self.known() * rate), self._edge)
        first = max(picture.end, last - picture.width, 0)
        if last > first:
            self.draw(picture, first, last, rate)
            picture.end = last
        picture.blank(picture.end, self._edge, self.lead())
        for stamp in self._stamps:
            stamp.apply(picture, first, self._edge, rate)
        feed = self.model.feed
        shown = (self._edge, picture.end, feed.snapshots, feed.connected, id(picture))
        if shown != self._shown:
            self._shown = shown
            self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A new size needs a new picture."""
        self._drawn = None
        super().resizeEvent(event)

    def sizeHint(self) -> QSize:
        """Room for a scale and some seconds."""
        return QSize(640, 120)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Picture, marks, scale."""
        painter = QPainter(self)
        area, ratio = self.area(), self.devicePixelRatioF()
        if self.needs and not self.model.has(self.needs):
            painter.fillRect(self.rect(), QColor(self.theme.panel))
            self.say(painter, f"'{self.needs}' is not on; switch it on in the rack")
            return
        if ratio != int(ratio):  # else gutter and picture cover every pixel
            painter.fillRect(self.rect(), QColor(self.theme.panel))
        picture = self._picture
        begin = self._edge - picture.width
        for first, at, count in picture.runs(begin, self._edge):
            target = QRectF(area.left() + (first - begin) / ratio, area.top(), count / ratio, area.height())
            painter.drawImage(target, self._image, QRectF(at, 0, count, picture.height))
        painter.save()
        painter.setClipRect(area)
        self.overlay(painter, area)
        painter.restore()
        gutter, *head = self._labels(area, ratio)
        painter.drawPixmap(0, 0, gutter)
        if head:
            painter.drawPixmap(int(area.left()), 0, head[0])

    def _take(self, picture: Picture) -> None:
        self._picture = picture
        wide, tall = picture.width, picture.height
        self._image = QImage(picture.pixels.data, wide, tall, 4 * wide, QImage.Format.Format_RGB32)

    def _labels(self, area: QRectF, ratio: float) -> list[QPixmap]:
        """What stands still, drawn once: text costs more than all that moves."""
        key = (self.width(), self.height(), ratio, self.look.choices, self.font().pointSizeF(), self.lanes())
        if self._fixed[0] != key:
            panel = QColor(self.theme.panel)
            made = [self._still(QRectF(0, 0, self.GUTTER, self.height()), ratio, panel, self.scale)]
            if self.HEAD:
                box = QRectF(area.left(), 0, area.width(), self.HEAD)
                made.append(self._still(box, ratio, QColor(0, 0, 0, 0), self.heading))
            self._fixed = key, made
        return self._fixed[1]

    def _still(
        self, box: QRectF, ratio: float, ground: QColor, draw: Callable[[QPainter, QRectF], None]
    ) -> QPixmap:
        found = QPixmap(max(1, math.ceil(box.width() * ratio)), max(1, math.ceil(box.height() * ratio)))
        found.setDevicePixelRatio(ratio)
        found.fill(ground)
        painter = QPainter(found)
        painter.translate(-box.topLeft())
        font = QFont(self.font())
        font.setPointSizeF(max(6.0, 0.8 * font.pointSizeF()))
        painter.setFont(font)
        painter.setPen(QColor(self.theme.quiet))
        draw(painter, self.area())
        painter.end()
        return found

    def say(self, painter: QPainter, text: str) -> None:
        """Why there is nothing to see."""
        painter.setPen(QColor(self.theme.quiet))
        painter.drawText(
            self.rect().adjusted(8, 0, -8, 0), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text
        )

    def beat_lines(self, strength: float = 1.0) -> Stamp:
        """Beats and downbeats as lines over the whole height."""
        beat, down = Ink(self.theme.beat, 0.45 * strength), Ink(self.theme.downbeat, 0.9 * strength)
        tall, thin = self._picture.height, self.thin()

        def draw(brush: Brush, column: int, row: Sequence[float]) -> None:
            if row[1] == 1:
                brush.fill(column - thin, 2 * thin, 0, tall, down)
            else:
                brush.fill(column, thin, 0, tall, beat)

        return Stamp(self.model.beats, draw)

    def thin(self) -> int:
        """Pixels of a logical pixel."""
        return max(1, round(self.devicePixelRatioF()))
