"""Real windows on a screen that nobody sees, a real engine behind them; a Qt warning fails the test."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

if not os.environ.get("CI"):  # where the gate runs it has been installed: the imports below fail if not
    pytest.importorskip("PySide6.QtWidgets", reason="the visualizer is not installed")

from PySide6.QtCore import QtMsgType, qInstallMessageHandler
from pytestqt.qtbot import QtBot

from gui.client import Client
from gui.screen import virtual_screen
from gui.settings import Settings
from gui.window import Window
from models.level.plugin import Level
from models.scope.plugin import Scope
from realtime.audio.file import FileSource
from realtime.engine import Engine
from realtime.front import Front
from realtime.hosting.plugin import AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin
from realtime.musical import BeatObservation
from realtime.preset import parse
from realtime.web.server import WebSocketServer
from tests.fixtures.engine import FakeEngine

WAIT = 20_000


@pytest.fixture(scope="session", autouse=True)
def screen() -> Iterator[str]:
    """A screen for the whole session."""
    with virtual_screen(1920, 1200, force=True) as name:
        yield name


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's is read or written."""
    monkeypatch.setenv("SIDECHAIN_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture(autouse=True)
def silent_qt(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Whatever Qt has to complain about fails the test."""
    said: list[str] = []

    def hear(kind: QtMsgType, context: object, text: str) -> None:
        if kind != QtMsgType.QtDebugMsg:
            said.append(text)

    before = qInstallMessageHandler(hear)
    yield said
    qInstallMessageHandler(before)
    assert not said, said


class Steady(Plugin):
    """A beat tracker that is sure of 120 BPM, whatever sounds."""

    descriptor = Descriptor(
        "beat", "Steady", "120 BPM, always", "tests", "MIT", "1", AudioInput(hop=480),
        (Output("observation", "observation"), Output("curve", "value")),
        (
            Parameter("amount", "Amount", "dB", -12, 12, 0),
            Parameter("reach", "Reach", "Hz", 20, 20_000, 1000),
            Parameter("mode", "Mode", "", 0, 2, 0, ("soft", "hard", "odd")),
            Parameter("size", "Size", "", 1, 9, 1, live=False),
        ),
    )  # fmt: skip

    def prepare(self, context: Context) -> None:
        self.amount = context.parameters["amount"]

    def parameter(self, identifier: str, value: float) -> None:
        if identifier == "amount":
            self.amount = value

    def process(self, block: np.ndarray, time: float) -> list[Feature]:
        beats = 2.0 * time
        seen = BeatObservation(time, 120.0, beats % 1, int(beats) % 4 + 1, 4, 0.9, 0.9)
        return [Feature("observation", time, seen), Feature("curve", time, self.amount)]


PLUGINS = {"beat": Steady, "level": Level, "scope": Scope}


@dataclass
class Host:
    """A real engine and its server, and what it was asked."""

    engine: Engine
    server: WebSocketServer
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def transport(self) -> dict[str, Any]:
        """The clock's state."""
        return self.engine.transport.describe()

    def was_asked(self, method: str) -> bool:
        """Whether a command came."""
        return any(m == method for m, _ in self.asked)


def make_host(sound: Path, text: str, recordings: str = "") -> Host:
    """Start an engine that plays `sound` in real time."""
    engine = Engine(parse(text, "test.toml"), FileSource(sound), plugins=PLUGINS, recordings=recordings)
    asked: list[tuple[str, dict[str, Any]]] = []
    call = engine.call

    def noting(method: str, params: Mapping[str, Any] | None = None) -> Any:
        asked.append((method, dict(params or {})))
        return call(method, params)

    engine.call = noting  # type: ignore[method-assign]
    server = WebSocketServer(engine, port=0, methods=Front(None).methods())  # type: ignore[arg-type]
    server.start()
    engine.start()
    return Host(engine, server, asked)


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes of a quiet tone."""
    path = tmp_path_factory.mktemp("sound") / "tone.wav"
    tone = 0.25 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    with soundfile.SoundFile(path, "w", 48_000, 1) as file:
        for _ in range(600):
            file.write(tone.astype(np.float32))
    return path


@pytest.fixture
def host(sound: Path) -> Iterator[Host]:
    """A host with a clock at 120 BPM, meters and a scope."""
    made = make_host(sound, 'name = "test"\n[plugins.beat]\n[plugins.level]\n[plugins.scope]\n')
    yield made
    made.engine.stop()
    made.engine.join()
    made.server.stop()


@pytest.fixture
def fake() -> Iterator[tuple[FakeEngine, WebSocketServer]]:
    """A host that is a bus for the test to fill."""
    engine = FakeEngine()
    server = WebSocketServer(engine, port=0)
    server.start()
    yield engine, server
    server.stop()


@pytest.fixture
def look_at(qtbot: QtBot) -> Iterator[Callable[..., Window]]:
    """Opens windows on a port; waits until they show it."""
    made: list[Window] = []

    def open_window(port: int, **options: Any) -> Window:
        client = Client("127.0.0.1", port)
        client.start()
        window = Window(client, Settings(), **options)
        made.append(window)
        window.resize(1200, 800)
        window.show()
        window.activateWindow()
        qtbot.waitUntil(lambda: window.isActiveWindow(), timeout=WAIT)
        window.pulse.start()
        qtbot.waitUntil(lambda: window.model.feed.connected and bool(window.model.values), timeout=WAIT)
        return window

    yield open_window
    for window in made:
        window.close()
        window.deleteLater()
    qtbot.wait(10)


@pytest.fixture
def window(host: Host, look_at: Callable[..., Window], qtbot: QtBot) -> Window:
    """A window on a host whose clock is locked."""
    shown = look_at(host.server.port)
    qtbot.waitUntil(lambda: shown.model.clock.state == "locked", timeout=WAIT)
    return shown


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    """A socket that OSC can be sent to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        yield receiver
