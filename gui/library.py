"""One's own library beside what sounds: which recording this is, what is like it, and its genre."""

from __future__ import annotations

import math
from typing import NamedTuple

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter

from gui.look import Look
from gui.meters import Meter
from gui.model import Model
from gui.theme import colour

PLUGINS = ("similarity", "fingerprint", "genre")
_MOST = 10


class Alike(NamedTuple):
    """A line of ``similarity.neighbours``."""

    score: float
    place: str
    title: str


def neighbours(text: str) -> list[Alike]:
    """Lines ``0.91  1:23  Title``; those that are not such a line are left out."""
    found = []
    for line in text.split("\n")[:_MOST]:
        score, _, rest = line.partition("  ")
        place, _, title = rest.partition("  ")
        try:
            number = float(score)
        except ValueError:
            continue
        if title and math.isfinite(number):
            found.append(Alike(number, place, title))
    return found


class Library(Meter):
    """A line for the recording that was recognised, one for the genre, one for each neighbour with a bar."""

    EVERY = 15

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(
            model,
            look,
            "Library",
            "Of your own library (sidechain index FOLDER): the recording that plays with its position, pieces "
            "that sound alike with their likeness (0 to 1) and place, and the likeliest genres",
        )

    def show_values(self, painter: QPainter) -> None:
        theme, model = self.look.theme, self.model
        if not any(model.has(p) for p in PLUGINS):
            painter.setPen(QColor(theme.quiet))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            text = "'similarity', 'fingerprint' and 'genre' are off; switch them on in the rack"
            painter.drawText(self.rect().adjusted(8, 0, -8, 0), flags, text)
            return
        tall = painter.fontMetrics().height() + 4.0
        row = QRectF(6, 3, self.width() - 12, tall)
        for text, strong in self.heads():
            self._line(painter, row, text, strong)
            row.translate(0, tall)
        for alike in neighbours(model.word("similarity.neighbours")):
            if row.bottom() > self.height():
                break
            self._bar(painter, row, alike)
            row.translate(0, tall)

    def heads(self) -> list[tuple[str, bool]]:
        """The lines above the neighbours, and whether they stand out."""
        model = self.model
        found = []
        if model.has("fingerprint"):
            track = model.word("fingerprint.track")
            seconds = int(max(0.0, min(1e6, model.number("fingerprint.position", 0.0))))
            known = f"{track}  {seconds // 60}:{seconds % 60:02d}"
            found.append((known if track else "no recording of the library", bool(track)))
        if model.has("genre"):
            genres = model.word("genre.top")
            found.append((genres or "no genre yet", bool(genres)))
        if model.has("similarity") and not model.word("similarity.neighbours"):
            found.append(("nothing alike yet", False))
        return found

    def _line(self, painter: QPainter, row: QRectF, text: str, strong: bool) -> None:
        usual, font = painter.font(), QFont(painter.font())
        font.setBold(strong)
        painter.setFont(font)
        painter.setPen(QColor(self.look.theme.text if strong else self.look.theme.quiet))
        fitting = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(row.width()))
        painter.drawText(row, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, fitting)
        painter.setFont(usual)

    def _bar(self, painter: QPainter, row: QRectF, alike: Alike) -> None:
        theme = self.look.theme
        box = row.adjusted(0, 1, 0, -1)
        painter.fillRect(box, QColor(theme.off))
        share = min(1.0, max(0.0, alike.score))
        painter.fillRect(
            QRectF(box.left(), box.top(), share * box.width(), box.height()), colour(theme.accent, 0.35)
        )
        metrics = painter.fontMetrics()
        place_wide = metrics.horizontalAdvance(alike.place) + 8.0
        title = metrics.elidedText(alike.title, Qt.TextElideMode.ElideRight, int(box.width() - place_wide - 10))
        painter.setPen(QColor(theme.text))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(box.adjusted(5, 0, -place_wide, 0), middle | Qt.AlignmentFlag.AlignLeft, title)
        painter.drawText(box.adjusted(0, 0, -5, 0), middle | Qt.AlignmentFlag.AlignRight, alike.place)
