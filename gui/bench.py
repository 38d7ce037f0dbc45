"""What drawing costs, and that it cannot disturb the sound.

Three measurements, on a screen that nobody sees (Xvfb, software rendering) of 1920 × 1080:

frames   milliseconds a frame takes, from newest data to pixels on the screen, with a real host on the demo; and
         the share of one core that the window's process uses
engine   what the engine missed a minute, with the window open and without, in turns beside one host: 'missed' are
         blocks that were done more than 10 ms after their sound was there, 'late' those that took longer than they
         last, 'lost' are frames of sound (nothing else is a loss: what is late is done later), 'busy' are seconds
         of work
memory   resident memory over a simulated hour of made-up results, all views drawing
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import soundfile
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication
from websockets.sync.client import connect

from gui.client import Client
from gui.host import LocalHost
from gui.polite import give_way
from gui.rehearsal import Rehearsal
from gui.screen import virtual_screen
from gui.settings import Settings
from gui.window import Window
from realtime import preset as presets
from realtime.bench.load import resident_mb
from realtime.bench.report import parser, percentiles, progress, publish
from realtime.bench.sounds import read_sound
from realtime.errors import UserError
from realtime.preset import PluginSettings

WIDTH, HEIGHT = 1920, 1080
SETTLE = 4.0
COUNTED = ("missed", "late", "lost", "busy")
OPENING = 30.0
"""Seconds that opening and closing a window may take on a busy machine: the sound must not end before."""
PARTS = ("frames", "engine", "memory")
STEP = 1.0 / 30.0
AIM_P50, AIM_P99 = 8.0, 16.0


def application() -> QApplication:
    """The one application of this process."""
    found = QApplication.instance() or QApplication(["sidechain"])
    assert isinstance(found, QApplication)
    return found


def run_for(seconds: float, done: Callable[[], bool] = lambda: False) -> None:
    """Let the window live, as a program of its own does."""
    loop, look = QEventLoop(), QTimer()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    look.timeout.connect(lambda: loop.quit() if done() else None)
    look.start(200)
    loop.exec()
    look.stop()


def open_window(port: int) -> Window:
    """A window on a host."""
    client = Client("127.0.0.1", port)
    client.start()
    window = Window(client, Settings(), local=True)
    window.resize(WIDTH, HEIGHT)
    window.show()
    window.pulse.start()
    return window


def frames(window: Window, page: int, seconds: float) -> dict[str, Any]:
    """Frame times of a page and CPU share of this process.

    ``passed`` is by the clock; ``worked`` is what the window's thread computed in it: the difference is other
    programs on a busy machine.
    """
    window.pages.setCurrentIndex(page)
    run_for(2.0)
    gc.collect()
    first, used, begun = window.pulse.frames, _used(), time.monotonic()
    times: list[float] = []
    work: list[float] = []
    while time.monotonic() < begun + seconds:
        run_for(2.0)
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


def pages(preset: str, seconds: float, spawner: Executor) -> dict[str, Any]:
    """Frames of the two pages that move, beside a host that plays the demo."""
    with playing(preset, spawner) as port:
        window = open_window(port)
        run_for(30.0, lambda: window.model.clock.state == "locked")
        run_for(SETTLE)
        found = {
            "aim_ms": {"p50": AIM_P50, "p99": AIM_P99},
            "stage": frames(window, 0, seconds),
            "analysis": frames(window, 1, seconds),
        }
        window.close()
        window.deleteLater()
    return found


def counts(port: int) -> dict[str, float]:
    """What the engine has missed so far, and how long it has run, by the host's own word."""
    try:
        with connect(f"ws://127.0.0.1:{port}/ws", compression=None) as line:
            status: dict[str, Any] = json.loads(line.recv(timeout=20))["status"]
    except (OSError, TimeoutError) as e:
        raise UserError("the host has come to the end of its sound: this machine is too busy to measure on") from e
    host = status["host"]
    run = float(host["stream_seconds"])
    return {
        "missed": float(host["missed"]),
        "late": float(host["late"]),
        "lost": float(status["input"]["lost"]),
        "busy": float(host["load"]) * run,
        "stream_seconds": run,
    }


@contextlib.contextmanager
def playing(preset: str, spawner: Executor, sound: str = "demo") -> Iterator[int]:
    """A host of its own at the beginning of a sound; yields its port."""
    host = LocalHost(["--preset", preset, "--input", sound], spawner=spawner)
    host.start()
    try:
        if not host.wait():
            raise UserError(f"the host did not start: {host.last_words()}")
        yield host.port
    finally:
        host.stop()


