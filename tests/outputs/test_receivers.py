"""Programs of other people hear what we send: liblo's ``oscdump`` and Pure Data."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from realtime.outputs.osc import OscOutput, OscSettings
from realtime.outputs.output import Message
from tests.fixtures.programs import need
from tests.outputs.test_osc import NoHost, beat, event


class Listener:
    """Collects what a program prints."""

    def __init__(self, stream: IO[str]) -> None:
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.append(line.strip())

    def until(self, condition: Callable[[list[str]], bool], seconds: float = 10.0) -> list[str]:
        end = time.monotonic() + seconds
        while not condition(self.lines):
            assert time.monotonic() < end, self.lines
            time.sleep(0.01)
        return self.lines


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def program(*command: str, stream: str) -> Iterator[Listener]:
    process = subprocess.Popen(
        command,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if stream == "stdout" else subprocess.DEVNULL,
        stderr=subprocess.PIPE if stream == "stderr" else subprocess.DEVNULL,
    )
    try:
        out = process.stdout if stream == "stdout" else process.stderr
        assert out is not None
        with out:
            yield Listener(out)
            process.terminate()
            process.wait(5)
    finally:
        process.kill()
        process.wait()


@contextmanager
def target(port: int, heard: Listener, word: str, **settings: object) -> Iterator[OscOutput]:
    """An output towards a program that listens already."""
    osc = OscOutput(OscSettings(port=port, **settings), NoHost())
    osc.open()
    end = time.monotonic() + 10.0
    while not any(word in line for line in heard.lines):
        assert time.monotonic() < end, "the receiver does not answer"
        osc.send(Message("/hello", (1.0,)))
        time.sleep(0.05)
    time.sleep(0.1)
    heard.lines.clear()
    yield osc
    osc.close()


def test_oscdump_hears_beats_events_and_bundles() -> None:
    need("oscdump", "liblo-tools")
    port = free_port()
    with program("oscdump", "-L", str(port), stream="stdout") as heard:
        with target(port, heard, "/hello") as osc:
            osc.on_grid(beat(5, 1))
            osc.on_events([event("drums.hit", 0.5, "kick"), event("key.key", None, "F# minor")])
            lines = heard.until(lambda found: len(found) >= 8)
        content = [line.split(" ", 1)[1] for line in lines]  # oscdump prints the time first
        assert "/sidechain/beat f 1.000000" in content
        assert "/sidechain/downbeat f 1.000000" in content
        assert "/sidechain/beat/number i 5" in content
        assert "/sidechain/drum/kick f 0.500000" in content
        assert '/sidechain/key s "F# minor"' in content
        heard.lines.clear()
        with target(port, heard, "/hello", bundles=True, ahead_ms=100) as osc:
            osc.on_grid(beat(6, 2))
            lines = heard.until(lambda found: len(found) >= 5)
        assert any("/sidechain/beat f 1.000000" in line for line in lines)


PATCH = """#N canvas 0 0 400 300 12;
#X obj 20 20 netreceive -u -b {port};
#X obj 20 60 oscparse;
#X obj 20 100 list trim;
#X obj 20 140 print heard;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 2 0 3 0;
"""


def test_pure_data_hears_beats(tmp_path: Path) -> None:
    need("pd", "puredata-core")
    port = free_port()
    patch = tmp_path / "hear.pd"
    patch.write_text(PATCH.format(port=port))
    with (
        program("pd", "-nogui", "-noaudio", "-nrt", "-stderr", "-open", str(patch), stream="stderr") as heard,
        target(port, heard, "hello") as osc,
    ):
        osc.on_grid(beat(5, 1))
        lines = heard.until(lambda found: len(found) >= 6)
        assert "heard: sidechain beat 1" in lines
        assert "heard: sidechain beat number 5" in lines
        assert "heard: sidechain bar number 2" in lines
        osc.on_stop()
        heard.until(lambda found: "heard: sidechain beat 0" in found)
