"""Routes: any result of any plugin to any message, with a form for one at a time."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QScrollArea,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.controls import quiet
from gui.desk import Desk
from gui.form import Form
from gui.look import Look
from gui.model import Model
from realtime.preset import RouteSettings

COLUMNS = ("From", "Now", "Message", "To", "Shape")
_EVERY = 12


class RoutesPage(QWidget):
    """A table of routes, and the chosen one in full."""

    def __init__(self, model: Model, look: Look, desk: Desk) -> None:
        super().__init__()
        self.model, self._desk = model, desk
        self.routes: list[dict[str, Any]] = []
        self._shown: list[dict[str, Any]] | None = None
        self._editing = False
        self._frame = 0
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        row = QHBoxLayout()
        self.add = QPushButton("Add a route")
        self.add.clicked.connect(self.add_route)
        self.remove = QPushButton("Remove")
        self.remove.clicked.connect(self.remove_route)
        self.apply = QPushButton("Apply")
        self.apply.setToolTip("Have the host route this way from now on")
        self.apply.clicked.connect(self.apply_routes)
        self.discard = QPushButton("Discard")
        self.discard.clicked.connect(self._discard)
        self.state = quiet()
        for button in (self.add, self.remove, self.apply, self.discard):
            row.addWidget(button)
        row.addWidget(self.state, 1)
        layout.addLayout(row)
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setAccessibleName("Routes")
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.verticalHeader().hide()
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.table.currentCellChanged.connect(lambda *_: self._show_chosen())
        self.form = Form(RouteSettings, offers={"source": ["bands.low"]})
        self.form.changed.connect(self._take_form)
        self.detail = scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(self.form)
        scroll.setMinimumWidth(280)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.addWidget(self.table)
        self.split.addWidget(scroll)
        self.split.setStretchFactor(0, 3)
        self.split.setStretchFactor(1, 2)
        self.empty = quiet(
            "No routes. One of them sends any result, for example the bass of the music, to any message."
        )
        layout.addWidget(self.empty)
        layout.addWidget(self.split, 1)
        self.detail.hide()
        desk.preset_changed.connect(self._take_preset)
        self._update_buttons()

    # -- from the host --------------------------------------------------------------------------------------

    def _take_preset(self) -> None:
        theirs = self._desk.preset.get("routes", [])
        if self._editing or theirs == self._shown:
            return
        self._shown = theirs
        self.routes = [dict(r) for r in theirs]
        self._fill(max(0, self.table.currentRow()))

    def _fill(self, choose: int) -> None:
        self.table.blockSignals(True)
        self.table.setRowCount(len(self.routes))
        for k in range(len(self.routes)):
            self._fill_row(k)
        self.table.blockSignals(False)
        if self.routes:
            self.table.setCurrentCell(min(choose, len(self.routes) - 1), 0)
        self._show_chosen()
        self._update_buttons()

    def _fill_row(self, k: int) -> None:
        route = self.routes[k]
        source = route.get("source", "") + (f" [{route['label']}]" if route.get("label") else "")
        texts = (source, "", route.get("address", ""), ", ".join(route.get("to", [])) or "all", _shape(route))
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            if not route.get("enabled", True):
                item.setForeground(self.palette().placeholderText())
            self.table.setItem(k, column, item)

    def refresh(self) -> None:
        """Called once a frame while in sight; live values five times a second."""
        self._frame += 1
        if self._frame % _EVERY:
            return
        for k, route in enumerate(self.routes):
            value = self.model.values.get(str(route.get("source")))
            text = f"{value:.3g}" if isinstance(value, (int, float)) else value if isinstance(value, str) else "–"
            item = self.table.item(k, 1)
            if item is not None and item.text() != text:
                item.setText(text)
        wide = Qt.Orientation.Horizontal if self.width() > 760 else Qt.Orientation.Vertical
        if self.split.orientation() != wide:
            self.split.setOrientation(wide)
        source = self.form.field("source")
        names = sources(self._desk, self.model)
        if source.count() != len(names) and not source.hasFocus():  # type: ignore[attr-defined]
            text = source.currentText()  # type: ignore[attr-defined]
            source.blockSignals(True)
            source.clear()  # type: ignore[attr-defined]
            source.addItems(names)  # type: ignore[attr-defined]
            source.setEditText(text)  # type: ignore[attr-defined]
            source.blockSignals(False)

    # -- by hand --------------------------------------------------------------------------------------------

    def add_route(self) -> None:
        """One more, to be filled in."""
        self.routes.append({"source": "bands.low", "address": "/sidechain/low"})
        self._begin()
        self._fill(len(self.routes) - 1)

    def remove_route(self) -> None:
        """The chosen one goes."""
        row = self.table.currentRow()
        if 0 <= row < len(self.routes):
            del self.routes[row]
            self._begin()
            self._fill(row)

    def apply_routes(self) -> None:
        """Send them to the host."""
        wanted = [dict(r) for r in self.routes]

        def done(result: Any, error: str) -> None:
            if error:
                self.state.setText(f"not applied: {error}")
                return
            self._editing = False
            self._shown = wanted
            self._desk.look_again()
            self._desk.told.emit("routes are in force; the preset is not saved yet")
            self._update_buttons()

        def got(preset: Any, error: str) -> None:
            if error:
                self.state.setText(f"not applied: {error}")
                return
            self._desk.model.feed.call("preset.apply", {"settings": {**preset, "routes": wanted}}, done)

        self._desk.model.feed.call("preset.get", {}, got)

    def _discard(self) -> None:
        self._editing = False
        self.routes = [dict(r) for r in self._shown or []]
        self._fill(max(0, self.table.currentRow()))

    def _begin(self) -> None:
        self._editing = True
        self._update_buttons()

    def _take_form(self) -> None:
        row = self.table.currentRow()
        if not 0 <= row < len(self.routes):
            return
        self.routes[row] = self.form.values()
        self._begin()
        self.table.blockSignals(True)
        self._fill_row(row)
        self.table.blockSignals(False)

    def _show_chosen(self) -> None:
        row = self.table.currentRow()
        chosen = 0 <= row < len(self.routes)
        self.detail.setVisible(chosen)
        if chosen:
            self.form.show_values(self.routes[row])

    def _update_buttons(self) -> None:
        self.apply.setEnabled(self._editing)
        self.discard.setEnabled(self._editing)
        self.remove.setEnabled(bool(self.routes))
        self.state.setText("changed; not applied yet" if self._editing else "")
        self.empty.setVisible(not self.routes)


def sources(desk: Desk, model: Model) -> list[str]:
    """Names of everything that can be routed."""
    found = {
        n for n, v in model.values.items() if isinstance(v, (int, float)) and not n.startswith(("cost.", "host."))
    }
    for plugin, descriptor in desk.descriptors.items():
        for output in descriptor.get("outputs", ()):
            if output["kind"] in ("event", "value"):
                found.add(f"{plugin}.{output['identifier']}")
            elif output["kind"] == "observation":
                found |= {f"{plugin}.{n}" for n in ("beat", "tempo", "confidence")}
    return sorted(found)


def _shape(route: dict[str, Any]) -> str:
    parts = [
        f"{route.get('low', 0):g}–{route.get('high', 1):g} → "
        f"{route.get('out_low', 0):g}–{route.get('out_high', 1):g}"
    ]
    if route.get("threshold") is not None:
        parts = [f"gate at {route['threshold']:g}"]
    for key, text in (("quantise", "every {:g} beats"), ("rate", "≤ {:g}/s")):
        if route.get(key):
            parts.append(text.format(route[key]))
    return ", ".join(parts)
