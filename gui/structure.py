"""Where in the piece we are: parts, energy and chords over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from gui.look import Look
from gui.model import Model, Section
from gui.stamps import Picture, Stamp
from gui.strip import Strip
from gui.theme import Theme, blend, colour, rgb


def part_hue(theme: Theme, label: str) -> str:
    """Colour of a part or of an event that begins one."""
    hues = {
        "breakdown": theme.accent,
        "build": theme.warn,
        "groove": theme.good,
        "drop": theme.bad,
    }
    return hues.get(label, theme.section)


class Structure(Strip):
    """Up to three lanes: parts of the piece, energy (and build-up as a line), chords."""

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(
            model,
            look,
            "Structure and chords",
            "Parts of the piece (breakdown, build, groove, drop), energy and build-up from 0 to 1, chords",
        )
        self.setMinimumHeight(48)

    def begin(self) -> None:
        self._fill = rgb(blend(self.theme.good, self.theme.panel, 0.45))
        self._line = rgb(self.theme.warn)

    def stamps(self) -> Sequence[Stamp]:
        return (self.beat_lines(0.3),)

    def draw(self, picture: Picture, first: int, last: int, per_second: float) -> None:
        columns = np.arange(first, last)
        place = columns % picture.width
        picture.pixels[:, place] = self.ground()
        if "energy" not in self.lanes():
            return
        top, bottom = self._rows(picture.height)["energy"]
        tall = bottom - top - 2
        rows = self.model.energy.since(first / per_second - 1.0)
        at = np.searchsorted(rows[:, 0], columns / per_second, side="right") - 1
        known = at >= 0
        if not known.any():
            return
        found = np.clip(np.nan_to_num(rows[at[known], 1:]), 0.0, 1.0)
        level, line = np.rint(found * tall).astype(int).T
        heights = np.arange(picture.height)[:, None]
        lane = picture.pixels[:, place[known]]
        lane[(heights >= bottom - 1 - level) & (heights < bottom - 1)] = self._fill
        lane[(heights >= np.maximum(top, bottom - 3 - line)) & (heights < bottom - 1 - line)] = self._line
        picture.pixels[:, place[known]] = lane

    def overlay(self, painter: QPainter, area: QRectF) -> None:
        lanes = self._rows(int(area.height()))
        if not lanes:
            painter.setPen(QColor(self.theme.quiet))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "neither 'structure' nor 'key' is on")
            return
        if "part" in lanes:
            self._blocks(painter, area, lanes["part"], self.model.parts, 0.85)
        if "chord" in lanes:
            self._blocks(painter, area, lanes["chord"], self.model.chords, 0.0)

    def scale(self, painter: QPainter, area: QRectF) -> None:
        for name, (top, bottom) in self._rows(int(area.height())).items():
            self.label(painter, area, (top + bottom) / 2, name)

    def lanes(self) -> tuple[str, ...]:
        structure, key = self.model.has("structure"), self.model.has("key")
        return ("part", "energy") * structure + ("chord",) * key

    def _rows(self, height: int) -> dict[str, tuple[int, int]]:
        """Top and bottom of each lane; energy gets what the words leave."""
        lanes = self.lanes()
        word = min(24, max(12, height // max(2, len(lanes)))) if "energy" in lanes else height
        found, top = {}, 0
        rest = height - word * (len(lanes) - 1) if "energy" in lanes else word
        for name in lanes:
            tall = rest if name == "energy" else word
            found[name] = (top, top + tall)
            top += tall
        return found

    def _blocks(
        self, painter: QPainter, area: QRectF, lane: tuple[int, int], parts: Sequence[Section], strength: float
    ) -> None:
        """A coloured block from each change to the next; the last runs to now."""
        theme = self.theme
        top, tall = lane[0] + 1, lane[1] - lane[0] - 2
        known = self.across(self.model.now, area)
        for k, part in enumerate(parts):
            left = max(area.left(), self.across(part.time, area))
            right = self.across(parts[k + 1].time, area) if k + 1 < len(parts) else known
            if right <= left or not part.label:
                continue
            box = QRectF(left, top, right - left, tall)
            hue = part_hue(theme, part.label) if strength else theme.off
            painter.fillRect(box.adjusted(0, 0, -1, 0), colour(hue, strength or 1.0))
            painter.setPen(QColor(theme.ground if strength else theme.text))
            room = box.adjusted(5, 0, -3, 0)
            if painter.fontMetrics().horizontalAdvance(part.label) <= room.width():
                painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, part.label)
