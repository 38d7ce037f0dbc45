"""The analysis view: docks to be moved, closed, stacked and remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import QDockWidget, QLabel, QMainWindow, QWidget

from gui.harmony import Harmony
from gui.lanes import Drums, Pitch, Voice
from gui.library import Library
from gui.look import Look
from gui.meters import Loudness, Spectrum, Tags
from gui.model import Model
from gui.spectrogram import Spectrogram
from gui.structure import Structure
from gui.tempohistory import TempoHistory
from gui.waveform import Waveform


class View(Protocol):
    """What a dock holds."""

    def refresh(self) -> None:
        """Draw what is new."""
        ...

    def isVisible(self) -> bool:
        """Whether it is in sight."""
        ...


LEFT = (
    ("waveform", "Waveform", Waveform, 4),
    ("structure", "Structure and chords", Structure, 3),
    ("spectrogram", "Spectrogram", Spectrogram, 5),
    ("pitch", "Pitch", Pitch, 3),
    ("voice", "Voice", Voice, 2),
    ("drums", "Drums and onsets", Drums, 3),
)
RIGHT = (
    ("spectrum", "Spectrum", Spectrum, 4),
    ("harmony", "Key and chord", Harmony, 3),
    ("tempo", "Tempo and confidence", TempoHistory, 3),
    ("loudness", "Loudness", Loudness, 3),
    ("tags", "Tags", Tags, 4),
    ("library", "Library", Library, 3),
)


class Analysis(QMainWindow):
    """Docks around nothing: a main window inside the window, so that docks need no centre."""

    def __init__(self, model: Model, look: Look) -> None:
        super().__init__()
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setDockNestingEnabled(True)
        self._views: list[View] = []
        self._docks: dict[str, QDockWidget] = {}
        for name, title, make, _ in (*LEFT, *RIGHT):
            self._add(name, title, make, model, look)
        self._empty = QLabel("Every dock is closed. The View menu opens them again.")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setProperty("quiet", True)
        self.setCentralWidget(self._empty)
        self._empty.hide()
        self._fresh = True
        self.arrange()

    @property
    def views(self) -> list[View]:
        """The views of all docks."""
        return self._views

    def _add(
        self, name: str, title: str, make: Callable[[Model, Look], QWidget], model: Model, look: Look
    ) -> None:
        view = make(model, look)
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(view)
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable
            | QDockWidget.DockWidgetFeature.DockWidgetClosable
            | QDockWidget.DockWidgetFeature.DockWidgetFloatable
        )
        dock.visibilityChanged.connect(self._show_empty)
        self._docks[name] = dock
        self._views.append(view)  # type: ignore[arg-type]

    def arrange(self) -> None:
        """The first arrangement: what scrolls at the left, what is now at the right."""
        area = Qt.DockWidgetArea
        for dock in self._docks.values():
            self.removeDockWidget(dock)
        for names, side in ((LEFT, area.LeftDockWidgetArea), (RIGHT, area.RightDockWidgetArea)):
            for name, *_ in names:
                self.addDockWidget(side, self._docks[name], Qt.Orientation.Vertical)
                self._docks[name].show()
        self._fresh = True
        if self.isVisible():
            self._settle()

    def showEvent(self, event: QShowEvent) -> None:
        """The first arrangement needs a size, which comes with the first showing."""
        super().showEvent(event)
        self._settle()

    def _settle(self) -> None:
        if self._fresh:
            self._fresh = False
            QTimer.singleShot(0, self.proportion)

    def proportion(self) -> None:
        """Heights and widths as first meant; once the window has a size."""
        for names in (LEFT, RIGHT):
            docks = [self._docks[n] for n, *_ in names]
            self.resizeDocks(docks, [60 * share for *_, share in names], Qt.Orientation.Vertical)
        pair = [self._docks[LEFT[0][0]], self._docks[RIGHT[0][0]]]
        self.resizeDocks(pair, [max(300, int(0.72 * self.width())), max(180, int(0.28 * self.width()))],
                         Qt.Orientation.Horizontal)  # fmt: skip

    def actions_to_show(self) -> list[QAction]:
        """Switches for the docks, for a menu."""
        return [dock.toggleViewAction() for dock in self._docks.values()]

    def refresh(self) -> None:
        """Draw the docks that are in sight."""
        for view in self._views:
            if view.isVisible():
                view.refresh()

    def remember(self) -> str:
        """The arrangement, as text."""
        return bytes(self.saveState(2).toBase64().data()).decode()

    def restore(self, text: str) -> bool:
        """An arrangement of before; False if it is not one."""
        done = bool(text) and self.restoreState(QByteArray.fromBase64(text.encode()), 2)
        self._fresh &= not done
        return done

    def _show_empty(self) -> None:
        self._empty.setVisible(all(dock.isHidden() for dock in self._docks.values()))
