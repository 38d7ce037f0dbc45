"""From deadline to packet: how late OSC and WebSocket messages are at another process.

osc        a host with all plugins of a preset runs in a child process on sound paced by the clock, its musical
           clock tapped to 125 BPM and held; 24 messages a beat through the usual OSC path, arrival noted by a
           receiver in a process of its own. 0 is the musical deadline.
websocket  events published beside the server, as the front process does, arrival noted by 1, 10 and 100 clients
           in another process, each with 20 snapshots a second besides; then again with one client that never
           reads. 0 is the publication.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing as mp
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from realtime import preset as presets
from realtime.audio.file import FileSource
from realtime.bench.report import parser, percentiles, progress, publish
from realtime.bench.sounds import write_loop
from realtime.bus import Bus, Reader, Value
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.outputs.osc import OscOutput, OscSettings
from realtime.outputs.output import GridPoint
from realtime.web.server import WebSocketServer
from realtime.web.session import Limits

BPM = 125.0
TICK = Fraction(1, 24)
SWITCH_INTERVAL = 0.0005
EVENTS_A_SECOND = 50.0
CLIENTS = (1, 10, 100)
LONG = 2000
STUCK_LIMIT = 256
"""Events that may wait for a client here; fewer than live, so that the stuck one is dropped within the bench."""
_SETTLE = 4.0


class Ticks(OscOutput):
    """The usual OSC output, which besides sends ``/tick`` on each 1/24 beat and notes its deadline."""

    grids = (Fraction(1), TICK)
    due: dict[int, float]

    def open(self) -> None:
        """Begin."""
        self.due = {}
        super().open()

    def on_grid(self, point: GridPoint) -> None:
        """A deadline."""
        if point.step == TICK:
            number = int(point.position / TICK)
            self.due[number] = point.due
            self._encode("/tick", (number,))
            self._flush()
        else:
            super().on_grid(point)


def host(line: Connection, preset: str, sound: str, port: int) -> None:
    """Entry point of the host's process; hands over the deadlines when asked."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    settings = presets.load(preset)
    settings.outputs = []
    engine = Engine(settings, FileSource(sound))
    output = Ticks(OscSettings(name="osc", port=port), engine)
    engine.start()
    try:
        due = time.monotonic() + 0.5
        for _ in range(8):
            time.sleep(max(0.0, due - time.monotonic()))
            engine.call("transport.tap")
            due += 60.0 / BPM
        engine.call("transport.lock", {"on": True})
        engine.call("transport.hold", {"on": True})
        time.sleep(_SETTLE)
        engine.runner.add(output)
        line.send("ready")
        line.recv()
        line.send((output.due, output.status.sent, engine.status()["host"], engine.runner.priority))
    finally:
        engine.stop()
        engine.join()


def ear(line: Connection, _: str) -> None:
    """Entry point of the OSC receiver: notes when each tick came."""
    handle = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    handle.bind(("127.0.0.1", 0))
    handle.settimeout(0.2)
    stop = threading.Event()
    got: dict[int, float] = {}

    def listen() -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                data = handle.recv(2048)
                now = time.monotonic()
                if data.startswith(b"/tick\0"):
                    got[int.from_bytes(data[-4:], "big")] = now

    thread = threading.Thread(target=listen)
    thread.start()
    line.send(handle.getsockname()[1])
    line.recv()
    stop.set()
    thread.join()
    line.send(got)
    handle.close()


def crowd(line: Connection, count: int, port: int) -> None:
    """Entry point of the WebSocket clients: `count` of them on one loop, delays noted by client."""
    from websockets.asyncio.client import connect

    delays: list[list[float]] = [[] for _ in range(count)]
    snapshots = [0] * count
    start = time.monotonic()

    async def one(number: int, ready: asyncio.Event) -> None:
        async with connect(f"ws://127.0.0.1:{port}/ws", compression=None, proxy=None) as client:
            await client.recv()
            ready.set()
            async for text in client:
                now = time.monotonic()
                assert isinstance(text, str)
                if text.startswith('{"type":"event"'):  # cheaply: a slow crowd would measure itself
                    delays[number].append(now - float(text.split('"value":', 1)[1].split(",", 1)[0]))
                elif text.startswith('{"type":"values"'):
                    snapshots[number] += 1

    async def all_of_them() -> None:
        readies = [asyncio.Event() for _ in range(count)]
        tasks = [asyncio.create_task(one(k, readies[k])) for k in range(count)]
        await asyncio.gather(*(r.wait() for r in readies))
        line.send("ready")
        await asyncio.to_thread(line.recv)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(all_of_them())
    line.send((delays, [n / (time.monotonic() - start) for n in snapshots]))


