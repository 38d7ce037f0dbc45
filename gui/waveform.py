"""The waveform with what was found in it: beats, downbeats, onsets, sections."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gui.look import Look
from gui.model import COLUMN, Model
from gui.stamps import Brush, Ink, Picture, Stamp
from gui.strip import LEAD, Strip
from gui.structure import part_hue
from gui.theme import blend, colour, rgb

UNDER_SECONDS = 18
"""Pixels at the top that belong to the scale of seconds."""


class Waveform(Strip):
    """Scrolling outline; blue lines are beats, orange downbeats, ticks at the bottom onsets, flags sections."""

    needs = "scope"
    HEAD = UNDER_SECONDS

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(
            model,
            look,
            "Waveform",
            "Waveform (full scale = ±1). Lines: beats, thick: downbeats. "
            "Ticks below: onsets, as tall as they are strong.",
        )

    def known(self) -> float:
        return min(self.model.waveform.end * COLUMN, self.model.now + 0.1)

    def begin(self) -> None:
        theme = self.theme
        height = self._picture.height
        self._ground = np.full(height, self.ground(), np.uint32)
        self._ground[height // 2] = rgb(theme.line)
        self._tick = Ink(theme.onset, 0.9)
        self._trace = rgb(theme.trace)
        self._loud = rgb(theme.bad)
        self._soft = rgb(blend(theme.trace, theme.panel, 0.35))

    def draw(self, picture: Picture, first: int, last: int, per_second: float) -> None:
        per_pixel = 1.0 / (per_second * COLUMN)
        starts = np.floor(np.arange(first, last + 1) * per_pixel).astype(int)
        data = self.model.waveform.get(int(starts[0]), max(int(starts[-1]), int(starts[0]) + 1))
        middle, half = picture.height / 2, picture.height / 2 - 1
        for k, p in enumerate(range(first, last)):
            lo = int(starts[k] - starts[0])
            some = data[lo : max(lo + 1, int(starts[k + 1] - starts[0]))]
            low, high = float(some[:, 0].min()), float(some[:, 1].max())
            column = picture.column(p)
            column[:] = self._ground
            top = int(middle - half * min(1.0, high))
            bottom = math.ceil(middle - half * max(-1.0, low)) + 1
            column[top:bottom] = self._loud if max(high, -low) >= 0.999 else self._trace
            inner = (bottom - top) // 4
            column[top : top + inner] = self._soft if bottom - top > 8 else column[top]
            column[bottom - inner : bottom] = self._soft if bottom - top > 8 else column[top]

    def stamps(self) -> Sequence[Stamp]:
        return self.beat_lines(), Stamp(self.model.onsets, self._onset)

    def _onset(self, brush: Brush, column: int, row: Sequence[float]) -> None:
        thin, height = self.thin(), self._picture.height
        high = int(3 * thin + 0.22 * height * min(1.0, row[1]))
        brush.fill(column - thin, 2 * thin, height - high, high, self._tick)

    def overlay(self, painter: QPainter, area: QRectF) -> None:
        self._sections(painter, area)

    def _sections(self, painter: QPainter, area: QRectF) -> None:
        """A flag where a part begins, in its colour; flags that would cover another stand lower."""
        theme = self.theme
        tall = painter.fontMetrics().height() + 2
        taken: list[float] = []
        for section in sorted(self.model.sections):
            if section.time < self.start():
                continue
            x, hue = self.across(section.time, area), part_hue(theme, section.label)
            wide = painter.fontMetrics().horizontalAdvance(section.label) + 12
            row = next((k for k, end in enumerate(taken) if end <= x), len(taken))
            taken[row : row + 1] = [x + wide]
            painter.setPen(QPen(QColor(hue), 2))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            box = QRectF(x, area.top() + UNDER_SECONDS + row * (tall + 1), wide, tall)
            painter.fillRect(box, colour(hue, 0.95))
            painter.setPen(QColor(theme.ground))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, section.label)

    def heading(self, painter: QPainter, area: QRectF) -> None:
        step = 1 if area.width() / self.look.choices.span > 90 else 2 if self.look.choices.span <= 12 else 4
        for back in range(step, int(self.look.choices.span), step):
            x = area.right() - (back + LEAD) / self.look.choices.span * area.width()
            painter.drawText(QRectF(x - 30, 1, 60, 16), Qt.AlignmentFlag.AlignCenter, f"−{back} s")

    def scale(self, painter: QPainter, area: QRectF) -> None:
        for value in (1.0, 0.0, -1.0):
            self.label(
                painter, area, area.center().y() - value * area.height() / 2, f"{value:+.0f}" if value else "0"
            )
