"""What drawing costs, and that it cannot disturb the sound.

Three measurements, on a screen that nobody sees (Xvfb, software rendering) of 1920 × 1080:

frames   milliseconds a frame takes, from newest data to pixels on the screen, with a real host on the demo; and
         the share of one core that the window's process uses
engine   deadlines that the engine missed a minute, with the window open and without, in turns
memory   resident memory over a simulated hour of made-up results, all views drawing
"""

from __future__ import annotations

import contextlib
import gc
import json
import resource
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from PySide6.QtWidgets import QApplication
from websockets.sync.client import connect

from gui.client import Client
from gui.host import LocalHost
from gui.polite import give_way
from gui.rehearsal import Rehearsal
from gui.screen import virtual_screen
from gui.settings import Settings
from gui.window import Window
from realtime.bench.load import resident_mb
from realtime.bench.report import parser, percentiles, publish
from realtime.errors import UserError

WIDTH, HEIGHT = 1920, 1080
SETTLE = 6.0
STEP = 1.0 / 30.0
AIM_P50, AIM_P99 = 8.0, 16.0


def application() -> QApplication:
    """The one application of this process."""
    found = QApplication.instance() or QApplication(["sidechain"])
    assert isinstance(found, QApplication)
    return found


def run_for(app: QApplication, seconds: float, done: Callable[[], bool] = lambda: False) -> None:
    """Let the window live."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not done():
        app.processEvents()
        time.sleep(0.001)


def open_window(port: int) -> Window:
    """A window on a host."""
    client = Client("127.0.0.1", port)
    client.start()
    window = Window(client, Settings(), local=True)
    window.resize(WIDTH, HEIGHT)
    window.show()
    window.pulse.start()
    return window


def frames(app: QApplication, window: Window, page: int, seconds: float) -> dict[str, Any]:
    """Frame times of a page and CPU share of this process.

    ``passed`` is by the clock; ``worked`` is what the window's thread computed in it: the difference is other
    programs on a busy machine.
    """
    window.pages.setCurrentIndex(page)
    run_for(app, 2.0)
    gc.collect()
    first, used, begun = window.pulse.frames, _used(), time.monotonic()
    times: list[float] = []
    work: list[float] = []
    while time.monotonic() < begun + seconds:
        run_for(app, 2.0)
        fresh = min(window.pulse.frames - first, 512)
        passed, worked = window.pulse.latest(fresh)
        times += (1000.0 * passed).tolist()
        work += (1000.0 * worked).tolist()
        first = window.pulse.frames
    lasted = time.monotonic() - begun
    return {
        "passed_ms": percentiles(times),
        "worked_ms": percentiles(work),
        "frames_per_second": len(times) / lasted,
        "cpu_share": (_used() - used) / lasted,
    }


def missed(port: int) -> tuple[int, float]:
    """Deadlines that the engine has missed so far, and how long it has run, by the host's own word."""
    with connect(f"ws://127.0.0.1:{port}/ws", compression=None) as line:
        status: dict[str, Any] = json.loads(line.recv(timeout=5))["status"]
    return int(status["host"]["late"]), float(status["host"]["stream_seconds"])


@contextlib.contextmanager
def playing(preset: str, spawner: Executor) -> Iterator[int]:
    """A host of its own at the beginning of the demo; yields its port."""
    host = LocalHost(["--preset", preset, "--input", "demo"], spawner=spawner)
    host.start()
    try:
        if not host.wait():
            raise UserError(f"the host did not start: {host.last_words()}")
        yield host.port
    finally:
        host.stop()


def engine(app: QApplication, preset: str, seconds: float, turns: int, spawner: Executor) -> dict[str, Any]:
    """Missed deadlines a minute, with and without a window, in turns; a fresh host each time, the same music."""
    counts: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(turns):
        for kind, rates in counts.items():
            with playing(preset, spawner) as port:
                window = open_window(port) if kind == "with" else None
                if window is not None:
                    window.pages.setCurrentIndex(1)
                run_for(app, 5.0)
                late, at = missed(port)
                run_for(app, seconds)
                later, then = missed(port)
                if window is not None:
                    window.close()
                    window.deleteLater()
                rates.append(60.0 * (later - late) / (then - at))
    return {f"missed_a_minute_{kind}": rates for kind, rates in counts.items()}


def memory(app: QApplication, hours: float) -> dict[str, float]:
    """Resident memory after five simulated minutes, and at the end."""
    feed = Rehearsal()
    window = Window(feed, Settings())
    window.resize(WIDTH, HEIGHT)
    window.show()
    window.pages.setCurrentIndex(1)
    total = round(hours * 3600 / STEP)
    early = 0.0
    for k in range(total):
        feed.advance(STEP)
        if k % 30:
            window.model.tick()
        else:
            window.frame()
            app.processEvents()
        if k == round(300 / STEP):
            gc.collect()
            early = resident_mb()
    gc.collect()
    late = resident_mb()
    window.close()
    return {
        "simulated_hours": hours,
        "memory_minute_5_mb": early,
        "memory_end_mb": late,
        "growth_percent": 100.0 * (late / early - 1.0) if early else 0.0,
    }


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(arguments: Sequence[str]) -> int:
    """The bench from the command line."""
    options = parser("gui", __doc__)
    options.add_argument("--preset", default="everything", help="whose plugins (default: %(default)s)")
    options.add_argument("--seconds", type=float, default=30.0, help="of each page (default: %(default)g)")
    options.add_argument("--turns", type=int, default=2, help="with and without a window (default: %(default)s)")
    options.add_argument("--hours", type=float, default=1.0, help="simulated, for memory (default: %(default)g)")
    args = options.parse_args(list(arguments))
    figures: dict[str, Any] = {}
    with virtual_screen(WIDTH, HEIGHT, force=True), ThreadPoolExecutor(1) as spawner:
        app = application()
        spawner.submit(threading.get_ident).result()  # its thread is older than the window's politeness
        give_way()
        with playing(args.preset, spawner) as port:
            window = open_window(port)
            run_for(app, 30.0, lambda: window.model.clock.state == "locked")
            run_for(app, SETTLE)
            figures["aim_ms"] = {"p50": AIM_P50, "p99": AIM_P99}
            figures["stage"] = frames(app, window, 0, args.seconds)
            figures["analysis"] = frames(app, window, 1, args.seconds)
            window.close()
            window.deleteLater()
        figures["engine"] = engine(app, args.preset, args.seconds, args.turns, spawner)
        figures["memory"] = memory(app, args.hours)
    publish("gui", args, figures)
    return 0