class Front:
    """What a server needs of a host: a bus with as many values as a full preset has."""

    def __init__(self) -> None:
        self.bus = Bus()
        self.published = 0
        for k in range(60):
            self.bus.set(f"plugin{k % 6}.output{k}", 0.0, k / 7.0)
        self._events = self.bus.reader()

    def events(self) -> list[Any]:
        """New events."""
        return self._events.poll()

    def subscribe(self) -> Reader:
        """A consumer's own place."""
        return self.bus.reader()

    def values(self) -> dict[str, Value]:
        """Newest values."""
        return self.bus.values()

    def status(self) -> dict[str, Any]:
        """Nothing to tell."""
        return {}

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Nothing to do."""
        raise UserError(method)


def run(
    seconds: float = 60.0, json_path: str | None = None, preset: str = "everything", sound: str = "demo"
) -> dict[str, Any]:
    """Measure OSC for `seconds`, then each WebSocket condition for a third of it."""
    figures = {"osc": _osc(seconds, preset, sound), "websocket": _websocket(max(5.0, seconds / 3.0))}
    publish("outputs", argparse.Namespace(seconds=seconds, preset=preset, sound=sound, json=json_path), figures)
    return figures


def _osc(seconds: float, preset: str, sound: str) -> dict[str, Any]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        path = write_loop(folder / "sound.wav", sound, seconds + 60.0)
        listener, port = stack.enter_context(_process(ear, ""))
        engine, _ = stack.enter_context(_process(host, preset, path, port))
        progress(f"OSC, {seconds:.0f} s")
        time.sleep(seconds)
        engine.send("end")
        due, sent, status, priority = engine.recv()
        listener.send("end")
        got = listener.recv()
        progress("")
    late = [1000.0 * (got[n] - at) for n, at in due.items() if n in got]
    return {
        "preset": preset,
        "load": status["load"],
        "priority": priority,
        "messages_a_second": sent / seconds,
        "missing": len(due) - len(late),
        **{f"{k}_ms" if k != "count" else k: v for k, v in percentiles(late).items()},
    }


def _websocket(seconds: float) -> list[dict[str, Any]]:
    rows = [_with_clients(count, seconds) for count in CLIENTS]
    # long events, so that the stuck client's buffers fill within the bench; without it first, for comparison
    return [*rows, _with_clients(10, seconds, LONG), _with_clients(10, seconds, LONG, stuck=True)]


def _with_clients(count: int, seconds: float, extra: int = 0, stuck: bool = False) -> dict[str, Any]:
    progress(f"WebSocket, {count} clients{', one more is stuck' if stuck else ''}, {seconds:.0f} s")
    front = Front()
    server = WebSocketServer(front, port=0, limits=Limits(waiting=STUCK_LIMIT))
    server.start()
    dropped_after = None
    try:
        with contextlib.ExitStack() as stack:
            probe, _ = stack.enter_context(_process(crowd, 1, server.port))
            others = stack.enter_context(_process(crowd, count - 1, server.port))[0] if count > 1 else None
            if stuck:
                stack.enter_context(_never_reads(server.port))
            time.sleep(1.0)
            before = _resident()
            start = due = time.monotonic()
            padding = "x" * extra or None
            while (now := time.monotonic()) < start + seconds:
                front.bus.set("plugin0.output0", now, now)
                front.bus.publish(now, now, "bench", "event", time.monotonic(), padding)
                front.published += 1
                if dropped_after is None and server.counts.stuck:
                    dropped_after = now - start
                due += 1.0 / EVENTS_A_SECOND
                time.sleep(max(0.0, due - time.monotonic()))
            grown = _resident() - before
            time.sleep(0.5)
            delays, snapshots = _notes(probe)
            more = _notes(others) if others is not None else ([], [])
    finally:
        server.stop()
    progress("")
    late = percentiles([1000.0 * d for d in delays[0]])
    return {
        "clients": count,
        "event_bytes": 120 + extra,
        "stuck": int(stuck),
        "stuck_dropped_after_s": dropped_after if stuck else "",
        "published": front.published,
        "least_received": min(len(one) for one in [*delays, *more[0]]),
        "snapshots_a_second": sum([*snapshots, *more[1]]) / count,
        **{f"{k}_ms": v for k, v in late.items() if k != "count"},
        "memory_grown_mb": grown,
    }


def _notes(line: Connection) -> tuple[list[list[float]], list[float]]:
    line.send("end")
    found: tuple[list[list[float]], list[float]] = line.recv()
    return found


@contextlib.contextmanager
def _never_reads(port: int) -> Iterator[None]:
    handle = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with handle:
        handle.connect(("127.0.0.1", port))
        handle.sendall(
            b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        yield


def _resident() -> float:
    """Resident megabytes of this process; not a number where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextlib.contextmanager
def _process(target: Callable[..., None], *arguments: Any) -> Iterator[tuple[Connection, Any]]:
    """A part of the bench in a process of its own, and the first thing that it said."""
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments))
    process.start()
    theirs.close()
    try:
        if not ours.poll(60.0):
            raise UserError("a part of the bench did not start within 60 s")
        yield ours, ours.recv()
    except EOFError:
        raise UserError("a part of the bench ended early; its error is above") from None
    finally:
        with contextlib.suppress(OSError):
            ours.send("end")
        process.join(10.0)
        if process.is_alive():
            process.kill()
            process.join()


def main(argv: Sequence[str]) -> int:
    """``sidechain bench outputs``."""
    p = parser("outputs", __doc__)
    p.add_argument(
        "--seconds", type=float, default=60.0, help="of OSC; for each of five WebSocket conditions a third"
    )
    p.add_argument("--preset", default="everything")
    p.add_argument("--sound", default="demo", help="file to play, in a loop (default: the demo)")
    args = p.parse_args(argv)
    if not 5.0 <= args.seconds <= 7200.0:
        raise UserError(f"--seconds {args.seconds:g}: 5 to 7200")
    run(args.seconds, args.json, args.preset, args.sound)
    return 0
