"""The operator's hand on the clock: each action once, for buttons, keys and menus alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from gui.model import Model

Key = Qt.Key


@dataclass(frozen=True, slots=True)
class Hand:
    """One action.

    Attributes
    ----------
    name, title, tip : str
    method : str
        Command of the host.
    params : dict
    keys : tuple of str
        The first is written on the button.
    key_text : str
        How it is written there.
    shows : str
        Entry of the transport's status that says whether it is on; the action then toggles.
    on_press : bool
        Acts when pressed, not when let go: a tap counts when the finger lands.
    repeats : bool
        Goes on while held down.
    """

    name: str
    title: str
    tip: str
    method: str
    params: dict[str, Any]
    keys: tuple[str, ...]
    key_text: str
    shows: str = ""
    on_press: bool = False
    repeats: bool = False


HANDS = (
    Hand("tap", "Tap", "Tap the beat; four taps set the tempo", "transport.tap", {}, ("Space",), "Space",
         on_press=True),
    Hand("earlier", "◀ Nudge", "Beats come 5 ms earlier; with Shift 20 ms", "transport.nudge", {"ms": -5.0},
         ("Left",), "←", repeats=True),
    Hand("later", "Nudge ▶", "Beats come 5 ms later; with Shift 20 ms", "transport.nudge", {"ms": 5.0},
         ("Right",), "→", repeats=True),
    Hand("double", "× 2", "Twice the tempo, until told otherwise", "transport.double", {}, ("Up",), "↑"),
    Hand("halve", "÷ 2", "Half the tempo, until told otherwise", "transport.halve", {}, ("Down",), "↓"),
    Hand("lock", "Lock tempo", "Keep this tempo whatever is heard; the phase still follows", "transport.lock", {},
         ("L",), "L", shows="tempo_locked"),
    Hand("hold", "Hold", "Keep tempo and phase whatever is heard", "transport.hold", {}, ("H",), "H",
         shows="held"),
    Hand("one", "One is now", "The nearest beat is the first of the bar and of a phrase", "transport.one", {},
         ("1", "Return"), "1"),
    Hand("resync", "Resync", "Jump to what is heard now and forget corrections", "transport.resync", {},
         ("R",), "R"),
    Hand("panic", "Panic", "All outputs let go of what they hold", "outputs.panic", {}, ("P",), "P"),
)  # fmt: skip

SETTLES = 2.5
"""Seconds that the host may take to say that a switch has changed."""

MORE_KEYS = (("Shift+Left", "transport.nudge", {"ms": -20.0}), ("Shift+Right", "transport.nudge", {"ms": 20.0}))


class Hands:
    """Sends the actions.

    Parameters
    ----------
    model : Model
    refused : callable
        Told in one line why the host did not do it.
    """

    def __init__(self, model: Model, refused: Callable[[str], None]) -> None:
        self._model, self._refused = model, refused
        self._named = {h.name: h for h in HANDS}
        self._wanted: dict[str, tuple[bool, float]] = {}

    def do(self, name: str) -> None:
        """Act, now."""
        hand = self._named[name]
        params = dict(hand.params)
        if hand.shows:
            params["on"] = not self.shown(hand)
            self._wanted[name] = (params["on"], time.monotonic() + SETTLES)
        self._model.feed.call(hand.method, params, lambda _, error: self._answered(name, error))

    def _answered(self, name: str, error: str) -> None:
        if error:
            self._wanted.pop(name, None)
            self._refused(error)

    def shown(self, hand: Hand) -> bool:
        """Whether it is on: as just asked for, else as the host says."""
        wanted, until = self._wanted.get(hand.name, (False, 0.0))
        if time.monotonic() < until:
            return wanted
        return bool(self._model.status.get("transport", {}).get(hand.shows, False))

    def bind(self, page: QWidget) -> None:
        """The keys, while the focus is in `page`."""
        for hand in HANDS:
            for key in hand.keys:
                self._shortcut(page, key, hand.repeats).activated.connect(lambda name=hand.name: self.do(name))
        for key, method, params in MORE_KEYS:
            shortcut = self._shortcut(page, key, True)
            shortcut.activated.connect(lambda m=method, p=params: self._model.feed.call(m, p, None))

    def _shortcut(self, page: QWidget, key: str, repeats: bool) -> QShortcut:
        made = QShortcut(QKeySequence(key), page)
        made.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        made.setAutoRepeat(repeats)
        return made
