"""The WebSocket server and the web page, in a thread of the front process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response

from realtime.client import EngineClient
from realtime.errors import UserError
from realtime.web import protocol
from realtime.web.access import Access
from realtime.web.files import Files, answer
from realtime.web.protocol import Request
from realtime.web.session import Counts, Limits, Session

FRESH = 0.008
"""Seconds for which one snapshot serves all clients with the same wishes."""

SEND_BUFFER = 1 << 17
"""Bytes the system keeps for a client that does not read; bounds memory, and how late a snapshot can be."""

MOST_DIRECT = 32
"""Events that may go to clients in one go, past their queues."""

GUESS_DELAY = 0.3
"""Seconds that a wrong token costs."""

Method = Callable[..., Any]


class WebSocketServer:
    """Serves the page over HTTP and the protocol over WebSocket, on one port.

    Parameters
    ----------
    client : EngineClient
    host, port : str, int
        Where to listen; port 0 = any free one.
    token : str
        Secret that clients must give; needed beyond loopback.
    origins : collection of str
        Further web origins whose pages may connect.
    methods : mapping of str to callable
        Commands of the front process (``record.start`` …), called with the request's parameters by keyword.
    limits : Limits

    Raises
    ------
    UserError
        Beyond loopback without a token.

    Notes
    -----
    `start` and `stop` belong to the caller's thread; `url` and `status` may be used from any.
    """

    def __init__(
        self,
        client: EngineClient,
        host: str = "127.0.0.1",
        port: int = 8765,
        *,
        token: str = "",
        origins: Collection[str] = (),
        methods: Mapping[str, Method] | None = None,
        limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        self._client, self._host, self._port = client, host, port
        self._access = Access(host, token, origins)
        self._methods = dict(methods or {})
        self._limits = limits
        self.counts = Counts()
        self._files = Files()
        self._sessions: set[Session] = set()
        self._snapshots: dict[tuple[str, ...], tuple[float, str]] = {}
        self._status: tuple[float, str] = (0.0, "")
        self._sockets: list[socket.socket] = []
        self._pool: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Event | None = None
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._sockets[0].getsockname()[1]) if self._sockets else self._port

    @property
    def url(self) -> str:
        """Address of the page (the WebSocket is at the same, with ``ws:``)."""
        host = self._host if self._host not in ("", "0.0.0.0", "::") else socket.gethostname()
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def status(self) -> dict[str, Any]:
        """Counters, as plain data."""
        return {"url": self.url, "clients": len(self._sessions), **asdict(self.counts)}

    def start(self) -> None:
        """Listen. Raises ``UserError`` if the port is taken or the address is none of ours."""
        self._sockets = _listen(self._host, self._port)
        self._stopping.clear()
        ready = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(ready,), name="websocket")]
        self._threads[0].start()
        ready.wait()
        self._threads.append(threading.Thread(target=self._pump, name="websocket events"))
        self._threads[1].start()

    def stop(self) -> None:
        """Say goodbye to all clients and release the port; may be called twice."""
        self._stopping.set()
        loop, closing = self._loop, self._closing
        if loop is not None and closing is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(closing.set)
        for thread in self._threads:
            thread.join()
        self._threads = []

    # -- threads ------------------------------------------------------------------------------------------

    def _run(self, ready: threading.Event) -> None:
        asyncio.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        servers: list[Server] = []
        with ThreadPoolExecutor(4, thread_name_prefix="websocket call") as self._pool:
            try:
                for handle in self._sockets:
                    server = await serve(
                        self._client_came,
                        sock=handle,
                        process_request=self._asked,
                        compression=None,  # small messages on a near network: latency counts
                        max_size=self._limits.message_bytes,
                        max_queue=16,
                        open_timeout=5,
                        close_timeout=1,
                        ping_interval=20,
                        ping_timeout=20,
                        server_header=None,
                    )
                    servers.append(server)
                ready.set()
                await self._closing.wait()
            finally:
                ready.set()
                for server in servers:
                    server.close(code=1001, reason="the host has ended")
                for server in servers:
                    await server.wait_closed()
        self._loop = None

    def _pump(self) -> None:
        """Hand new events to the loop. Waiting for them needs a thread of its own."""
        events = self._client.subscribe()
        missed = 0
        while not self._stopping.is_set():
            if not events.wait(0.2):
                continue
            batch = [(e.name, protocol.event_text(e)) for e in events.poll()]
            if events.missed > missed:
                batch.insert(0, ("", protocol.dumps({"type": "missed", "events": events.missed - missed})))
                missed = events.missed
            loop = self._loop
            if loop is None:
                return
            with contextlib.suppress(RuntimeError):  # the loop has just closed
                loop.call_soon_threadsafe(self._spread, batch)

    def _spread(self, batch: list[tuple[str, str]]) -> None:
        """Events to all clients: at once to those that keep up, through its queue to each of the others."""
        direct = [s for s in self._sessions if s.keeps_up()] if len(batch) <= MOST_DIRECT else []
        for name, text in batch if direct else ():
            wanting = [s.connection for s in direct if s.wants_event(name)]
            broadcast(wanting, text)
            self.counts.events += len(wanting)
        for session in self._sessions.difference(direct):
            session.offer(batch)

    # -- connections --------------------------------------------------------------------------------------

    async def _asked(self, connection: ServerConnection, request: HttpRequest) -> Response | None:
        """Every HTTP request; None lets a WebSocket handshake go on."""
        headers, path = request.headers, urlsplit(request.path).path
        host = headers.get("Host")
        if not self._access.from_here(host):
            return self._refuse(HTTPStatus.FORBIDDEN, "This name is not ours; use localhost or 127.0.0.1.")
        upgrade = headers.get("Upgrade", "").lower() == "websocket"
        if not upgrade and path != "/access":
            return self._files.get(path)
        if not self._access.welcome(headers.get("Origin"), host):
            return self._refuse(HTTPStatus.FORBIDDEN, "Pages of other sites may not connect.")
        if not self._access.authorised(request.path, headers.get("Authorization")):
            await asyncio.sleep(GUESS_DELAY)
            return self._refuse(HTTPStatus.UNAUTHORIZED, "A token is needed: ?token=… or Authorization: Bearer …")
        if path == "/access":
            return answer(HTTPStatus.OK, b"welcome\n")
        if len(self._sessions) >= self._limits.clients:
            return self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "Too many clients are connected.")
        return None

    def _refuse(self, status: HTTPStatus, why: str) -> Response:
        self.counts.refused += 1
        return answer(status, f"{why}\n".encode())

    async def _client_came(self, connection: ServerConnection) -> None:
        session = Session(connection, self._limits, self.counts, self._values_text, self._status_text, self._call)
        self._sessions.add(session)
        self.counts.connected += 1
        try:
            await session.run(self._hello())
        finally:
            self._sessions.discard(session)

    # -- texts --------------------------------------------------------------------------------------------

    def _hello(self) -> str:
        status = self._client.status()
        return protocol.dumps(
            {
                "type": "hello",
                "protocol": protocol.VERSION,
                "server": "sidechain",
                "version": str(status.get("version", "")),
                "limits": asdict(self._limits),
                "methods": sorted(self._methods),
                "status": self._whole_status(status),
            }
        )

    def _values_text(self, patterns: tuple[str, ...]) -> str:
        now = time.monotonic()
        made = self._snapshots.get(patterns)
        if made is None or now - made[0] > FRESH:
            if len(self._snapshots) > 4 * self._limits.clients:
                self._snapshots.clear()
            made = self._snapshots[patterns] = (now, protocol.values_text(self._client.values(), patterns))
        return made[1]

    def _status_text(self) -> str:
        now = time.monotonic()
        if now - self._status[0] > 0.5:
            status = self._whole_status(self._client.status())
            self._status = (now, protocol.dumps({"type": "status", "status": status}))
        return self._status[1]

    def _whole_status(self, status: dict[str, Any]) -> dict[str, Any]:
        return status | {"websocket": self.status()}

    async def _call(self, request: Request) -> str:
        """Run a request in the pool: it may take a while, and only its own client waits."""
        self.counts.calls += 1
        assert self._loop is not None
        try:
            if (method := self._methods.get(request.method)) is not None:
                result = await self._loop.run_in_executor(self._pool, lambda: method(**request.params))
            else:
                call = self._client.call
                result = await self._loop.run_in_executor(self._pool, call, request.method, request.params)
        except UserError as e:
            return protocol.error_text(request.id, "refused", str(e))
        except TypeError as e:
            return protocol.error_text(request.id, "refused", f"{request.method}: {e}")
        except Exception as e:
            return protocol.error_text(request.id, "internal", f"{request.method}: {e.__class__.__name__}: {e}")
        return protocol.reply_text(request.id, result)


def _listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets for all addresses of a host."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as e:
        raise UserError(f"WebSocket on {host}:{port}: the address does not resolve ({e})") from e
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            handle = socket.socket(family, socket.SOCK_STREAM)
            sockets.append(handle)
            if hasattr(socket, "SO_REUSEADDR") and not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            if port == 0 and len(sockets) > 1:
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            handle.bind(address)
            handle.listen(64)
            handle.setblocking(False)
    except OSError as e:
        for handle in sockets:
            handle.close()
        raise UserError(
            f"WebSocket on {host}:{port}: cannot listen ({e.strerror}); "
            f"choose another port with --websocket {host}:{port + 1 if port else 8766}, or 'off'"
        ) from e
    return sockets
