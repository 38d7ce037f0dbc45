"""The window's line to a host: WebSocket in a thread, newest values and bounded queues for the timer."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from gui.feed import Done, Number
from realtime.bus import Event

RATE = 40.0
"""Snapshots a second that are asked for."""

MOST_EVENTS = 16_384
"""Events that wait for the timer; the oldest give way."""

PACKETS = ("scope.waveform", "scope.spectrum")
MOST_PACKETS = 128

ANSWER_WITHIN = 8.0
_RETRY = (0.2, 0.5, 1.0, 2.0)
_STALE = 0.5


class Client:
    """A :class:`~gui.feed.Feed` from a host.

    Parameters
    ----------
    host, port : str, int
    token : str
        Secret, where the host wants one.
    waiting : bool
        Do not connect before `address` is called: the host is only just starting.

    Notes
    -----
    `start` once, then everything but `address` on one thread. The network thread writes single references and
    bounded queues only, so neither side waits for the other.
    """

    def __init__(self, host: str, port: int, token: str = "", waiting: bool = False) -> None:
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._line: ClientConnection | None = None
        self._values: dict[str, Number] = {}
        self._status: dict[str, Any] = {}
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._packets: deque[tuple[str, str]] = deque(maxlen=MOST_PACKETS)
        self._last_packet: dict[str, str] = {}
        self._replies: deque[dict[str, Any]] = deque(maxlen=1024)
        self._waiting: dict[int, tuple[str, Done | None, float]] = {}
        self._next_call = 0
        self._connected = False
        self._message = ""
        self._lives = self._snapshots = 0
        self._ahead = 0.0
        self._newest = (0.0, 0.0)
        self.missed = 0
        self.address(host, port, token)
        if waiting:
            self.say("starting the host …")

    # -- the timer's side -----------------------------------------------------------------------------------

    def address(self, host: str, port: int, token: str = "") -> None:
        """Talk to this host from now on."""
        name = f"[{host}]" if ":" in host else host
        self._where, self._token, self._idle = f"ws://{name}:{port}/ws", token, False
        self._message = f"connecting to {name}:{port} …"
        line, loop = self._line, self._loop
        if loop is not None and line is not None:
            with contextlib.suppress(RuntimeError):
                asyncio.run_coroutine_threadsafe(line.close(), loop)

    def say(self, text: str) -> None:
        """Stop connecting, and say why; until `address` is called."""
        self._idle, self._message = True, text

    def start(self) -> None:
        """Connect, and again whenever the line is cut."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="host line")
        self._thread.start()

    def close(self) -> None:
        """Hang up and wait for the thread."""
        self._stopping.set()
        loop, wake = self._loop, self._wake
        if loop is not None and wake is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(wake.set)
        if self._thread is not None:
            self._thread.join()

    @property
    def connected(self) -> bool:
        """Whether the line is up."""
        return self._connected

    @property
    def message(self) -> str:
        """Where to, or why not."""
        return self._message

    @property
    def lives(self) -> int:
        """How often the line came up."""
        return self._lives

    @property
    def snapshots(self) -> int:
        """How many snapshots have come."""
        return self._snapshots

    def now(self) -> float:
        """Stream seconds now: by the snapshots that travelled fastest; stands still when none come."""
        stream, came = self._newest
        passed = time.monotonic()
        if passed - came > _STALE:
            return stream
        return passed + self._ahead

    def values(self) -> Mapping[str, Number]:
        """Newest values."""
        return self._values

    def packets(self) -> list[tuple[str, str]]:
        """The scope's texts since the last call."""
        packets = self._packets
        return [packets.popleft() for _ in range(len(packets))]

    def status(self) -> Mapping[str, Any]:
        """Newest status."""
        return self._status

    def events(self) -> list[Event]:
        """Events since the last call."""
        events = self._events
        return [events.popleft() for _ in range(len(events))]

    def call(self, method: str, params: Mapping[str, Any] | None = None, done: Done | None = None) -> None:
        """Send a request; never blocks."""
        self._next_call += 1
        number = self._next_call
        self._waiting[number] = (method, done, time.monotonic() + ANSWER_WITHIN)
        text = json.dumps({"id": number, "method": method, "params": dict(params or {})})
        loop, line = self._loop, self._line
        if loop is None or line is None or not self._connected:
            self._replies.append(_refusal(number, f"{method}: no host is connected"))
            return
        try:
            asyncio.run_coroutine_threadsafe(self._send(line, number, method, text), loop)
        except RuntimeError:
            self._replies.append(_refusal(number, f"{method}: the connection has ended"))

    def poll(self) -> list[str]:
        """Hand out answers; refusals nobody waits for are returned."""
        loud: list[str] = []
        now = time.monotonic()
        for number in [n for n, (_, _, until) in self._waiting.items() if until < now]:
            self._replies.append(_refusal(number, f"{self._waiting[number][0]}: the host did not answer"))
        while self._replies:
            reply = self._replies.popleft()
            waiting = self._waiting.pop(reply.get("id") or 0, None)
            if waiting is None:
                continue
            error = (reply.get("error") or {}).get("message", "")
            if waiting[1] is not None:
                waiting[1](reply.get("result"), error)
            elif error:
                loud.append(error)
        return loud

    # -- the network's side ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        failures = 0
        while not self._stopping.is_set():
            if self._idle:
                failures = 0
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), _RETRY[0])
                continue
            where, token = self._where, self._token
            try:
                async with self._dial(where, token) as line:
                    self._line = line
                    await self._listen(line, where)
                failures = 0
            except InvalidStatus as e:
                wants_token = e.response.status_code == 401
                self._message = (
                    "the host wants another token: start with --token SECRET"
                    if wants_token
                    else f"the host refused (HTTP {e.response.status_code})"
                )
                failures = len(_RETRY)
            except (OSError, TimeoutError, WebSocketException, ValueError) as e:
                reason = "nobody answers there" if isinstance(e, ConnectionRefusedError) else str(e)
                if where == self._where and not self._idle:
                    self._message = f"No host at {where[5:-3]} ({reason or e.__class__.__name__}). Trying again …"
            self._lose()
            failures += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _RETRY[min(failures, len(_RETRY)) - 1])
        self._loop = None

    def _dial(self, where: str, token: str) -> connect:
        options: dict[str, Any] = (
            {"proxy": None} if "proxy" in inspect.signature(connect.__init__).parameters else {}
        )
        return connect(
            where + (f"?token={quote(token, safe='')}" if token else ""),
            compression=None,
            max_size=1 << 22,
            open_timeout=3,
            close_timeout=1,
            ping_interval=5,
            ping_timeout=10,
            **options,
        )

    async def _listen(self, line: ClientConnection, where: str) -> None:
        assert self._wake is not None
        wants = {"events": ["*"], "values": ["*"], "rate": RATE, "status": True, "batch": True}
        await line.send(json.dumps({"id": 0, "method": "subscribe", "params": wants}))
        stop = asyncio.create_task(self._wake.wait())
        reader = asyncio.create_task(self._read(line, where))
        try:
            await asyncio.wait({stop, reader}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            reader.cancel()
            await asyncio.gather(stop, reader, return_exceptions=True)

    async def _read(self, line: ClientConnection, where: str) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in line:
                message = json.loads(text)
                kind = message.get("type")
                if kind == "hello":
                    self._values, self._newest = {}, (0.0, 0.0)
                    self._status = message["status"]
                    self._connected, self._message = True, where[5:-3]
                    self._lives += 1
                else:
                    self._take(kind, message)

    def _take(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "values":
            self._keep_packets(message["values"])
            self._values = message["values"]
            self._snapshots += 1
            if message["time"] is not None:
                self._set_clock(float(message["time"]))
        elif kind == "batch":
            for inner in message["messages"]:
                self._take(inner["type"], inner)
        elif kind == "event":
            self._events.append(_event(message))
        elif kind == "status":
            self._status = message["status"]
        elif kind == "missed":
            self.missed += int(message["events"])
        elif kind == "reply":
            self._replies.append(message)

    def _keep_packets(self, values: dict[str, Any]) -> None:
        for name in PACKETS:
            packet = values.get(name)
            if isinstance(packet, str) and packet != self._last_packet.get(name):
                self._last_packet[name] = packet
                self._packets.append((name, packet))

    def _set_clock(self, stream: float) -> None:
        """The least delayed snapshot says how far the stream is; slowly forgotten, for clocks drift."""
        came = time.monotonic()
        before, last = self._newest
        if stream == before:
            return
        ahead = stream - came
        if abs(ahead - self._ahead) > 0.5 or stream < before:
            self._ahead = ahead
        else:
            self._ahead = max(ahead, self._ahead - 0.01 * (came - last))
        self._newest = (stream, came)

    async def _send(self, line: ClientConnection, number: int, method: str, text: str) -> None:
        try:
            await line.send(text)
        except ConnectionClosed:
            self._replies.append(_refusal(number, f"{method}: the connection was cut"))

    def _lose(self) -> None:
        self._connected, self._line = False, None
        self._values = {}
        for number in list(self._waiting):
            self._replies.append(_refusal(number, "the connection was cut before the answer came"))


def _event(message: dict[str, Any]) -> Event:
    value = message["value"]
    if isinstance(value, list):
        value = tuple(0.0 if v is None else v for v in value)
    return Event(
        message["sequence"],
        message["time"] or 0.0,
        message["emitted"] or 0.0,
        message["plugin"],
        message["output"],
        value,
        message["label"],
    )


def _refusal(number: int, text: str) -> dict[str, Any]:
    return {"id": number, "error": {"message": text}}
