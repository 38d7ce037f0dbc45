"""The stage: every button and every key reaches the clock, and its effect comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from gui.hands import HANDS
from gui.window import Window
from tests.gui.conftest import WAIT, Host

Key, Shift = Qt.Key, Qt.KeyboardModifier.ShiftModifier

EFFECTS: dict[str, Callable[[Host], bool]] = {
    "tap": lambda h: h.transport["taps"] == 1,
    "earlier": lambda h: h.transport["nudge_ms"] == -5.0,
    "later": lambda h: h.transport["nudge_ms"] == 5.0,
    "double": lambda h: h.transport["multiplier"] == 2.0,
    "halve": lambda h: h.transport["multiplier"] == 0.5,
    "lock": lambda h: h.transport["tempo_locked"],
    "hold": lambda h: h.transport["held"],
    "one": lambda h: h.was_asked("transport.one"),
    "resync": lambda h: h.was_asked("transport.resync"),
    "panic": lambda h: h.was_asked("outputs.panic"),
}

KEYS = {
    "tap": Key.Key_Space, "earlier": Key.Key_Left, "later": Key.Key_Right, "double": Key.Key_Up,
    "halve": Key.Key_Down, "lock": Key.Key_L, "hold": Key.Key_H, "one": Key.Key_1, "resync": Key.Key_R,
    "panic": Key.Key_P,
}  # fmt: skip


def test_every_hand_has_a_button_a_key_and_an_effect_to_check() -> None:
    names = [hand.name for hand in HANDS]
    assert set(names) == set(EFFECTS) == set(KEYS)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", list(EFFECTS))
def test_a_click_reaches_the_clock(window: Window, host: Host, qtbot: QtBot, name: str) -> None:
    button = window.stage.buttons[name]
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: EFFECTS[name](host), timeout=WAIT)
    if button.isCheckable():
        qtbot.waitUntil(button.isChecked, timeout=WAIT)
    assert "✗" not in window.statusBar().currentMessage()


def test_every_key_reaches_the_clock(window: Window, host: Host, qtbot: QtBot) -> None:
    for page in (window.stage, window.analysis):
        window.pages.setCurrentWidget(page)
        for name, key in KEYS.items():
            before = len(host.asked)
            method = next(h.method for h in HANDS if h.name == name)
            QTest.keyClick(window.pages.currentWidget(), key)
            qtbot.waitUntil(lambda m=method, b=before: any(a == m for a, _ in host.asked[b:]), timeout=WAIT)
    QTest.keyClick(window.pages.currentWidget(), Key.Key_Right, Shift)
    qtbot.waitUntil(lambda: ("transport.nudge", {"ms": 20.0}) in host.asked, timeout=WAIT)


def test_lock_and_hold_are_switched_off_again(window: Window, host: Host, qtbot: QtBot) -> None:
    for name, key in (("lock", "tempo_locked"), ("hold", "held")):
        QTest.keyClick(window.stage, KEYS[name])
        qtbot.waitUntil(lambda k=key: host.transport[k], timeout=WAIT)
        QTest.keyClick(window.stage, KEYS[name])
        qtbot.waitUntil(lambda k=key: not host.transport[k], timeout=WAIT)
        qtbot.waitUntil(lambda n=name: not window.stage.buttons[n].isChecked(), timeout=WAIT)


def test_it_reads_what_the_clock_says(window: Window, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: window.stage.bpm.reading() == "120.0", timeout=WAIT)
    qtbot.waitUntil(lambda: window.model.flash[0] in (1, 2, 3, 4), timeout=WAIT)
    places = set()

    def all_four() -> bool:
        places.add(window.model.flash[0])
        return places == {1, 2, 3, 4}

    qtbot.waitUntil(all_four, timeout=WAIT)
    assert window.stage.readings[0].accessibleDescription() == "locked"


def test_keys_of_the_stage_stay_away_from_text_fields(window: Window, host: Host, qtbot: QtBot) -> None:
    window.pages.setCurrentWidget(window.rack)
    line = window.rack.offer.lineEdit()
    assert line is not None
    line.setFocus()
    QTest.keyClicks(line, "hl rp 1")
    qtbot.wait(50)
    assert line.text() == "hl rp 1"
    assert not any(m.startswith("transport.") for m, _ in host.asked)


def test_full_screen_hides_all_but_the_stage_and_escape_leaves_it(window: Window, qtbot: QtBot) -> None:
    window.toggle_full()
    qtbot.waitUntil(window.isFullScreen, timeout=WAIT)
    assert not window.statusBar().isVisible()
    assert not window.pages.tabBar().isVisible()
    QTest.keyClick(window.stage, Key.Key_Escape)
    qtbot.waitUntil(lambda: not window.isFullScreen() and window.statusBar().isVisible(), timeout=WAIT)


def test_a_refusal_is_said_and_the_button_goes_back(window: Window, host: Host, qtbot: QtBot) -> None:
    host.engine.transport.act("metre", {"beats": 3}, host.engine.stream_now())
    window.model.feed.call("transport.nudge", {"ms": 5000.0})
    qtbot.waitUntil(lambda: "✗" in window.statusBar().currentMessage(), timeout=WAIT)
    assert "ms" in window.statusBar().currentMessage()
