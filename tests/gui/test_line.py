"""The line to the host: cut, restored, flooded, refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from gui.client import Client
from gui.window import Window
from realtime.web.server import WebSocketServer
from tests.fixtures.engine import Band, FakeEngine
from tests.gui.conftest import WAIT

Fake = tuple[FakeEngine, WebSocketServer]


@pytest.fixture
def shown(fake: Fake, look_at: Callable[..., Window]) -> Window:
    fake[0].bus.set("level.rms", 0.0, -20.0)
    return look_at(fake[1].port)


def test_a_cut_line_is_said_and_mended(fake: Fake, shown: Window, qtbot: QtBot) -> None:
    engine, server = fake
    port = server.port
    server.stop()
    qtbot.waitUntil(lambda: shown.banner.isVisible() and "No host" in shown.banner.text(), timeout=WAIT)
    assert not shown.stage.buttons["tap"].isEnabled()
    shown.hands.do("tap")
    qtbot.waitUntil(lambda: "no host" in shown.statusBar().currentMessage(), timeout=WAIT)
    again = WebSocketServer(engine, port=port)
    again.start()
    try:
        qtbot.waitUntil(lambda: shown.model.feed.connected and not shown.banner.isVisible(), timeout=WAIT)
        assert shown.model.feed.lives == 2
        shown.hands.do("tap")
        qtbot.waitUntil(lambda: ("transport.tap", {}) in engine.calls, timeout=WAIT)
    finally:
        again.stop()


def test_ten_thousand_events_a_second_do_not_freeze_the_window(
    look_at: Callable[..., Window], qtbot: QtBot
) -> None:
    command = [sys.executable, "-m", "tests.gui.flood", "10000"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdin is not None
        assert host.stdout is not None
        shown = look_at(int(host.stdout.readline()))
        shown.pages.setCurrentWidget(shown.analysis)
        client = shown.model.feed
        assert isinstance(client, Client)

        def told() -> int:
            return shown.model.events_seen + client.missed

        host.stdin.write("\n")
        host.stdin.flush()
        qtbot.waitUntil(lambda: told() > 0, timeout=WAIT)
        first = shown.pulse.frames
        # Thirty frames drawn and 20 000 events taken in, whatever time this machine needs, while it pours.
        qtbot.waitUntil(lambda: shown.pulse.frames > first + 30 and told() > 20_000, timeout=WAIT)
        host.stdin.write("\n")
        host.stdin.flush()
        sent = int(host.stdout.readline())
        qtbot.waitUntil(lambda: told() >= sent, timeout=WAIT)
        host.stdin.write("\n")
        host.stdin.flush()
    assert told() == sent
    assert client.lives == 1
    assert len(shown.model.onsets) <= shown.model.onsets.capacity


def test_a_wrong_token_is_named(qtbot: QtBot) -> None:
    server = WebSocketServer(FakeEngine(), port=0, token="right")
    server.start()
    client = Client("127.0.0.1", server.port, "wrong")
    client.start()
    try:
        qtbot.waitUntil(lambda: "token" in client.message, timeout=WAIT)
        client.address("127.0.0.1", server.port, "right")
        qtbot.waitUntil(lambda: client.connected, timeout=WAIT)
    finally:
        client.close()
        server.stop()


def test_stream_time_goes_on_between_snapshots_and_stops_with_them(
    fake: Fake, shown: Window, qtbot: QtBot
) -> None:
    with Band(fake[0]):
        qtbot.waitUntil(lambda: shown.model.clock.state == "locked", timeout=WAIT)
        qtbot.wait(300)
        first = shown.model.feed.now()
        qtbot.wait(200)
        passed = shown.model.feed.now() - first
        assert 0.1 < passed < 0.6
    qtbot.wait(700)
    still = shown.model.feed.now()
    qtbot.wait(100)
    assert shown.model.feed.now() == still


def test_an_unanswered_call_is_given_up(
    fake: Fake, shown: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gui.client.ANSWER_WITHIN", 0.2)
    told: list[str] = []
    shown.model.feed.call("slow", {}, lambda result, error: told.append(error))
    qtbot.waitUntil(lambda: bool(told), timeout=WAIT)
    assert "did not answer" in told[0]
    fake[0].slow.set()
