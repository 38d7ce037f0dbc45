"""OS2L: beats to lighting programs (QLC+, Daslight, SoundSwitch …), their buttons and commands back.

We are the client, as a DJ program is: the lighting program listens. Messages are flat JSON objects over TCP, one a
packet. Reference: "Open Sound to Light" by VirtualDJ (os2l.org): ``beat``, ``btn``, ``cmd``, ``feedback``.
"""

from __future__ import annotations

import contextlib
import json
import queue
import re
import select
import socket
import threading
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from realtime.bus import Event
from realtime.errors import UserError
from realtime.outputs.binding import Binding
from realtime.outputs.os2l_wire import FlatObjects, find_server
from realtime.outputs.output import GridPoint, Host, Message, OutputPort, OutputSettings

RETRY = (0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to connect."""
WAITING = 128
STALE = 8192
"""Bytes that may wait for a lighting program that does not read: beats of long ago are of no use."""
_CONNECT_WITHIN = 2.0


class Os2lSettings(OutputSettings):
    """Settings of OS2L."""

    kind: Literal["os2l"] = "os2l"
    host: str = Field("", max_length=253, description="of the lighting program; empty = look for it (DNS-SD)")
    port: int = Field(1504, ge=1, le=65535, description="its port (QLC+: 9996)")
    bind: dict[str, str] = Field(
        default_factory=dict, description='what its buttons do: "Tap" = "transport.tap", "cmd:1" = "…"'
    )

    @field_validator("bind")
    @classmethod
    def _readable(cls, bind: dict[str, str]) -> dict[str, str]:
        for action in bind.values():
            try:
                Binding.parse(action)
            except UserError as e:
                raise ValueError(str(e)) from e
        return bind


class Os2lOutput(OutputPort):
    """A connection to one lighting program; made again by itself whenever it breaks.

    Route addresses: ``btn:NAME`` (on above 0), ``cmd:ID`` (0–1 becomes 0–100 %). What the lighting program sends
    and no binding takes becomes the event ``input.os2l-NAME``, for routes.
    """

    Settings: ClassVar[type[OutputSettings]] = Os2lSettings
    grids = (Fraction(1),)

    def __init__(self, settings: OutputSettings, host: Host) -> None:
        super().__init__(settings, host)
        assert isinstance(settings, Os2lSettings)
        self._settings = settings
        self._bindings = {name: Binding.parse(text) for name, text in settings.bind.items()}
        self._socket: socket.socket | None = None
        self._ending = threading.Event()
        self._orders: queue.Queue[tuple[str, dict[str, Any]] | None] = queue.Queue(WAITING)
        self._threads: list[threading.Thread] = []
        self._changed = True

    def open(self) -> None:
        """Begin to connect. Raises ``UserError`` if there is no address and no way to look for one."""
        if not self._settings.host:
            find_server(0.0)  # says at once if that is impossible
        self._ending.clear()
        self._threads = [
            threading.Thread(target=self._keep_connected, name="os2l"),
            threading.Thread(target=self._carry_out, name="os2l orders"),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def connected(self) -> bool:
        """Whether a lighting program is connected."""
        return self._socket is not None

    def on_grid(self, point: GridPoint) -> None:
        """Send a beat; its position counts so that multiples of the metre are downbeats."""
        position = (point.bar - 1) * point.beats_per_bar + point.beat_in_bar - 1
        strength = 1.0 if point.beat_in_bar == 1 else 0.8
        change, self._changed = self._changed, False
        self._write(
            {
                "evt": "beat",
                "change": change,
                "pos": position,
                "bpm": round(point.tempo, 2),
                "strength": strength,
            }
        )

    def on_events(self, events: Sequence[Event]) -> None:
        """After a jump the next beat says that the position has changed."""
        if any(e.plugin == "transport" and e.output in ("locked", "relocated") for e in events):
            self._changed = True

    def send(self, message: Message) -> None:
        """A route's message: a button or a command."""
        kind, _, name = message.address.partition(":")
        value = next((float(v) for v in message.values if not isinstance(v, str)), None)
        if kind == "btn" and name and value is not None:
            self._write({"evt": "btn", "name": name, "page": "", "state": "on" if value > 0.0 else "off"})
        elif kind == "cmd" and name.isdecimal() and value is not None:
            self._write({"evt": "cmd", "id": int(name), "param": round(100.0 * min(1.0, max(0.0, value)), 3)})
        else:
            self.status.dropped += 1

    def on_stop(self) -> None:
        """Nothing to stop: beats simply cease."""
        self._changed = True

    def close(self) -> None:
        """Disconnect and end the threads."""
        self._ending.set()
        self._drop(self._socket)
        with contextlib.suppress(queue.Full):
            self._orders.put_nowait(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(5.0)
        self._threads = []

    def _write(self, record: Mapping[str, Any]) -> None:
        """Send one object as one packet; without a connection, or if it is stuck, it is dropped and counted."""
        line = self._socket
        if line is None:
            self.status.dropped += 1
            return
        data = json.dumps(record, separators=(",", ":")).encode()
        try:
            if line.send(data) != len(data):
                self._drop(line)  # half an object would spoil all that follow
                self.status.dropped += 1
                return
        except BlockingIOError:
            self.status.dropped += 1
            return
        except OSError as e:
            self._drop(line)
            self.status.errors += 1
            self.status.message = f"connection lost ({e.strerror})"
            return
        self.sent(f"{record['evt']} {record.get('pos', record.get('name', record.get('id', '')))}")

    # -- threads of its own -------------------------------------------------------------------------------

    def _keep_connected(self) -> None:
        attempt = 0
        while not self._ending.is_set():
            line = self._connect()
            if line is None:
                self._ending.wait(RETRY[min(attempt, len(RETRY) - 1)])
                attempt += 1
                continue
            attempt = 0
            self._changed = True
            self._socket = line
            self._listen(line)
            self._drop(line)

    def _connect(self) -> socket.socket | None:
        host, port = self._settings.host, self._settings.port
        try:
            if not host:
                found = find_server(2.0, self._ending)
                if found is None:
                    self.status.message = "looking for a lighting program (_os2l._tcp)"
                    return None
                host, port = found
            line = socket.create_connection((host, port), _CONNECT_WITHIN)
        except (OSError, UserError) as e:
            self.status.message = f"{host or 'DNS-SD'}:{port} does not answer ({e})"
            return None
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STALE)
        line.setblocking(False)  # with a timeout even a send that must not wait would wait for room
        self.status.message = f"connected to {host}:{port}"
        return line

    def _listen(self, line: socket.socket) -> None:
        objects = FlatObjects()
        while not self._ending.is_set() and self._socket is line:
            try:
                if not select.select([line], [], [], 0.25)[0]:
                    continue
                data = line.recv(4096)
            except BlockingIOError:
                continue
            except (OSError, ValueError):  # closed by the outputs' thread meanwhile
                break
            if not data:
                break
            for record in objects.feed(data):
                self._take(record)
            self.status.dropped += objects.dropped
            objects.dropped = 0
        self.status.message = "disconnected"

    def _take(self, record: Mapping[str, Any]) -> None:
        """File what the lighting program says; a flood is dropped and counted."""
        kind = record.get("evt")
        name, value = "", 0.0
        if kind in ("btn", "feedback"):
            name, value = str(record.get("name", "")), 0.0 if record.get("state") == "off" else 1.0
        elif kind == "cmd" and isinstance(record.get("id"), int):
            param = record.get("param", 100.0)
            name = f"cmd:{record['id']}"
            value = min(1.0, max(0.0, param / 100.0)) if isinstance(param, (int, float)) else 1.0
        if not name:
            self.status.dropped += 1
            return
        binding = self._bindings.get(name)
        if binding is not None:
            if not binding.takes and value <= 0.0:
                return
            order = binding.call(value)
        else:
            slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:48]
            order = ("input.event", {"name": f"os2l-{slug}", "value": value})
        try:
            self._orders.put_nowait(order)
        except queue.Full:
            self.status.dropped += 1

    def _carry_out(self) -> None:
        while not self._ending.is_set():
            try:
                order = self._orders.get(timeout=0.25)
            except queue.Empty:
                continue
            if order is None:
                return
            try:
                self.host.call(*order)
            except Exception as e:  # a command that fails must not end the listening
                self.status.errors += 1
                self.status.message = str(e)

    def _drop(self, line: socket.socket | None) -> None:
        if line is None:
            return
        if self._socket is line:
            self._socket = None
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            line.close()
