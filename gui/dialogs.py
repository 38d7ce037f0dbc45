"""Errors that say what to do, the keys, and the versions."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from typing import Any

import numpy
import pyqtgraph
import PySide6
import websockets
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QMessageBox, QPlainTextEdit, QVBoxLayout, QWidget

from gui.hands import HANDS

PAGE_KEYS = (
    ("Ctrl+1 … Ctrl+8", "pages"), ("F11", "full screen (Esc leaves it)"), ("Ctrl++, Ctrl+−", "size of the text"),
    ("Ctrl+T", "dark or high contrast"), ("Shift+← / Shift+→", "nudge by 20 ms"), ("Ctrl+R", "record"),
    ("Ctrl+S", "save the preset"), ("F1", "this list"), ("Ctrl+Q", "end"),
)  # fmt: skip


def fault(parent: QWidget | None, what: str, why: str, details: str = "", modal: bool = False) -> QMessageBox:
    """An error: what does not work, why and what to do; details on demand."""
    box = QMessageBox(QMessageBox.Icon.Warning, "Sidechain", what, QMessageBox.StandardButton.Close, parent)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setInformativeText(why)
    if details:
        box.setDetailedText(details)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if modal:
        box.exec()
    else:
        box.setModal(False)
        box.show()
    return box


def keys(parent: QWidget) -> QDialog:
    """All keys."""
    rows = [f"<tr><td style='padding-right:24px'><b>{_escaped(h.key_text)}</b></td><td>{_escaped(h.tip)}</td></tr>"
            for h in HANDS]  # fmt: skip
    rows += [f"<tr><td><b>{_escaped(k)}</b></td><td>{_escaped(t)}</td></tr>" for k, t in PAGE_KEYS]
    head = "<p>The clock's keys work on the Stage and Analysis pages.</p>"
    return _page(parent, "Keys", head + "<table cellspacing='6'>" + "".join(rows) + "</table>")


def about(parent: QWidget, status: Mapping[str, Any]) -> QDialog:
    """Versions of everything that matters when something is reported."""
    lines = {
        "Host": f"{status.get('version', '–')} (Python {status.get('python', '–')})",
        "Visualizer": f"Python {sys.version.split()[0]} on {platform.platform(terse=True)}",
        "PySide6 / Qt": PySide6.__version__,
        "pyqtgraph": pyqtgraph.__version__,
        "numpy": numpy.__version__,
        "websockets": websockets.__version__,
    }
    dialog = QDialog(parent)
    dialog.setWindowTitle("About Sidechain")
    layout = QVBoxLayout(dialog)
    title = QLabel("Sidechain listens and turns sound into control.\nMIT licence.")
    title.setProperty("title", True)
    box = QPlainTextEdit("\n".join(f"{k}: {v}" for k, v in lines.items()))
    box.setReadOnly(True)
    box.setAccessibleName("Versions")
    box.setMinimumSize(420, 150)
    layout.addWidget(title)
    layout.addWidget(box)
    _buttons(dialog, layout)
    return dialog


def _page(parent: QWidget, title: str, html: str) -> QDialog:
    dialog = QDialog(parent)
    dialog.setWindowTitle(title)
    layout = QVBoxLayout(dialog)
    label = QLabel(html)
    label.setTextFormat(Qt.TextFormat.RichText)
    layout.addWidget(label)
    _buttons(dialog, layout)
    return dialog


def _buttons(dialog: QDialog, layout: QVBoxLayout) -> None:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    layout.addWidget(buttons)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
