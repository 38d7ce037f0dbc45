"""One WebSocket client: what it wants, what waits for it, what it asks."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from realtime.web import protocol
from realtime.web.protocol import MalformedError, Matcher, Request, Subscription

STATUS_EVERY = 1.0
MOST_IN_BATCH = 256
NEAR = 1 << 15
"""Bytes that may be on their way to a client that counts as keeping up."""


@dataclass(frozen=True)
class Limits:
    """Bounds of a server; see docs/websocket.md for what happens at each."""

    clients: int = 128
    waiting: int = 4096
    """Events that may wait for a client; one more and it is dropped."""
    message_bytes: int = 65_536
    """Longest message of a client; a longer one ends the connection (code 1009)."""
    calls_per_second: float = 100.0
    """Requests a second over time, twice as many at once; further ones are dropped without an answer."""
    faults: int = 200
    """Malformed and dropped requests after which a client is let go (code 1008)."""


@dataclass
class Counts:
    """What a server has seen, over all clients."""

    connected: int = 0
    events: int = 0
    snapshots: int = 0
    calls: int = 0
    malformed: int = 0
    flooded: int = 0
    refused: int = 0
    stuck: int = 0


class Session:
    """A connected client. Everything runs on the server's event loop.

    Parameters
    ----------
    connection : ServerConnection
    snapshot : callable
        Newest values for a client's patterns, as text.
    status : callable
        The host's status message, as text.
    call : callable
        Runs a request and returns the reply's text.
    """

    def __init__(
        self,
        connection: ServerConnection,
        limits: Limits,
        counts: Counts,
        snapshot: Callable[[tuple[str, ...]], str],
        status: Callable[[], str],
        call: Callable[[Request], Awaitable[str]],
    ) -> None:
        self._connection = connection
        self._limits, self._counts = limits, counts
        self._snapshot, self._status, self._call = snapshot, status, call
        self._events: deque[str] = deque()
        self._wake = asyncio.Event()
        self._tokens, self._refilled = 2.0 * limits.calls_per_second, time.monotonic()
        self._faults = 0
        self._greeted = self._sending = self._dropped = False
        self._wants = Subscription()
        self._matches = Matcher(self._wants.events)

    @property
    def connection(self) -> ServerConnection:
        """The connection, for messages that go straight to it."""
        return self._connection

    def keeps_up(self) -> bool:
        """Whether an event may go straight to the connection: greeted, nothing waits, one message an event."""
        return (
            self._greeted
            and not self._dropped
            and not self._events
            and not self._sending
            and not self._wants.batch
            and self._connection.transport.get_write_buffer_size() < NEAR
        )

    def wants_event(self, name: str) -> bool:
        """Whether the client asked for events of this name; no name = for everybody."""
        return not name or self._matches(name)

    def offer(self, events: Iterable[tuple[str, str]]) -> None:
        """Events as (name, text), in order; no name = for everybody. A client that cannot keep up is dropped."""
        if self._dropped:
            return
        self._events.extend(text for name, text in events if self.wants_event(name))
        if len(self._events) > self._limits.waiting:
            self._dropped = True
            self._events.clear()
            self._counts.stuck += 1
            self._connection.transport.abort()
        elif self._events:
            self._wake.set()

    async def run(self, hello: str) -> None:
        """Serve until the client goes."""
        writer = None
        try:
            await self._connection.send(hello)
            self._greeted = True
            writer = asyncio.create_task(self._write())
            await self._read()
        except ConnectionClosed:
            pass
        finally:
            if writer is not None:
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)

    async def _write(self) -> None:
        """Events first, then the newest values and the status when they are due: no snapshot ever waits."""
        send = self._connection.send
        now = time.monotonic()
        next_values, next_status = now, now + STATUS_EVERY
        try:
            while True:
                while self._events:
                    self._sending = True  # until it is out, no later event may go past it
                    await send(self._next())
                    self._sending = False
                now, wants = time.monotonic(), self._wants
                if wants.rate and now >= next_values:
                    next_values = max(next_values + 1.0 / wants.rate, now)
                    await send(self._snapshot(tuple(wants.values)))
                    self._counts.snapshots += 1
                if wants.status and now >= next_status:
                    next_status = now + STATUS_EVERY
                    await send(self._status())
                if self._events:
                    continue
                until = min(next_values if wants.rate else next_status, next_status) - time.monotonic()
                self._wake.clear()
                await self._sleep(max(0.0, until) if wants.rate or wants.status else STATUS_EVERY)
        except ConnectionClosed:
            pass

    def _next(self) -> str:
        """The next event, or all that wait (so many at most) for a client that takes them so."""
        if not self._wants.batch:
            self._counts.events += 1
            return self._events.popleft()
        count = min(len(self._events), MOST_IN_BATCH)
        self._counts.events += count
        return protocol.batch_text([self._events.popleft() for _ in range(count)])

    async def _sleep(self, seconds: float) -> None:
        handle = asyncio.get_running_loop().call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            handle.cancel()

    async def _read(self) -> None:
        async for text in self._connection:
            if not self._within_rate():
                self._counts.flooded += 1
                if self._fault():
                    return await self._connection.close(1008, "too many requests")
                continue
            try:
                request = protocol.parse_request(text)
                reply = self._subscribe(request) if request.method == "subscribe" else await self._call(request)
            except MalformedError as e:
                self._counts.malformed += 1
                if self._fault():
                    return await self._connection.close(1008, "too many malformed messages")
                reply = protocol.error_text(e.id, "malformed", str(e))
            await self._connection.send(reply)

    def _subscribe(self, request: Request) -> str:
        try:
            self._wants = protocol.parse_subscription(request.params)
        except MalformedError as e:
            e.id = request.id
            raise
        self._matches = Matcher(self._wants.events)
        self._wake.set()
        return protocol.reply_text(request.id, self._wants.model_dump())

    def _fault(self) -> bool:
        self._faults += 1
        return self._faults > self._limits.faults

    def _within_rate(self) -> bool:
        now, rate = time.monotonic(), self._limits.calls_per_second
        self._tokens = min(2.0 * rate, self._tokens + (now - self._refilled) * rate)
        self._refilled = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