def with_scope(preset: str, folder: str) -> str:
    """The preset with the plugin that a window switches on in a host of its own: that is on in both cases."""
    found = presets.load(preset)
    found.plugins.setdefault("scope", PluginSettings())
    path = Path(folder) / "bench-gui.toml"
    presets.save(found, path)
    return str(path)


def repeated(folder: str, seconds: float) -> str:
    """The demo again and again, as a file."""
    samples, rate = read_sound("demo")
    path = Path(folder) / "sound.wav"
    with soundfile.SoundFile(path, "w", rate, samples.shape[1], subtype="PCM_16") as f:
        for _ in range(math.ceil(seconds * rate / len(samples))):
            f.write(samples)
    return str(path)


def engine(preset: str, seconds: float, turns: int, spawner: Executor) -> dict[str, Any]:
    """What the engine misses a minute, with and without a window, in turns beside one and the same host."""
    found: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as folder:
        sound = repeated(folder, 2 * turns * (seconds + SETTLE + OPENING) + 60.0)
        with playing(with_scope(preset, folder), spawner, sound) as port:
            run_for(2 * SETTLE)
            for k in range(2 * turns):
                kind = ("without", "with", "with", "without")[k % 4]
                progress(f"{kind} a window, {k + 1} of {2 * turns}")
                window = open_window(port) if kind == "with" else None
                if window is not None:
                    window.pages.setCurrentIndex(1)
                run_for(SETTLE)
                before = counts(port)
                run_for(seconds)
                after = counts(port)
                if window is not None:
                    window.close()
                    window.deleteLater()
                minutes = (after["stream_seconds"] - before["stream_seconds"]) / 60.0
                found[kind].append({name: (after[name] - before[name]) / minutes for name in COUNTED})
            progress("")
    return {
        "seconds_of_a_turn": seconds,
        "a_minute": [
            compared(name, *([turn[name] for turn in found[kind]] for kind in found)) for name in COUNTED
        ],
        "turns_without": [{k: round(v, 1) for k, v in turn.items()} for turn in found["without"]],
        "turns_with": [{k: round(v, 1) for k, v in turn.items()} for turn in found["with"]],
    }


def compared(name: str, without: Sequence[float], beside: Sequence[float]) -> dict[str, Any]:
    """Means, their difference, and twice its standard error: a smaller difference is none.

    What a block takes (``busy``) is no verdict: two programs on one machine share its caches.

    Parameters
    ----------
    without, beside : sequence of float
        Of each turn; neighbours in time have the same place in both.
    """
    pairs = [b - a for a, b in zip(without, beside, strict=True)]
    mean = statistics.fmean(pairs)
    unsure = 2.0 * statistics.stdev(pairs) / math.sqrt(len(pairs)) if len(pairs) > 1 else math.inf
    return {
        "counted": name,
        "without": statistics.fmean(without),
        "with": statistics.fmean(beside),
        "difference": mean,
        "give_or_take": unsure,
        "verdict": "" if name == "busy" else "no difference" if mean <= unsure else "more with the window",
    }


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
    options.add_argument("--turns", type=int, default=8, help="with and without a window (default: %(default)s)")
    options.add_argument("--turn", type=float, default=10.0, help="seconds of such a turn (default: %(default)g)")
    options.add_argument("--hours", type=float, default=1.0, help="simulated, for memory (default: %(default)g)")
    options.add_argument("--only", choices=PARTS, default="", help="one of the three measurements")
    args = options.parse_args(list(arguments))
    if args.turns < 2 or args.turn < 1.0:
        raise UserError("--turns must be 2 or more, --turn 1 or more")
    figures: dict[str, Any] = {}
    with virtual_screen(WIDTH, HEIGHT, force=True), ThreadPoolExecutor(1) as spawner:
        app = application()
        spawner.submit(threading.get_ident).result()  # its thread is older than the window's politeness
        give_way()
        if args.only in ("", "frames"):
            figures |= pages(args.preset, args.seconds, spawner)
        if args.only in ("", "engine"):
            figures["engine"] = engine(args.preset, args.turn, args.turns, spawner)
        if args.only in ("", "memory"):
            figures["memory"] = memory(app, args.hours)
    publish("gui", args, figures)
    return 0
