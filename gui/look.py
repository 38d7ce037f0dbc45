"""The dress of the moment, shared by all views: theme, picture palette, range, and how far to look back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, Signal

from gui.theme import DARK, Theme

PALETTES = {
    "inferno": "inferno",
    "viridis": "viridis",
    "magma": "magma",
    "plasma": "plasma",
    "grey": "CET-L1",
    "blue": "CET-L6",
}
"""Names in menus → colour maps of pyqtgraph."""


@dataclass(frozen=True)
class Choices:
    """What a person can choose of it."""

    theme: Theme = DARK
    palette: str = "inferno"
    low: float = -70.0
    high: float = 0.0
    span: float = 8.0
    scale: float = 1.0
    hidden: frozenset[str] = field(default_factory=frozenset)


class Look(QObject):
    """Tells the views when the dress changes: rarely, so a signal is right here."""

    changed = Signal()

    def __init__(self, choices: Choices | None = None) -> None:
        super().__init__()
        self.choices = choices or Choices()

    @property
    def theme(self) -> Theme:
        """The theme of now."""
        return self.choices.theme

    def choose(self, choices: Choices) -> None:
        """Change the dress."""
        if choices != self.choices:
            self.choices = choices
            self.changed.emit()

    def table(self) -> npt.NDArray[np.uint32]:
        """256 colours of the palette as 32-bit pixels."""
        import pyqtgraph

        found = pyqtgraph.colormap.get(PALETTES[self.choices.palette])
        r, g, b = found.getLookupTable(nPts=256, alpha=False).astype(np.uint32).T
        return np.asarray(0xFF000000 | r << 16 | g << 8 | b, np.uint32)
