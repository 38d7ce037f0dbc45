"""Tempo and confidence over the last minutes: slow curves, drawn with pyqtgraph once a second."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.look import Look
from gui.model import Model

MINUTES = 2.0
_EVERY = 1.0


class TempoHistory(QWidget):
    """BPM (left scale) and confidence (0–1, right scale), newest at the right, time in seconds before now."""

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__()
        self.model, self.look = model, look
        self.setAccessibleName("Tempo history")
        self.setToolTip("Tempo in BPM (line) and confidence from 0 to 1 (filled) over the last two minutes")
        self.setMinimumSize(160, 70)
        self._plot = pg.PlotWidget()
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.hideButtons()
        self._plot.setMenuEnabled(False)
        self._plot.setXRange(-60 * MINUTES, 0, padding=0)
        self._plot.getAxis("left").setWidth(42)
        self._plot.getAxis("bottom").setHeight(22)
        self._sure = pg.PlotDataItem(fillLevel=0)
        self._tempo = pg.PlotDataItem()
        self._second = pg.ViewBox(enableMenu=False)
        self._second.setMouseEnabled(x=False, y=False)
        item = self._plot.getPlotItem()
        item.scene().addItem(self._second)
        self._second.setXLink(item)
        self._second.setYRange(0, 1, padding=0)
        self._second.setZValue(-10)
        self._second.addItem(self._sure)
        item.addItem(self._tempo)
        item.vb.sigResized.connect(lambda: self._second.setGeometry(item.vb.sceneBoundingRect()))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)
        self._next = 0.0
        self._shown = (0.0, 0.0)
        look.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        theme = self.look.theme
        self._plot.setBackground(theme.panel)
        self._tempo.setPen(pg.mkPen(theme.accent, width=2))
        self._sure.setPen(None)
        self._sure.setBrush(pg.mkBrush(theme.good + "40"))
        for side in ("left", "bottom"):
            axis = self._plot.getAxis(side)
            axis.setPen(theme.line)
            axis.setTextPen(theme.quiet)
            axis.setTickFont(self.font())

    def refresh(self) -> None:
        """Called once a frame; draws once a second."""
        now = self.model.now
        if 0.0 <= now - self._next < _EVERY:
            return
        self._next = now
        rows = self.model.tempo.since(now - 60 * MINUTES)
        times = rows[:, 0] - now
        bpm = np.where(rows[:, 1] > 0, rows[:, 1], np.nan)
        self._sure.setData(times, rows[:, 2])
        self._tempo.setData(times, bpm, connect="finite")
        known = bpm[np.isfinite(bpm)]
        low, high = np.percentile(known, (4, 96)) if len(known) else (100.0, 140.0)
        wanted = (5 * np.floor((low - 3) / 5), 5 * np.ceil((high + 3) / 5))
        if wanted != self._shown:
            self._shown = wanted
            self._plot.setYRange(*wanted, padding=0)
