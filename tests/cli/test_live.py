"""The whole host as its user runs it: sound in, OSC and WebSocket out, a clean end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile
import websockets

from realtime.audio.demo import FOLDER, demo_truth
from realtime.cli.main import main
from tests.fixtures.osc import OscReceiver, osc_receiver
from tests.fixtures.waiting import until

pytestmark = pytest.mark.device

__all__ = ["osc_receiver"]


class Host:
    """``sidechain live`` in a process group of its own."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "realtime.cli.main", "live", "--osc-in", "off", *arguments]
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: int) -> None:
        """As the terminal does: the signal goes to the whole group."""
        os.killpg(self.process.pid, number)

    def finish(self, seconds: float = 30.0) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err

    def url(self) -> str:
        """Where the WebSocket is, as told on stderr."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if found := re.search(r"(https?|wss?)://(\S+)", line):
                return f"ws://{found[2]}"
        raise AssertionError("no URL was told")


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    started: list[Host] = []
    yield started
    for host in started:
        if host.process.poll() is None:
            host.end(signal.SIGKILL)
            host.process.communicate()


def excerpt(path: Path, seconds: float) -> Path:
    samples, rate = soundfile.read(FOLDER / "demo.ogg", dtype="float32", stop=int(seconds * 48_000))
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def test_demo_to_osc_and_websocket(hosts: list[Host], osc_receiver: OscReceiver, tmp_path: Path) -> None:
    record = tmp_path / "set.jsonl"
    host = Host(
        *("--input", "demo", "--preset", "dj", "--osc", osc_receiver.target, "--websocket", "127.0.0.1:0"),
        *("--seconds", "14", "--no-ui", "--record", str(record)),
    )
    hosts.append(host)
    url = host.url()
    heard = asyncio.run(talk(url))
    assert heard[0]["type"] == "hello"
    assert {"event", "values"} <= {m["type"] for m in heard}
    assert any(m.get("id") == 7 and "error" not in m for m in heard)
    status, out, err = host.finish()
    assert (status, out) == (0, ""), err
    first = min(m.at for m in osc_receiver.messages)
    bpm = [m for m in osc_receiver.named("/sidechain/tempo/bpm") if m.at - first < 10.0]
    truth = demo_truth().bpm_at(8.0)
    assert bpm[-1].arguments[0] == pytest.approx(truth, rel=0.01)
    beats = [m for m in osc_receiver.named("/sidechain/beat") if m.arguments[0] == 1.0]
    assert len(beats) >= 8
    steps = [b.at - a.at for a, b in zip(beats[-6:], beats[-5:])]
    assert sorted(steps)[len(steps) // 2] == pytest.approx(60 / truth, rel=0.05)
    events = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
    assert [e for e in events if e["output"] == "beat"]


async def talk(url: str) -> list[dict[str, Any]]:
    """What a WebSocket client hears in some seconds, after asking something."""
    heard = []
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({"id": 7, "method": "ping", "params": {}}))
        end = time.monotonic() + 9.0
        while time.monotonic() < end:
            try:
                heard.append(json.loads(await asyncio.wait_for(socket.recv(), 1.0)))
            except TimeoutError:
                continue
    return heard


def test_live_gives_what_analyze_gives(hosts: list[Host], tmp_path: Path) -> None:
    song = excerpt(tmp_path / "song.wav", 8.0)
    record, out = tmp_path / "live.jsonl", tmp_path / "analyzed.jsonl"
    host = Host(
        *("--input", str(song), "--preset", "everything", "--osc", "127.0.0.1:9", "--websocket", "off"),
        *("--no-ui", "--record", str(record)),
    )
    hosts.append(host)
    status, _, err = host.finish()
    assert status == 0, err
    assert main(["analyze", str(song), "--preset", "everything", "-o", str(out), "-q"]) == 0

    def events(path: Path) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        return [e for e in found if e["plugin"] != "host"]

    assert events(out)
    assert events(record) == events(out)


def test_a_recorded_session_gives_the_same_events_again(hosts: list[Host], tmp_path: Path) -> None:
    samples, rate = soundfile.read(FOLDER / "demo.ogg", dtype="float32", stop=8 * 48_000, always_2d=True)
    four = samples[:, [0, 0, 0, -1]]
    four[:, :2] = 0.0
    song = tmp_path / "song.wav"
    soundfile.write(song, four, rate, subtype="PCM_16")
    record, out = tmp_path / "live.jsonl", tmp_path / "again.jsonl"
    host = Host(
        *("--input", str(song), "--channels", "3,4", "--preset", "everything", "--osc", "127.0.0.1:9"),
        *("--websocket", "off", "--no-ui", "--record", str(record), "--record-audio"),
    )
    hosts.append(host)
    status, _, err = host.finish()
    assert status == 0, err
    session = tmp_path / "live.flac"
    assert np.array_equal(soundfile.read(session, dtype="int16")[0], soundfile.read(song, dtype="int16")[0][:, 2:])
    assert main(["analyze", str(session), "--preset", "everything", "-o", str(out), "-q"]) == 0

    def events(path: Path) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        return [e for e in found if e["plugin"] != "host"]

    assert len(events(out)) > 20
    assert events(record) == events(out)


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_ends_when_told(hosts: list[Host], osc_receiver: OscReceiver, number: int, expected: int) -> None:
    host = Host(*("--input", "demo", "--osc", osc_receiver.target, "--websocket", "127.0.0.1:0"))
    hosts.append(host)
    until(lambda: osc_receiver.messages)
    children = host.children()
    assert children
    host.end(number)
    status, out, err = host.finish(10.0)
    assert status == expected
    assert "Traceback" not in err
    assert "Traceback" not in out
    gone, alive = psutil.wait_procs(children, timeout=5.0)
    assert not alive, gone


def test_console_lines_in_a_pipe(hosts: list[Host]) -> None:
    host = Host("--input", "demo", "--osc", "127.0.0.1:9", "--websocket", "off", "--seconds", "4")
    hosts.append(host)
    status, out, err = host.finish()
    assert status == 0, err
    assert 2 <= len(out.splitlines()) <= 5
    assert all("BPM" in line for line in out.splitlines())


def test_sound_on_standard_input(tmp_path: Path, osc_receiver: OscReceiver) -> None:
    song = excerpt(tmp_path / "song.wav", 3.0)
    command = [sys.executable, "-m", "realtime.cli.main", "live", "--input", "-", "--only", "level"]
    command += ["--osc", osc_receiver.target, "--osc-in", "off", "--websocket", "off", "--no-ui"]
    with song.open("rb") as sound:
        done = subprocess.run(command, stdin=sound, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert osc_receiver.named("/sidechain/level/rms")
