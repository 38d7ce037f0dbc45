"""Colours, fonts and the style sheet: a dark theme for the stage, and one of high contrast."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication

SCALES = (0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.75, 2.0)


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by what they say, as ``#rrggbb``."""

    name: str
    ground: str
    panel: str
    raised: str
    line: str
    text: str
    quiet: str
    accent: str
    downbeat: str
    beat: str
    good: str
    warn: str
    bad: str
    off: str
    trace: str
    voice: str
    onset: str
    section: str
    selected: str

    def state(self, state: str) -> str:
        """Colour of a state of the clock."""
        return {"locked": self.good, "coasting": self.warn, "held": self.accent}.get(state, self.quiet)


DARK = Theme(
    name="dark", ground="#0b0d10", panel="#12151a", raised="#1c2129", line="#2c333d", text="#e8ecf1",
    quiet="#93a0b0", accent="#4cc2ff", downbeat="#ff9f43", beat="#4cc2ff", good="#4fd68a", warn="#ffc14d",
    bad="#ff6b6b", off="#232a33", trace="#5fb3e6", voice="#c792ea", onset="#7f8b99", section="#f78fb3",
    selected="#1d4c66",
)  # fmt: skip

CONTRAST = Theme(
    name="high contrast", ground="#000000", panel="#000000", raised="#101010", line="#ffffff", text="#ffffff",
    quiet="#ffffff", accent="#00e5ff", downbeat="#ffff00", beat="#00e5ff", good="#00ff66", warn="#ffff00",
    bad="#ff5050", off="#303030", trace="#00e5ff", voice="#ff80ff", onset="#c0c0c0", section="#ff80ff",
    selected="#005c80",
)  # fmt: skip

THEMES = {t.name: t for t in (DARK, CONTRAST)}


def colour(text: str, alpha: float = 1.0) -> QColor:
    """``#rrggbb`` with an opacity."""
    made = QColor(text)
    made.setAlphaF(alpha)
    return made


def rgb(text: str) -> int:
    """``#rrggbb`` as the number that a 32-bit picture holds."""
    return 0xFF000000 | int(text[1:], 16)


def blend(text: str, other: str, share: float) -> str:
    """A colour `share` of the way from one to the other."""
    one, two = QColor(text), QColor(other)
    parts = [
        round(a + (b - a) * share)
        for a, b in zip((one.red(), one.green(), one.blue()), (two.red(), two.green(), two.blue()))
    ]
    return "#{:02x}{:02x}{:02x}".format(*parts)


def apply(app: QApplication, theme: Theme, scale: float, base: QFont) -> None:
    """Dress the whole application; `scale` multiplies the size of the `base` font."""
    if app.style().name() != "fusion":
        app.setStyle("Fusion")
    font = QFont(base)
    font.setPointSizeF(max(6.0, base.pointSizeF() * scale))
    app.setFont(font)
    app.setPalette(_palette(theme))
    app.setStyleSheet(_sheet(theme))


def _palette(t: Theme) -> QPalette:
    made = QPalette()
    role = QPalette.ColorRole
    for which, text in (
        (role.Window, t.ground), (role.Base, t.panel), (role.AlternateBase, t.raised), (role.Button, t.raised),
        (role.WindowText, t.text), (role.Text, t.text), (role.ButtonText, t.text), (role.ToolTipBase, t.raised),
        (role.ToolTipText, t.text), (role.PlaceholderText, t.quiet), (role.Highlight, t.selected),
        (role.HighlightedText, t.text), (role.Link, t.accent),
    ):  # fmt: skip
        made.setColor(which, QColor(text))
    for which in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, which, QColor(blend(t.quiet, t.ground, 0.4)))
    return made


