"""Starting it: what is refused, what is missing, and a host of its own that is killed and comes back."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from gui import app
from gui.host import LocalHost
from gui.window import Window
from realtime.cli import gui as command
from realtime.cli.main import main
from realtime.errors import UserError
from tests.gui.conftest import WAIT

ROOT = Path(__file__).resolve().parents[2]


def parsed(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    app.add_arguments(parser)
    return parser.parse_args(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--connect", "127.0.0.1:1", "--demo"), "--connect"),
        (("--token", "x"), "--token"),
        (("--input", "-"), "sidechain live"),
        (("--connect", "nonsense"), "HOST:PORT"),
    ],
)
def test_what_does_not_go_together_is_refused(given: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said):
        app.run(parsed(*given))


def test_a_host_of_its_own_gets_what_was_asked_for() -> None:
    wanted = app.host_arguments(parsed("--demo", "--preset", "dj", "--osc", "127.0.0.1:9"))
    assert wanted == ["--preset", "dj", "--input", "demo", "--osc", "127.0.0.1:9"]


def test_a_missing_qt_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.import_module

    def without(name: str, package: str | None = None) -> object:
        if name.startswith("PySide6"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return find(name, package)

    monkeypatch.setattr(command.importlib, "import_module", without)
    assert main(["gui", "--demo"]) == 2
    assert "pip install 'sidechain[gui]'" in capsys.readouterr().err


def test_the_command_line_does_not_load_qt() -> None:
    code = "import sys, realtime.cli.main as m; m.main(['gui', '--help']); assert 'PySide6' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).returncode == 0


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    """A preset that starts quickly."""
    path = tmp_path / "small.toml"
    path.write_text("[plugins.level]\n[plugins.onset]\n[plugins.tempo]\n")
    return path


@pytest.fixture
def local(preset: Path, sound: Path) -> Iterator[LocalHost]:
    host = LocalHost(["--preset", str(preset), "--input", str(sound)])
    host.start()
    assert host.wait(), host.messages()
    yield host
    host.stop()
    assert host.pid == 0


@pytest.mark.device
def test_a_killed_engine_is_back_and_so_is_its_sound(
    local: LocalHost, look_at: Callable[..., Window], qtbot: QtBot
) -> None:
    window = look_at(local.port, local=True)
    qtbot.waitUntil(lambda: window.model.waveform.end > 100, timeout=WAIT)
    first = int(window.model.status["pid"])
    os.kill(first, signal.SIGKILL)
    qtbot.waitUntil(lambda: window.model.status.get("restarts") == 1, timeout=WAIT)
    qtbot.waitUntil(lambda: window.model.status.get("pid") not in (first, None), timeout=WAIT)
    end = window.model.waveform.end
    qtbot.waitUntil(lambda: window.model.waveform.end not in (end, 0), timeout=WAIT)
    assert any("restarting" in text for _, text in window.model.log)


@pytest.mark.device
def test_a_killed_host_is_said_and_found_again(
    local: LocalHost, preset: Path, sound: Path, look_at: Callable[..., Window], qtbot: QtBot
) -> None:
    window = look_at(local.port, local=True)
    engine = psutil.Process(local.pid).children()
    os.kill(local.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: window.banner.isVisible() and "No host" in window.banner.text(), timeout=WAIT)
    psutil.wait_procs(engine, timeout=10)
    again = LocalHost(["--preset", str(preset), "--input", str(sound)], port=local.port)
    again.start()
    try:
        qtbot.waitUntil(lambda: window.model.feed.connected, timeout=90_000)
        qtbot.waitUntil(lambda: not window.banner.isVisible() and window.model.waveform.end > 100, timeout=WAIT)
    finally:
        again.stop()


@pytest.mark.device
def test_another_input_is_chosen_while_it_runs(
    local: LocalHost, look_at: Callable[..., Window], qtbot: QtBot
) -> None:
    window = look_at(local.port, local=True)
    window.pages.setCurrentWidget(window.input)
    window.input.use("demo")
    qtbot.waitUntil(lambda: window.input.title.text() == "demo", timeout=60_000)
    window.input.use("no such thing")
    qtbot.waitUntil(lambda: "cannot be used" in window.input.note.text(), timeout=60_000)
    qtbot.waitUntil(lambda: window.model.status["input"]["name"] == "demo", timeout=WAIT)


def test_a_host_that_cannot_start_says_why(tmp_path: Path) -> None:
    host = LocalHost(["--preset", str(tmp_path / "nothing.toml"), "--input", "demo"])
    host.start()
    assert not host.wait()
    assert "nothing.toml" in host.poll()
    host.stop()


@pytest.mark.device
def test_the_whole_thing_starts_shows_and_ends(tmp_path: Path) -> None:
    environment = os.environ | {"SIDECHAIN_CONFIG": str(tmp_path)}
    window = subprocess.Popen(
        [sys.executable, "-m", "realtime.cli.main", "gui", "--demo", "--preset", "dj"],
        cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    host = None
    for _ in range(300):
        found = psutil.Process(window.pid).children(recursive=True)
        host = next((p for p in found if "gui.hostchild" in " ".join(p.cmdline())), host)
        if len(found) >= 2 and host is not None:
            break
        assert window.poll() is None
        psutil.wait_procs([], timeout=0.1)
        try:
            window.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    assert host is not None
    try:
        window.wait(4)
    except subprocess.TimeoutExpired:
        window.send_signal(signal.SIGTERM)
    _, said = window.communicate(timeout=30)
    assert window.returncode == 0, said
    assert not said.strip(), said
    assert not host.is_running() or host.status() == psutil.STATUS_ZOMBIE
    assert (tmp_path / "gui.json").is_file()


ENDED_WHILE_PAINTING = """
import os, signal, sys
from gui.stage import Stage
from realtime.cli.main import main

paint, painted = Stage.paintEvent, []


def paint_and_be_told_to_end(self, event):
    painted.append(event)
    if len(painted) == 5:
        os.kill(os.getpid(), signal.SIGTERM)
    paint(self, event)


Stage.paintEvent = paint_and_be_told_to_end
sys.exit(main(["gui", "--connect", "127.0.0.1:1"]))
"""


def test_told_to_end_in_the_middle_of_painting_it_paints_first(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDED_WHILE_PAINTING],
        cwd=ROOT, env=os.environ | {"SIDECHAIN_CONFIG": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr.strip()) == (0, "")
