"""The engine in a child process: it ends well, comes back when it dies, and leaves a hanging plugin off."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.audio.file import FileSource
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.preset import parse
from realtime.supervisor import Supervisor
from tests.fixtures.waiting import until

pytestmark = pytest.mark.device

PROBE = """
import time

from realtime import AudioInput, Descriptor, Feature, Output, Parameter, Plugin


class Probe(Plugin):
    descriptor = Descriptor(
        "probe", "Probe", "", "", "MIT", "1", AudioInput(hop=480),
        (Output("peak", "value"), Output("second", "event")),
        (Parameter("hang", "Hang", "s", 0, 100, 0), Parameter("gain", "Gain", "", 0, 9, 1)),
    )

    def prepare(self, context):
        self.values = dict(context.parameters)
        self.next = 0.0

    def parameter(self, identifier, value):
        self.values[identifier] = value

    def process(self, block, time_):
        if self.values["hang"]:
            time.sleep(self.values["hang"])
        yield Feature("peak", time_, self.values["gain"] * float(abs(block).max()))
        if time_ >= self.next:
            self.next = time_ + 0.1
            yield Feature("second", time_, time_)
"""


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.full(48_000 * 60, 0.5, np.float32), 48_000)
    return path


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator:  # type: ignore[type-arg]
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "probe.py").write_text(PROBE)
    monkeypatch.setenv("SIDECHAIN_PLUGINS", str(tmp_path / "plugins"))
    running: list[Supervisor] = []

    def run(text: str, path: object) -> Supervisor:
        host = Supervisor(parse(text, "test.toml"), str(path))
        running.append(host)
        host.start()
        return host

    yield run
    for host in running:
        host.stop()
        assert not host.running


def peak(host: Supervisor) -> float:
    value = host.values().get("probe.peak")
    return value.value if value is not None else 0.0  # type: ignore[return-value]


def test_events_values_status_and_commands_cross_over(start, sound: Path) -> None:  # type: ignore[no-untyped-def]
    host = start("[plugins.probe]\n", sound)
    events = host.subscribe()
    until(lambda: peak(host) == pytest.approx(0.5, abs=0.01))
    assert host.call("ping") == "pong"
    host.call("plugin.set", {"plugin": "probe", "parameter": "gain", "value": 4})
    until(lambda: peak(host) == pytest.approx(2.0, abs=0.04))
    until(lambda: host.preset.plugins["probe"].parameters.get("gain") == 4.0)
    until(lambda: host.status().get("running"))
    assert host.status()["input"]["name"] == "tone.wav"
    with pytest.raises(UserError, match=r"did you mean 'transport\.tap'"):
        host.call("transport.tapp")
    seen = [e for e in events.poll() if e.name == "probe.second"]
    until(lambda: len(seen) >= 5 or seen.extend(e for e in events.poll() if e.name == "probe.second"))
    assert np.diff([e.time for e in seen]) == pytest.approx(0.1, abs=0.011)


def test_it_ends_when_the_file_ends_and_gives_everything(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(48_000, np.float32), 48_000)
    host = start("[plugins.probe]\n", short)
    assert host.join(20)
    alone = Engine(parse("[plugins.probe]\n", "t"), FileSource(short, paced=False))
    alone.run_offline()
    assert [e[1:] for e in host.events()] == [e[1:] for e in alone.events()]
    assert host.restarts == 0


def test_another_input_takes_over_and_a_wrong_one_does_not(start, sound: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    louder = tmp_path / "louder.wav"
    soundfile.write(louder, np.full(48_000 * 60, 0.9, np.float32), 48_000)
    host = start("[plugins.probe]\n", sound)
    until(lambda: peak(host) == pytest.approx(0.5, abs=0.01))
    host.call("plugin.set", {"plugin": "probe", "parameter": "gain", "value": 2})
    until(lambda: host.preset.plugins["probe"].parameters.get("gain") == 2.0)
    host.use_input(str(louder), gain_db=-6.0)
    until(lambda: peak(host) == pytest.approx(2 * 0.9 / 2, abs=0.03))
    with pytest.raises(UserError, match="nowhere"):
        host.use_input(str(tmp_path / "nowhere.wav"))
    with pytest.raises(UserError, match="gain_db"):
        host.use_input(str(louder), gain_db=200.0)
    until(lambda: host.status()["input"]["name"] == "louder.wav" and host.status()["running"])
    until(lambda: peak(host) == pytest.approx(2 * 0.9 / 2, abs=0.03))
    assert host.running
    assert host.restarts == 0


def test_a_killed_engine_is_back_and_outputs_keep_their_targets(start, sound: Path) -> None:  # type: ignore[no-untyped-def]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(20)
        port = receiver.getsockname()[1]
        host = start(f"[plugins.probe]\n[[outputs]]\nkind = 'osc'\nhost = '127.0.0.1'\nport = {port}\n", sound)
        receiver.recv(4096)
        until(lambda: peak(host) > 0)
        host.call("plugin.set", {"plugin": "probe", "parameter": "gain", "value": 2})
        until(lambda: host.preset.plugins["probe"].parameters.get("gain") == 2.0)
        until(lambda: host.status()["host"]["stream_seconds"] > 0.5)
        at = host.status()["host"]["stream_seconds"]
        old = host.pid
        os.kill(old, signal.SIGKILL)
        until(lambda: host.pid not in (old, None) and host.restarts == 1)
        receiver.setblocking(False)
        try:
            while receiver.recv(4096):
                pass
        except BlockingIOError:
            pass
        receiver.settimeout(20)
        assert receiver.recv(4096)
        until(lambda: host.values()["probe.peak"].time < at + 30 and peak(host) == pytest.approx(1.0, abs=0.02))
    messages = [e.label for e in host.events() if e.name == "host.message"]
    assert any("died" in m and "restarting" in m for m in messages)


def test_a_hanging_plugin_is_left_off_and_the_rest_goes_on(start, sound: Path) -> None:  # type: ignore[no-untyped-def]
    host = start("[plugins.probe]\n", sound)
    until(lambda: peak(host) > 0)
    host.call("plugin.set", {"plugin": "probe", "parameter": "hang", "value": 100})
    until(lambda: host.restarts == 1 and host.status()["plugins"][0]["enabled"] is False)
    until(lambda: host.call("ping") == "pong")
    messages = [e.label for e in host.events() if e.name == "host.message"]
    assert any("hung in plugin 'probe'" in m for m in messages)


def test_what_is_wrong_at_the_start_is_said_to_the_caller(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match="no such file"):
        start("[plugins.probe]\n", tmp_path / "missing.wav")


def test_the_engine_goes_when_its_supervisor_is_killed(sound: Path, start) -> None:  # type: ignore[no-untyped-def]
    script = (
        "import sys, time\n"
        "from realtime.preset import parse\n"
        "from realtime.supervisor import Supervisor\n"
        "if __name__ == '__main__':\n"
        "    host = Supervisor(parse('[plugins.probe]', 't'), sys.argv[1])\n"
        "    host.start()\n"
        "    print(host.pid, flush=True)\n"
        "    time.sleep(100)\n"
    )
    path = sound.parent / "script.py"
    path.write_text(script)
    root = Path(__file__).resolve().parent.parent
    front = subprocess.Popen(
        [sys.executable, str(path), str(sound)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert front.stdout is not None
    engine = int(front.stdout.readline())
    front.kill()
    front.wait()
    front.stdout.close()
    until(lambda: not _alive(engine))


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().split()[2] != "Z"
    except OSError:
        return False


def test_sound_on_standard_input_reaches_the_child(tmp_path: Path, start) -> None:  # type: ignore[no-untyped-def]
    script = tmp_path / "front.py"
    script.write_text(
        "from realtime.preset import parse\n"
        "from realtime.supervisor import Supervisor\n"
        "if __name__ == '__main__':\n"
        "    host = Supervisor(parse('[plugins.probe]', 't'), '-')\n"
        "    host.start()\n"
        "    host.join()\n"
        "    last = max(e.value for e in host.events() if e.name == 'probe.second')\n"
        "    print(last, host.values()['probe.peak'].value)\n"
        "    host.stop()\n"
    )
    wav = tmp_path / "in.wav"
    soundfile.write(wav, np.full(48_000 * 2, 0.25, np.float32), 48_000)
    root = Path(__file__).resolve().parent.parent
    with wav.open("rb") as stdin:
        done = subprocess.run(
            [sys.executable, str(script)], stdin=stdin, capture_output=True, text=True, timeout=60,
            env={**os.environ, "PYTHONPATH": str(root)}, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    last, level = map(float, done.stdout.split())
    assert last == pytest.approx(1.95, abs=0.1)
    assert level == pytest.approx(0.25, abs=0.01)


def test_time_is_not_wall_clock(start, sound: Path) -> None:  # type: ignore[no-untyped-def]
    """Stream time runs at the pace of the sound."""
    host = start("[plugins.probe]\n", sound)
    until(lambda: "probe.peak" in host.values())
    a, t = host.values()["probe.peak"].time, time.monotonic()
    until(lambda: host.values()["probe.peak"].time > a + 1.0)
    assert time.monotonic() - t == pytest.approx(1.0, abs=0.5)