def _sheet(t: Theme) -> str:
    dim = blend(t.quiet, t.ground, 0.45)
    return f"""
    QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line}; padding: 4px; }}
    QMainWindow::separator {{ background: {t.ground}; width: 5px; height: 5px; }}
    QMainWindow::separator:hover {{ background: {t.accent}; }}
    QDockWidget {{ color: {t.quiet}; }}
    QDockWidget::title {{ background: {t.panel}; padding: 3px 8px; border-bottom: 1px solid {t.line}; }}
    QPushButton, QToolButton {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 5px;
        padding: 5px 12px; color: {t.text}; }}
    QPushButton:hover, QToolButton:hover {{ border-color: {t.accent}; }}
    QPushButton:focus, QToolButton:focus, QLineEdit:focus, QCheckBox:focus,
    QSlider:focus {{ border: 1px solid {t.accent}; }}
    QPushButton:pressed, QToolButton:pressed {{ background: {t.selected}; }}
    QPushButton:checked, QToolButton:checked {{ background: {t.accent}; color: {t.ground}; font-weight: bold; }}
    QPushButton:disabled, QToolButton:disabled {{ color: {dim}; }}
    QToolButton {{ padding: 3px 7px; }}
    QTabBar QToolButton {{ padding: 0; border: 0; border-radius: 0; }}
    QPushButton[stage="true"] {{ padding: 8px 4px; }}
    QLineEdit {{ background: {t.panel}; border: 1px solid {t.line};
        border-radius: 4px; padding: 3px 6px; color: {t.text}; selection-background-color: {t.selected}; }}
    QComboBox QAbstractItemView {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line}; }}
    QTabBar::tab {{ background: {t.ground}; color: {t.quiet}; padding: 7px 16px; border: 0;
        border-bottom: 3px solid transparent; }}
    QTabBar::tab:selected {{ color: {t.text}; border-bottom: 3px solid {t.accent}; }}
    QTabBar::tab:hover {{ color: {t.text}; }}
    QTabBar::tab:focus {{ color: {t.accent}; }}
    QTabWidget::pane {{ border: 0; border-top: 1px solid {t.line}; }}
    QHeaderView::section {{ background: {t.panel}; color: {t.quiet}; border: 0; padding: 5px 8px;
        border-bottom: 1px solid {t.line}; }}
    QTableWidget, QListWidget, QPlainTextEdit {{ background: {t.panel}; border: 1px solid {t.line};
        border-radius: 4px; gridline-color: {t.line}; alternate-background-color: {t.raised}; }}
    QTableWidget::item:selected, QListWidget::item:selected {{ background: {t.selected}; color: {t.text}; }}
    QScrollArea {{ border: 0; }}
    QFrame[card="true"] {{ background: {t.panel}; border: 1px solid {t.line}; border-radius: 7px; }}
    QLabel[quiet="true"] {{ color: {t.quiet}; }}
    QLabel[title="true"] {{ font-weight: bold; }}
    QLabel[bad="true"] {{ color: {t.bad}; }}
    QLabel[banner="true"] {{ background: {t.warn}; color: #000000; padding: 6px 12px; font-weight: bold; }}
    QStatusBar {{ background: {t.panel}; color: {t.quiet}; border-top: 1px solid {t.line}; }}
    QStatusBar::item {{ border: 0; }}
    QMenu, QMenuBar {{ background: {t.panel}; color: {t.text}; }}
    QMenu {{ border: 1px solid {t.line}; }}
    QMenu::item:selected, QMenuBar::item:selected {{ background: {t.selected}; }}
    QMenu::item:disabled {{ color: {dim}; }}
    QSlider::groove:horizontal {{ background: {t.off}; height: 6px; border-radius: 3px; }}
    QSlider::handle:horizontal {{ background: {t.accent}; width: 14px; margin: -5px 0; border-radius: 7px; }}
    QSlider::handle:horizontal:focus {{ background: {t.text}; }}
    QProgressBar {{ background: {t.off}; border: 0; border-radius: 3px; text-align: center; color: {t.text}; }}
    QProgressBar::chunk {{ background: {t.good}; border-radius: 3px; }}
    QCheckBox {{ border: 1px solid transparent; border-radius: 3px; padding: 2px; color: {t.text}; }}
    QCheckBox::indicator {{ width: 13px; height: 13px; border: 1px solid {t.quiet}; border-radius: 3px;
        background: {t.ground}; }}
    QCheckBox::indicator:checked {{ background: {t.accent}; border-color: {t.accent}; }}
    QCheckBox::indicator:hover {{ border-color: {t.text}; }}
    QCheckBox::indicator:disabled {{ border-color: {t.line}; }}
    QCheckBox::indicator:checked:disabled {{ background: {dim}; border-color: {dim}; }}
    """
