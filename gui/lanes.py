"""Lanes over time: voice activity, drum hits, and the pitch trace on its grid of notes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from gui.look import Look
from gui.model import DRUMS, Model
from gui.stamps import U32, Brush, Ink, Picture, Stamp
from gui.strip import Strip
from gui.theme import blend, colour, rgb

NOTES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
LOWEST_NOTE, HIGHEST_NOTE = 36, 84  # C2 … C6


def note_name(midi: float) -> str:
    """The nearest note, ``A4`` for 69."""
    whole = round(midi)
    return f"{NOTES[whole % 12]}{whole // 12 - 1}"


class Voice(Strip):
    """Probability of voice over time; full colour while it counts as active."""

    needs = "voice"

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(model, look, "Voice", "Probability that somebody speaks or sings, 0 to 1")
        self.setMinimumHeight(30)

    def begin(self) -> None:
        self._on, self._quiet = rgb(self.theme.voice), rgb(blend(self.theme.voice, self.theme.panel, 0.5))

    def draw(self, picture: Picture, first: int, last: int, per_second: float) -> None:
        rows = self.model.voice.since(first / per_second - 1.0)
        times = rows[:, 0]
        for p in range(first, last):
            at = int(np.searchsorted(times, p / per_second, side="right")) - 1
            value = float(rows[at, 1]) if at >= 0 else 0.0
            column = picture.column(p)
            column[:] = self.ground()
            top = picture.height - round(value * picture.height)
            column[top:] = self._on if value >= 0.5 else self._quiet

    def overlay(self, painter: QPainter, area: QRectF) -> None:
        if self.model.active:
            metrics = painter.fontMetrics()
            wide, tall = metrics.horizontalAdvance("voice") + 10, min(area.height(), metrics.height() + 2.0)
            box = QRectF(area.right() - wide - 2, area.top() + 1, wide, tall)
            painter.fillRect(box, QColor(self.theme.panel))
            painter.setPen(QColor(self.theme.voice))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "voice")

    def scale(self, painter: QPainter, area: QRectF) -> None:
        self.label(painter, area, area.top(), "1")
        self.label(painter, area, area.bottom(), "0")


class Drums(Strip):
    """A lane a drum; taller bars are stronger hits. Without a drum plugin, onsets in one lane."""

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(
            model, look, "Drums", "Drum hits by kind, as tall as they are strong; onsets in the lowest lane"
        )

    def overlay(self, painter: QPainter, area: QRectF) -> None:
        theme, model = self.theme, self.model
        if not model.has("drums") and not model.has("onset"):
            painter.setPen(QColor(theme.quiet))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "neither 'drums' nor 'onset' is on")

    def begin(self) -> None:
        theme, count = self.theme, len(self.lanes())
        hues = (theme.downbeat, theme.accent, theme.good, theme.warn, theme.voice)
        self._inks = [Ink(hue) for hue in (*hues, theme.onset)]
        self._empty = np.full(self._picture.height, self.ground(), np.uint32)
        for k in range(1, count):
            self._empty[k * self._picture.height // count] = rgb(theme.line)

    def draw(self, picture: Picture, first: int, last: int, per_second: float) -> None:
        picture.pixels[:, np.arange(first, last) % picture.width] = self._empty[:, None]

    def stamps(self) -> Sequence[Stamp]:
        made, lanes = [self.beat_lines(0.4)], self.lanes()
        if "onset" in lanes:
            made.append(Stamp(self.model.onsets, self._onset))
        if DRUMS[0] in lanes:
            made.append(Stamp(self.model.drums, self._hit))
        return made

    def lead(self) -> U32:
        return self._empty[:, None]

    def _hit(self, brush: Brush, column: int, row: Sequence[float]) -> None:
        self._bar(brush, column, int(row[1]), row[2], self._inks[int(row[1])])

    def _onset(self, brush: Brush, column: int, row: Sequence[float]) -> None:
        self._bar(brush, column, -1, row[1], self._inks[-1])

    def _bar(self, brush: Brush, column: int, lane: int, strength: float, ink: Ink) -> None:
        """A bar at the bottom of a lane, by number from the top, or −1 for the lowest."""
        count, thin = len(self.lanes()), self.thin()
        tall = self._picture.height / count
        high = max(3 * thin, int((tall - 3 * thin) * min(1.0, strength)))
        brush.fill(column - thin, 4 * thin, int((lane % count + 1) * tall) - high - thin, high, ink)

    def scale(self, painter: QPainter, area: QRectF) -> None:
        lanes = self.lanes()
        for k, name in enumerate(lanes):
            self.label(painter, area, (k + 0.5) * area.height() / len(lanes), name)

    def lanes(self) -> tuple[str, ...]:
        onset = ("onset",) if self.model.has("onset") or not self.model.has("drums") else ()
        return (*DRUMS, *onset) if self.model.has("drums") else onset


class Pitch(Strip):
    """The fundamental on a grid of semitones, C2 to C6; C lines are brighter.

    The tuner, laid over the oldest notes, reads the newest.
    """

    needs = "pitch"
    TUNER = 96

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(
            model, look, "Pitch", "Fundamental of a single voice on a grid of semitones; tuner in cents"
        )
        self.setMinimumHeight(80)

    def begin(self) -> None:
        theme, height = self.theme, self._picture.height
        self._grid = np.full(height, self.ground(), np.uint32)
        for midi in range(LOWEST_NOTE, HIGHEST_NOTE + 1):
            strong = midi % 12 == 0
            if strong or height > 4 * (HIGHEST_NOTE - LOWEST_NOTE):
                self._grid[self._row(midi)] = rgb(blend(theme.line, theme.panel, 0.0 if strong else 0.6))
        self._last: tuple[float, int] = (-1.0, 0)

    def _row(self, midi: float) -> int:
        share = (midi - LOWEST_NOTE) / (HIGHEST_NOTE - LOWEST_NOTE)
        return min(self._picture.height - 1, max(0, round((1 - share) * (self._picture.height - 1))))

    def draw(self, picture: Picture, first: int, last: int, per_second: float) -> None:
        rows = self.model.pitch.since(first / per_second - 0.5)
        times = rows[:, 0]
        for p in range(first, last):
            column = picture.column(p)
            column[:] = self._grid
            at = int(np.searchsorted(times, p / per_second, side="right")) - 1
            if at < 0 or math.isnan(rows[at, 1]) or rows[at, 2] < 0.3:
                self._last = (-1.0, 0)
                continue
            row = self._row(rows[at, 1])
            before = self._last[1] if self._last[0] >= 0 and abs(rows[at, 1] - self._last[0]) < 3 else row
            thick = max(1, round(self.devicePixelRatioF()))
            hue = rgb(blend(self.theme.panel, self.theme.good, 0.4 + 0.6 * min(1.0, float(rows[at, 2]))))
            column[max(0, min(row, before) - thick) : max(row, before) + thick + 1] = hue
            self._last = (float(rows[at, 1]), row)

    def scale(self, painter: QPainter, area: QRectF) -> None:
        for midi in range(LOWEST_NOTE, HIGHEST_NOTE + 1, 12):
            self.label(painter, area, area.bottom() - (midi - LOWEST_NOTE) / 48 * area.height(), note_name(midi))

    def overlay(self, painter: QPainter, area: QRectF) -> None:
        box = QRectF(area.left(), 0, min(self.TUNER, area.width() / 3), area.height())
        painter.fillRect(box, colour(self.theme.panel, 0.85))
        self._tuner(painter, box.adjusted(8, 0, -8, 0))

    def _tuner(self, painter: QPainter, box: QRectF) -> None:
        theme, rows = self.theme, self.model.pitch.since(self.model.now - 0.15)
        midi = float(rows[-1, 1]) if len(rows) and rows[-1, 2] >= 0.3 else math.nan
        font = painter.font()
        font.setPointSizeF(max(8.0, min(22.0, box.height() / 5, box.width() / 3.4)))
        painter.setFont(font)
        painter.setPen(QColor(theme.text if midi == midi else theme.quiet))
        upper = QRectF(box.left(), box.center().y() - box.height() * 0.32, box.width(), box.height() * 0.34)
        painter.drawText(upper, Qt.AlignmentFlag.AlignCenter, note_name(midi) if midi == midi else "–")
        middle, y = box.center().x(), box.center().y() + box.height() * 0.12
        painter.fillRect(QRectF(box.left(), y, box.width(), 3), QColor(theme.off))
        painter.fillRect(QRectF(middle - 1, y - 5, 2, 13), QColor(theme.quiet))
        if midi != midi:
            return
        cents = 100 * (midi - round(midi))
        good = abs(cents) < 10
        x = middle + cents / 50 * box.width() / 2
        painter.fillRect(QRectF(x - 3, y - 7, 6, 17), colour(theme.good if good else theme.warn))
        small = painter.font()
        small.setPointSizeF(max(6.0, 0.8 * self.font().pointSizeF()))
        painter.setFont(small)
        under = QRectF(box.left(), y + 10, box.width(), painter.fontMetrics().height())
        painter.drawText(under, Qt.AlignmentFlag.AlignCenter, f"{cents:+.0f} ct")
