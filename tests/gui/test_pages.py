"""Rack, outputs, routes, input and presets: what is set there is so in the host, and the other way round."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from gui.presetpage import PresetPage
from gui.window import Window
from realtime import preset as presets
from tests.gui.conftest import WAIT, Host

Left = Qt.MouseButton.LeftButton


def slot(host: Host, name: str) -> Any:
    return next(s for s in host.engine.slots if s.identifier == name)


@pytest.fixture
def rack(window: Window, qtbot: QtBot) -> Any:
    window.pages.setCurrentWidget(window.rack)
    qtbot.waitUntil(lambda: set(window.rack.cards) >= {"beat", "level"}, timeout=WAIT)
    return window.rack


def test_parameters_go_to_the_host_and_come_from_it(rack: Any, host: Host, qtbot: QtBot) -> None:
    controls = rack.cards["beat"].controls
    assert set(controls) == {"amount", "reach", "mode", "size"}
    controls["amount"].slider.setValue(1000)
    qtbot.waitUntil(lambda: slot(host, "beat").parameters["amount"] == 12.0, timeout=WAIT)
    controls["mode"].choice.setCurrentIndex(2)
    controls["mode"].choice.activated.emit(2)
    qtbot.waitUntil(lambda: slot(host, "beat").parameters["mode"] == 2.0, timeout=WAIT)
    host.engine.call("plugin.set", {"plugin": "beat", "parameter": "reach", "value": 5000})
    qtbot.waitUntil(lambda: abs(controls["reach"].value() - 5000) < 1, timeout=WAIT)
    controls["amount"].set_by_hand(0.0)
    qtbot.waitUntil(lambda: slot(host, "beat").parameters["amount"] == 0.0, timeout=WAIT)


def test_what_is_not_live_starts_the_plugin_anew(rack: Any, host: Host, qtbot: QtBot) -> None:
    before = slot(host, "beat")
    rack.cards["beat"].controls["size"].set_by_hand(7.0)
    qtbot.waitUntil(lambda: slot(host, "beat").parameters["size"] == 7.0, timeout=WAIT)
    assert slot(host, "beat") is not before


def test_plugins_go_off_on_out_and_in(rack: Any, host: Host, qtbot: QtBot) -> None:
    rack.cards["level"].switch.click()
    qtbot.waitUntil(lambda: not slot(host, "level").enabled, timeout=WAIT)
    qtbot.waitUntil(lambda: not rack.cards["level"].switch.isChecked(), timeout=WAIT)
    host.engine.call("plugin.enable", {"plugin": "level", "on": True})
    qtbot.waitUntil(lambda: rack.cards["level"].switch.isChecked(), timeout=WAIT)
    rack.cards["level"]._remove()
    qtbot.waitUntil(lambda: "level" not in rack.cards, timeout=WAIT)
    rack.add("level")
    qtbot.waitUntil(lambda: "level" in rack.cards and slot(host, "level").enabled, timeout=WAIT)


def test_an_error_is_shown_with_a_way_to_mend_it(rack: Any, host: Host, qtbot: QtBot) -> None:
    broken = slot(host, "level")
    broken.errors, broken.error, broken.enabled = 6, "ValueError: no", False
    card = rack.cards["level"]
    qtbot.waitUntil(lambda: "no" in card.error.text() and card.mend.isVisible(), timeout=WAIT)
    card.mend.click()
    qtbot.waitUntil(lambda: broken.enabled, timeout=WAIT)


def test_a_dropped_plugin_is_hosted(rack: Any, host: Host, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from realtime.hosting.plugin import *\n"
        "class Mine(Plugin):\n"
        "    descriptor = Descriptor('mine', 'Mine', '', 'tests', 'MIT', '1', AudioInput(hop=480),\n"
        "                            (Output('x', 'value'),), (Parameter('p', 'P', '', 0, 1, 0),))\n"
        "    def process(self, block, time):\n"
        "        return [Feature('x', time, 1.0)]\n"
    )
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    rack.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, Left, Qt.KeyboardModifier.NoModifier))
    qtbot.waitUntil(lambda: "mine" in rack.cards, timeout=WAIT)
    rack.cards["mine"].controls["p"].set_by_hand(0.5)
    qtbot.waitUntil(lambda: slot(host, "mine").parameters["p"] == 0.5, timeout=WAIT)
    rack.cards["mine"].switch.click()
    qtbot.waitUntil(lambda: not slot(host, "mine").enabled, timeout=WAIT)


def test_outputs_are_added_tested_shifted_and_removed(
    window: Window, host: Host, qtbot: QtBot, udp: socket.socket
) -> None:
    page = window.outputs
    window.pages.setCurrentWidget(page)
    dialog = page.open_dialog()
    assert dialog.form is not None
    dialog.form.field("name").setText("lights")  # type: ignore[attr-defined]
    dialog.form.field("host").setText("127.0.0.1")  # type: ignore[attr-defined]
    dialog.form.field("port").setValue(udp.getsockname()[1])  # type: ignore[attr-defined]
    dialog.buttons.accepted.emit()
    qtbot.waitUntil(lambda: "lights" in page.cards, timeout=WAIT)
    card = page.cards["lights"]
    card.test.click()
    assert udp.recv(4096)
    qtbot.waitUntil(lambda: card.lamp.lit, timeout=WAIT)
    card.slider.setValue(-120)
    qtbot.waitUntil(lambda: host.engine.status()["outputs"][0]["offset_ms"] == -120.0, timeout=WAIT)
    card.switch.click()
    qtbot.waitUntil(lambda: not host.engine.status()["outputs"][0]["enabled"], timeout=WAIT)
    card.remove.click()
    qtbot.waitUntil(lambda: not page.cards, timeout=WAIT)
    assert not host.engine.status()["outputs"]


def test_a_wrong_output_is_refused_in_the_dialog(window: Window, qtbot: QtBot) -> None:
    window.pages.setCurrentWidget(window.outputs)
    dialog = window.outputs.open_dialog()
    assert dialog.form is not None
    dialog.form.field("profile").setEditText("nothing-like-it")  # type: ignore[attr-defined]
    dialog.buttons.accepted.emit()
    qtbot.waitUntil(lambda: "nothing-like-it" in dialog.trouble.text(), timeout=WAIT)
    dialog.reject()


def test_routes_are_edited_applied_and_discarded(window: Window, host: Host, qtbot: QtBot) -> None:
    page = window.routes
    window.pages.setCurrentWidget(page)
    qtbot.waitUntil(lambda: bool(window.desk.preset), timeout=WAIT)
    page.add_route()
    page.form.field("source").setEditText("level.rms")  # type: ignore[attr-defined]
    page.form.field("address").setText("/dimmer")  # type: ignore[attr-defined]
    page.form.field("low").setValue(-50.0)  # type: ignore[attr-defined]
    page.form.field("threshold").setValue(0.5)  # type: ignore[attr-defined]
    page.form.changed.emit()
    page.apply.click()
    qtbot.waitUntil(lambda: len(host.engine.preset.routes) == 1, timeout=WAIT)
    route = host.engine.preset.routes[0]
    assert (route.source, route.address, route.low, route.threshold) == ("level.rms", "/dimmer", -50.0, 0.5)
    qtbot.waitUntil(lambda: not page.apply.isEnabled() and len(page.routes) == 1, timeout=WAIT)
    page.remove.click()
    assert page.apply.isEnabled()
    page.discard.click()
    assert len(page.routes) == 1


def test_presets_show_what_changed_save_revert_and_load(
    window: Window, host: Host, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    presets.save(
        presets.parse("[plugins.beat]\n[plugins.level]\n", "mine.toml"), presets.user_folder() / "mine.toml"
    )
    monkeypatch.setattr(PresetPage, "_sure", lambda self, question: True)
    page = window.presets
    window.pages.setCurrentWidget(page)
    page.load("mine")
    qtbot.waitUntil(lambda: host.engine.preset.name == "mine", timeout=WAIT)
    qtbot.waitUntil(lambda: window.desk.preset.get("name") == "mine" and window.desk.stored != {}, timeout=WAIT)
    assert window.desk.unsaved() == []
    host.engine.call("plugin.set", {"plugin": "beat", "parameter": "amount", "value": 3})
    qtbot.waitUntil(lambda: window.desk.unsaved() == ["plugins.beat.amount"], timeout=WAIT)
    assert "plugins.beat.amount" in page.changes.toPlainText()
    qtbot.waitUntil(lambda: "unsaved" in window.where.text(), timeout=WAIT)
    page.save()
    qtbot.waitUntil(lambda: window.desk.unsaved() == [], timeout=WAIT)
    assert presets.load("mine").plugins["beat"].parameters == {"amount": 3}
    host.engine.call("plugin.set", {"plugin": "beat", "parameter": "amount", "value": 9})
    qtbot.waitUntil(lambda: bool(window.desk.unsaved()), timeout=WAIT)
    page.revert()
    qtbot.waitUntil(lambda: slot(host, "beat").parameters["amount"] == 3.0, timeout=WAIT)
    page._save("other")
    qtbot.waitUntil(lambda: host.engine.preset.name == "other", timeout=WAIT)
    qtbot.waitUntil(lambda: "other" in window.desk.presets, timeout=WAIT)


def test_the_input_page_sets_metre_and_window_and_lists_inputs(window: Window, host: Host, qtbot: QtBot) -> None:
    page = window.input
    window.pages.setCurrentWidget(page)
    page._show_devices(
        [
            {
                "name": "ALSA: Desk",
                "channels": 4,
                "sample_rate": 48000.0,
                "api": "ALSA",
                "default": True,
                "loopback": False,
            }
        ],
        "",
    )
    assert page.table.item(0, 0).text() == "ALSA: Desk"
    page.metre.setCurrentIndex(page.metre.findData(3))
    page.metre.activated.emit(0)
    qtbot.waitUntil(lambda: host.was_asked("transport.metre"), timeout=WAIT)
    page.channels.setText("1,x")
    page.use("demo")
    qtbot.waitUntil(lambda: "channels" in window.statusBar().currentMessage(), timeout=WAIT)
    qtbot.waitUntil(lambda: page.title.text() == "tone.wav", timeout=WAIT)
    assert json.dumps(window.model.status)


def test_every_page_is_reached_by_its_key(window: Window, qtbot: QtBot) -> None:
    for k in range(window.pages.count()):
        QTest.keyClick(window, Qt.Key(Qt.Key.Key_1.value + k), Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(lambda k=k: window.pages.currentIndex() == k, timeout=WAIT)
        qtbot.wait(40)
