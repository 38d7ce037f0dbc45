"""The spectrogram: 96 bands spaced evenly in pitch, 30 Hz to 18 kHz, in the palette and range of one's choice."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter

from gui.look import Look
from gui.model import BANDS, FRAME, HIGHEST, LOWEST, Model
from gui.stamps import U32, Picture, Stamp
from gui.strip import Strip

MARKS = (
    (50, "50 Hz"),
    (100, "100"),
    (200, "200"),
    (500, "500"),
    (1000, "1 k"),
    (2000, "2 k"),
    (5000, "5 k"),
    (10_000, "10 k"),
)


def place(hertz: float) -> float:
    """Height of a frequency in the picture, 0 (bottom) to 1."""
    return math.log(hertz / LOWEST) / math.log(HIGHEST / LOWEST)


class Spectrogram(Strip):
    """Scrolling spectra; colour is level in dB re full scale."""

    needs = "scope"

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__(
            model,
            look,
            "Spectrogram",
            "Level by pitch and time, dB re full scale (treble lifted by the scope's tilt). "
            "Palette and range: View menu.",
        )

    def known(self) -> float:
        return min(self.model.spectra.end * FRAME, self.model.now + 0.1)

    def ground(self) -> int:
        return int(self.look.table()[0])

    def begin(self) -> None:
        at = np.linspace(BANDS - 1, 0, self._picture.height)
        self._below = np.floor(at).astype(np.intp).clip(0, BANDS - 2)
        self._share = (at - self._below).astype(np.float32)
        self._table: U32 = self.look.table()

    def draw(self, picture: Picture, first: int, last: int, per_second: float) -> None:
        at = np.floor(np.arange(first, last) / (per_second * FRAME)).astype(int)
        frames = self.model.spectra.get(int(at[0]), int(at[-1]) + 1)
        choices = self.look.choices
        low, wide = choices.low, max(1.0, choices.high - choices.low)
        smooth = frames[:, self._below] * (1 - self._share) + frames[:, self._below + 1] * self._share
        index = ((smooth - low) * (255.0 / wide)).clip(0, 255).astype(np.intp)
        colours = self._table[index]
        where = np.arange(first, last) % picture.width
        picture.pixels[:, where] = colours[at - at[0]].T

    def stamps(self) -> Sequence[Stamp]:
        return (self.beat_lines(0.6),)

    def scale(self, painter: QPainter, area: QRectF) -> None:
        room = painter.fontMetrics().height() * 1.1
        last = math.inf
        for hertz, text in MARKS:
            y = area.bottom() - place(hertz) * area.height()
            if last - y >= room:
                self.label(painter, area, y, text)
                last = y
