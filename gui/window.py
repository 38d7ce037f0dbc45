"""The window: pages, menus, keys, the one timer, and what is remembered."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QByteArray, QEvent, Qt
from PySide6.QtGui import QAction, QActionGroup, QCloseEvent, QFont, QKeySequence, QShowEvent
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow, QMenu, QTabWidget, QVBoxLayout, QWidget

from gui import dialogs, settings, theme
from gui.analysis import Analysis
from gui.desk import Desk
from gui.feed import Feed
from gui.hands import Hands
from gui.inputpage import InputPage
from gui.look import PALETTES, Choices, Look
from gui.model import Model
from gui.outputs import OutputsPage
from gui.presetpage import PresetPage
from gui.pulse import Pulse
from gui.rack import Rack
from gui.recordpage import RecordPage
from gui.routes import RoutesPage
from gui.settings import Settings
from gui.stage import Stage

RANGES = ((-50, 0), (-60, 0), (-70, 0), (-80, -10), (-90, -20), (-100, -30))
SPANS = (4, 8, 12, 16, 24)
_STATUS_EVERY = 0.25


class Window(QMainWindow):
    """Everything on the screen.

    Parameters
    ----------
    feed : Feed
        Started already; the window closes it.
    remembered : Settings
    local : bool
        Whether the host is the window's own: it is then made to show its sound without being asked.
    """

    def __init__(self, feed: Feed, remembered: Settings | None = None, local: bool = False) -> None:
        super().__init__()
        self.remembered = remembered or Settings()
        self.model = Model(feed)
        self.look = Look(self.remembered.choices())
        self.desk = Desk(self.model)
        self.hands = Hands(self.model, self.refuse)
        self._local = local
        self._asked_scope = -1
        self._base = QFont(QApplication.font())
        self._watchers: list[Callable[[], None]] = []
        self._next_status = 0.0
        self.setWindowTitle("Sidechain")
        self.setMinimumSize(360, 480)
        self.resize(1280, 800)
        self._build()
        self._menus()
        self.look.changed.connect(self._dress)
        self.desk.refused.connect(self.refuse)
        self.desk.told.connect(lambda text: self.statusBar().showMessage(text, 6000))
        self._dress()
        self._recall()
        self.pulse = Pulse(self.frame)

    # -- parts ----------------------------------------------------------------------------------------------

    def _build(self) -> None:
        model, look, desk = self.model, self.look, self.desk
        self.stage = Stage(model, look, self.hands)
        self.analysis = Analysis(model, look)
        self.rack = Rack(model, look, desk)
        self.outputs = OutputsPage(model, look, desk)
        self.routes = RoutesPage(model, look, desk)
        self.input = InputPage(model, look, desk)
        self.presets = PresetPage(model, desk)
        self.recording = RecordPage(model, look, desk)
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        self.pages.setUsesScrollButtons(True)
        self.pages.tabBar().setDrawBase(False)
        for page, title in (
            (self.stage, "Stage"), (self.analysis, "Analysis"), (self.rack, "Rack"), (self.outputs, "Outputs"),
            (self.routes, "Routes"), (self.input, "Input"), (self.presets, "Presets"),
            (self.recording, "Recording"),
        ):  # fmt: skip
            self.pages.addTab(page, title)
        self.analysis.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        for page in (self.stage, self.analysis):
            self.hands.bind(page)
        self.pages.currentChanged.connect(lambda _: self.pages.currentWidget().setFocus())
        self.banner = QLabel()
        self.banner.setProperty("banner", True)
        self.banner.setWordWrap(True)
        self.banner.setAccessibleName("Connection")
        self.banner.hide()
        centre = QWidget()
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.banner)
        layout.addWidget(self.pages)
        self.setCentralWidget(centre)
        self.where = QLabel()
        self.health = QLabel()
        for label in (self.where, self.health):
            label.setProperty("quiet", True)
        self.statusBar().addWidget(self.where, 1)
        self.statusBar().addPermanentWidget(self.health)
        self.statusBar().setSizeGripEnabled(False)

    def _menus(self) -> None:
        bar = self.menuBar()
        file, view, help_ = bar.addMenu("&File"), bar.addMenu("&View"), bar.addMenu("&Help")
        self._action(file, "&Record", "Ctrl+R", self.recording.toggle)
        self._action(file, "&Replay a recording …", "Ctrl+O", self.recording.choose_replay)
        self._action(file, "&Save the preset", "Ctrl+S", self.presets.save)
        file.addSeparator()
        self._action(file, "&End", "Ctrl+Q", self.close)
        for k in range(self.pages.count()):
            page = self._action(
                view, self.pages.tabText(k), f"Ctrl+{k + 1}", partial(self.pages.setCurrentIndex, k)
            )
            page.setStatusTip(f"Show the {self.pages.tabText(k)} page")
        view.addSeparator()
        self.full = self._action(view, "&Full screen", "F11", self.toggle_full)
        self._action(view, "Leave full screen", "Esc", self.leave_full)
        self._action(view, "&Dark or high contrast", "Ctrl+T", self.next_theme)
        self._action(view, "Larger text", "Ctrl++", lambda: self.rescale(1)).setShortcuts(
            [QKeySequence("Ctrl++"), QKeySequence("Ctrl+=")]
        )
        self._action(view, "Smaller text", "Ctrl+-", lambda: self.rescale(-1))
        choose = self._choose
        current = self.look.choices
        self._choice(view, "&Palette", {n: n for n in PALETTES}, current.palette, lambda v: choose(palette=v))
        ranges = {f"{low} to {high} dB": (float(low), float(high)) for low, high in RANGES}
        self._choice(view, "Spectrogram &range", ranges, (current.low, current.high),
                     lambda v: choose(low=v[0], high=v[1]))  # fmt: skip
        spans = {f"{s} seconds": float(s) for s in SPANS}
        self._choice(view, "&Time in sight", spans, current.span, lambda v: choose(span=v))
        docks = view.addMenu("Analysis &docks")
        docks.addActions(self.analysis.actions_to_show())
        docks.addSeparator()
        self._action(docks, "As at first", "", self._arrange)
        self._action(help_, "&Keys", "F1", lambda: dialogs.keys(self).show())
        self._action(help_, "&About", "", lambda: dialogs.about(self, self.model.status).show())

    def _action(self, menu: QMenu, text: str, key: str, act: Callable[[], object]) -> QAction:
        action = menu.addAction(text)
        if key:
            action.setShortcut(QKeySequence(key))
        action.triggered.connect(lambda _=False: act())
        self.addAction(action)
        return action

    def _choice(self, menu: QMenu, title: str, offers: dict, now: object, act: Callable) -> None:
        sub, group = menu.addMenu(title), QActionGroup(self)
        for text, value in offers.items():
            action = sub.addAction(text)
            action.setCheckable(True)
            action.setChecked(value == now)
            action.triggered.connect(lambda _=False, v=value: act(v))
            group.addAction(action)

    # -- once a frame ---------------------------------------------------------------------------------------

    def frame(self) -> None:
        """Newest data in; what is in sight is marked to be painted."""
        for text in self.model.tick():
            self.refuse(text)
        page = self.pages.currentWidget()
        now = time.monotonic()
        self.desk.refresh(now, page not in (self.stage, self.analysis))
        self.recording.take()
        if page is not None and not self.isMinimized():
            page.refresh()  # type: ignore[attr-defined]
        if now >= self._next_status:
            self._next_status = now + _STATUS_EVERY
            self._show_status()
            self._want_scope()
            for watch in self._watchers:
                watch()

    def watch(self, look_after: Callable[[], None]) -> None:
        """Have something called four times a second."""
        self._watchers.append(look_after)

    def event(self, event: QEvent) -> bool:
        """Painting belongs to the time a frame takes."""
        if event.type() == QEvent.Type.UpdateRequest:
            start, cpu = time.perf_counter(), time.thread_time()
            done = super().event(event)
            self.pulse.painted(time.perf_counter() - start, time.thread_time() - cpu)
            return done
        return super().event(event)

    def _show_status(self) -> None:
        model = self.model
        alive = model.feed.connected
        trouble = "" if alive else model.feed.message
        source = model.status.get("input", {})
        if alive and source and not source.get("connected", True):
            trouble = source.get("message") or "the sound input is gone; it is taken again as soon as it is back"
        if self.banner.text() != trouble:
            self.banner.setText(trouble)
            self.banner.setVisible(bool(trouble))
        star = " • unsaved changes" if self.desk.unsaved() else ""
        name = source.get("name", "")
        self.where.setText(
            f"{name} · preset {model.status.get('preset') or '–'}{star}" if alive and name else model.feed.message
        )
        parts = []
        if alive:
            load = model.number("host.load", 0.0)
            parts = [f"load {100 * load:.1f} %", f"late {model.number('host.late', 0):.0f}"]
            parts += [
                f"lost {model.number('host.lost', 0):.0f}",
                f"input {model.number('host.latency_ms', 0):.1f} ms",
            ]
        if self.recording.recorder is not None:
            parts.insert(0, "● recording")
        self.health.setText(" · ".join(parts))

    def _want_scope(self) -> None:
        """A host of one's own shows its sound; others are asked on the analysis page only by a person."""
        model = self.model
        if not self._local or not model.feed.connected or self._asked_scope == model.feed.lives:
            return
        if not model.status.get("plugins"):
            return
        self._asked_scope = model.feed.lives
        if not any(p.get("identifier") == "scope" for p in model.status["plugins"]):
            self.desk.change(lambda preset: preset["plugins"].setdefault("scope", {"enabled": True}))

    # -- what menus do --------------------------------------------------------------------------------------

    def refuse(self, text: str) -> None:
        """Say why something was not done."""
        self.statusBar().showMessage(f"✗ {text}", 10_000)

    def toggle_full(self) -> None:
        """Full screen on or off."""
        (self.showNormal if self.isFullScreen() else self.showFullScreen)()
        self._trim()

    def leave_full(self) -> None:
        """Back to a window."""
        if self.isFullScreen():
            self.showNormal()
            self._trim()

    def _trim(self) -> None:
        for part in (self.menuBar(), self.pages.tabBar(), self.statusBar()):
            part.setVisible(not self.isFullScreen())

    def next_theme(self) -> None:
        """The other theme."""
        names = list(theme.THEMES)
        at = names.index(self.look.theme.name)
        self._choose(theme=theme.THEMES[names[(at + 1) % len(names)]])

    def rescale(self, step: int) -> None:
        """Larger or smaller text."""
        at = theme.SCALES.index(self.look.choices.scale) + step
        self._choose(scale=theme.SCALES[min(len(theme.SCALES) - 1, max(0, at))])

    def _choose(self, **changes: object) -> None:
        chosen: Choices = replace(self.look.choices, **changes)  # type: ignore[arg-type]
        self.look.choose(chosen)

    def _dress(self) -> None:
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        theme.apply(app, self.look.theme, self.look.choices.scale, self._base)

    def _arrange(self) -> None:
        self.analysis.arrange()
        self.pages.setCurrentWidget(self.analysis)

    # -- what is remembered ---------------------------------------------------------------------------------

    def _recall(self) -> None:
        if self.remembered.geometry:
            self.restoreGeometry(QByteArray.fromBase64(self.remembered.geometry.encode()))
        self.analysis.restore(self.remembered.docks)
        self.pages.setCurrentIndex(min(max(0, self.remembered.page), self.pages.count() - 1))

    def showEvent(self, event: QShowEvent) -> None:
        """The keys of the page work at once."""
        super().showEvent(event)
        self.pages.currentWidget().setFocus()

    def remember(self) -> None:
        """Write down how it looks now."""
        kept = self.remembered
        kept.take(self.look.choices)
        kept.page = self.pages.currentIndex()
        kept.docks = self.analysis.remember()
        if not self.isFullScreen():
            kept.geometry = bytes(self.saveGeometry().toBase64().data()).decode()
        settings.save(kept)

    def closeEvent(self, event: QCloseEvent) -> None:
        """End in order: recording finished, looks remembered, line cut."""
        self.pulse.stop()
        self.recording.finish()
        self.remember()
        self.model.feed.close()
        self.recording.close_live()
        event.accept()
