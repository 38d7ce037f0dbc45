"""Presets: load, save, save as, revert; what has changed since."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import (
    QHBoxLayout,
    QInputDialog,
    QListWidget,
    QMessageBox,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.controls import quiet
from gui.desk import Desk
from gui.model import Model


class PresetPage(QWidget):
    """The list, and the present one."""

    def __init__(self, model: Model, desk: Desk) -> None:
        super().__init__()
        self.model, self._desk = model, desk
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        left, right = QVBoxLayout(), QVBoxLayout()
        self.list = QListWidget()
        self.list.setAccessibleName("Presets")
        self.list.itemActivated.connect(lambda item: self.load(item.text()))
        self.load_button = QPushButton("Load")
        self.load_button.clicked.connect(self._load_chosen)
        left.addWidget(self.list, 1)
        left.addWidget(self.load_button)
        self.title = quiet()
        self.save_button = QPushButton("Save")
        self.save_button.setToolTip("Under the same name, as a preset of your own (Ctrl+S)")
        self.save_button.clicked.connect(self.save)
        self.save_as_button = QPushButton("Save as …")
        self.save_as_button.clicked.connect(self.save_as)
        self.revert_button = QPushButton("Revert")
        self.revert_button.setToolTip("Back to what is stored")
        self.revert_button.clicked.connect(self.revert)
        row = QHBoxLayout()
        for button in (self.save_button, self.save_as_button, self.revert_button):
            row.addWidget(button)
        row.addStretch(1)
        self.changes = QPlainTextEdit()
        self.changes.setReadOnly(True)
        self.changes.setAccessibleName("Unsaved changes")
        right.addWidget(self.title)
        right.addLayout(row)
        right.addWidget(self.changes, 1)
        layout.addLayout(left, 2)
        layout.addLayout(right, 3)
        desk.presets_changed.connect(self._show_list)
        desk.preset_changed.connect(self._show)
        self._show()

    def refresh(self) -> None:
        """Called once a frame while in sight."""
        alive = self.model.feed.connected
        if self.save_button.isEnabled() != alive:
            for widget in (self.load_button, self.save_button, self.save_as_button, self.revert_button):
                widget.setEnabled(alive)

    def _show_list(self) -> None:
        chosen = self.list.currentItem().text() if self.list.currentItem() else ""
        self.list.clear()
        self.list.addItems(self._desk.presets)
        wanted = chosen or str(self._desk.preset.get("name", ""))
        for k in range(self.list.count()):
            if self.list.item(k).text() == wanted:
                self.list.setCurrentRow(k)

    def _show(self) -> None:
        preset, unsaved = self._desk.preset, self._desk.unsaved()
        name = preset.get("name") or "–"
        about = preset.get("description", "")
        self.title.setText(f"<b>{name}</b>{' • unsaved changes' if unsaved else ''}<br>{about}")
        if not preset:
            text = "No host is connected."
        elif unsaved:
            text = "Changed since it was stored:\n\n" + "\n".join(f"  {self._change(p)}" for p in unsaved)
        else:
            text = "As it is stored."
        if self.changes.toPlainText() != text:
            self.changes.setPlainText(text)
        self.revert_button.setEnabled(bool(unsaved))

    def _change(self, place: str) -> str:
        before, after = _at(self._desk.stored, place), _at(self._desk.preset, place)
        return f"{place}: {_short(before)} → {_short(after)}"

    # -- by hand --------------------------------------------------------------------------------------------

    def _load_chosen(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.load(item.text())

    def load(self, name: str) -> None:
        """Run by another preset; asks first if something would be lost."""
        if self._desk.unsaved() and not self._sure(f"Load '{name}' and lose the unsaved changes?"):
            return
        self._desk.call("preset.load", {"name": name}, lambda _: self._desk.read_stored_again(), f"'{name}' is on")

    def save(self) -> None:
        """Store what runs under its name."""
        self._save(str(self._desk.preset.get("name", "")))

    def save_as(self) -> None:
        """Store what runs under another name."""
        name, sure = QInputDialog.getText(self, "Save as", "Name of the preset (letters, digits, - and _)")
        if sure:
            self._save(name.strip())

    def _save(self, name: str) -> None:
        def done(path: Any) -> None:
            self._desk.told.emit(f"saved: {path}")
            if name != self._desk.preset.get("name"):
                self._desk.change(lambda preset: preset.update(name=name))
            self._desk.read_stored_again()

        self._desk.call("preset.save", {"name": name}, done)

    def revert(self) -> None:
        """Back to what is stored."""
        name = str(self._desk.preset.get("name", ""))
        if not self._desk.unsaved() or self._sure(f"Go back to '{name}' as it is stored?"):
            self._desk.call(
                "preset.load", {"name": name}, lambda _: self._desk.read_stored_again(), f"'{name}' as stored"
            )

    def _sure(self, question: str) -> bool:
        yes = QMessageBox.StandardButton.Yes
        return QMessageBox.question(self, "Presets", question, yes | QMessageBox.StandardButton.Cancel) == yes


def _at(preset: dict[str, Any], place: str) -> Any:
    found: Any = preset
    for part in place.replace("[", ".[").split("."):
        if part.startswith("["):
            found = found[int(part[1:-1]) - 1] if isinstance(found, list) else None
        else:
            found = found.get(part) if isinstance(found, dict) else None
    return found


def _short(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return f"{len(value)} entries"
    if isinstance(value, dict):
        return "present"
    return f"{value:g}" if isinstance(value, float) else str(value)
