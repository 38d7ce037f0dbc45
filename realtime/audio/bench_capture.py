"""Frames lost while recording beside a busy thread: the C callback against a plain Python one.

A JACK server (the one that runs, or one of our own on the dummy driver: 48 kHz, blocks of 128 frames) counts
the frames that it has handed out; what the recording has not got of them is lost. The busy thread is pure
Python, as in a program that computes: in no process, in another one, or in the very process that records.
"""

from __future__ import annotations

import multiprocessing as mp
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from realtime.audio.capture import Capture, open_capture
from realtime.audio.devices import describe, find_device
from realtime.audio.portaudio import started
from realtime.bench.latency_jack import jack_server
from realtime.bench.report import parser, progress, publish
from realtime.errors import UserError

_RATE = 48_000
_BLOCK = 128
_DRAIN = 0.005
_START_WITHIN = 15.0


def main(argv: Sequence[str]) -> int:
    """Run the bench; returns the exit status."""
    arguments = parser("capture", __doc__)
    arguments.add_argument("--seconds", type=float, default=10.0, help="length of each recording (default: 10)")
    args = arguments.parse_args(argv)
    if not 0.5 <= args.seconds <= 3600:
        raise UserError(f"--seconds {args.seconds:g}: must be 0.5 to 3600")
    publish("capture", args, measure(args.seconds))
    return 0


def measure(seconds: float) -> dict[str, Any]:
    """Frames lost by each path beside each load."""
    rows = []
    with jack_server(realtime=True), _server_frames() as frames:
        for python_callback in (False, True):
            for load in ("none", "other process", "same process"):
                progress(f"{'Python' if python_callback else 'C'} callback, busy thread: {load}")
                with _busy(load):
                    rows.append({"busy_thread": load} | _record(python_callback, seconds, frames))
    progress("")
    return {"sample_rate": _RATE, "block": _BLOCK, "seconds": seconds, "recordings": rows}


def _record(python_callback: bool, seconds: float, frames: Callable[[], int]) -> dict[str, Any]:
    with started() as sounddevice:
        index = find_device("JACK: system", describe(sounddevice)).index
        capture = open_capture(sounddevice, index, 1, _RATE, _BLOCK, python_callback=python_callback)
    try:
        taken = _drain(capture, 0.5)
        handed, got, noise = _both(frames, capture, taken)
        taken += _drain(capture, seconds)
        handed_then, got_then, more_noise = _both(frames, capture, taken)
    finally:
        capture.close()
    total = handed_then - handed
    lost = total - (got_then - got)
    if lost <= noise + more_noise + 2 * _BLOCK:
        lost = 0
    return {
        "callback": capture.kind.split()[0],
        "frames": total,
        "lost": lost,
        "lost_percent": round(100 * lost / total, 2),
        "flagged": capture.overflows,
    }


def _both(frames: Callable[[], int], capture: Capture, taken: int) -> tuple[int, int, int]:
    """Frames handed out and frames got at one instant, as near as can be, and how near that is."""
    best = (0, 0, _RATE)
    for _ in range(20):
        begin = time.monotonic()
        handed = frames()
        got = taken + capture.available
        noise = round((time.monotonic() - begin) * _RATE)
        if noise < best[2]:
            best = (handed, got, noise)
    return best


def _drain(capture: Capture, seconds: float) -> int:
    """Take what comes; returns how many frames that were."""
    taken = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        taken += len(capture.take(1 << 16)[0])
        time.sleep(_DRAIN)
    return taken


@contextmanager
def _busy(where: str) -> Iterator[None]:
    if where == "none":
        yield
    elif where == "same process":
        stop = threading.Event()
        thread = threading.Thread(target=_compute, args=(stop.is_set,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
    else:
        process = mp.get_context("spawn").Process(target=_compute)
        process.start()
        try:
            yield
        finally:
            process.terminate()
            process.join()


def _compute(stop: Callable[[], bool] = lambda: False) -> None:
    """Pure Python that never lets go of the interpreter by itself."""
    x = 0
    while not stop():
        for i in range(100_000):
            x = (x * 1_103_515_245 + i) & 0x7FFFFFFF


@contextmanager
def _server_frames() -> Iterator[Callable[[], int]]:
    """A function that tells how many frames the server has handed out; asked in a process of its own."""
    line, theirs = mp.Pipe()
    process = mp.get_context("spawn").Process(target=_count, args=(theirs,))
    process.start()
    theirs.close()
    try:
        if not line.poll(_START_WITHIN):
            raise UserError("the bench could not reach the JACK server")
        told = line.recv()
        if told != "ready":
            raise UserError(str(told))

        def frames() -> int:
            line.send("?")
            return int(line.recv())

        yield frames
    finally:
        line.close()
        process.join(5)
        if process.is_alive():
            process.kill()
            process.join()


def _count(line: Connection) -> None:
    """Entry point of the process that asks the server."""
    try:
        import jack

        client = jack.Client("sidechain-count", no_start_server=True)
    except (ImportError, OSError) as e:
        line.send(f"the bench needs the Python module of JACK ({e}): pip install JACK-Client")
        return
    except Exception as e:
        line.send(f"the bench cannot reach the JACK server: {e}")
        return
    with client:
        line.send("ready")
        try:
            while True:
                line.recv()
                line.send(client.frame_time)
        except EOFError:
            return
