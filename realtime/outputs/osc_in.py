"""OSC in: a hand on the wheel from a fader box, a phone or a patch.

One thread receives and checks, a second runs the commands, so that a slow command never delays a tap behind it by
filling the socket. Loopback by default; for other networks the senders must be listed. Malformed, oversized,
unknown and too frequent messages are dropped and counted. Replies go to the sender.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator
from pythonosc.osc_packet import OscPacket

from realtime.bus import Value
from realtime.errors import UserError
from realtime.outputs.osc_wire import message
from realtime.outputs.output import Host, OutputPort, OutputSettings

Argument = float | int | str
Sender = tuple[Any, ...]


class OscInSettings(OutputSettings):
    """Settings of the OSC control input."""

    kind: Literal["osc-in"] = "osc-in"
    host: str = Field("127.0.0.1", min_length=1, max_length=253, description="address to listen on")
    port: int = Field(9001, ge=0, le=65535, description="0 = any free port")
    prefix: str = Field("/sidechain", pattern=r"^(/[^\s#*,?\[\]{}]+)?$")
    allow: list[str] = Field(default_factory=list, description="senders beyond loopback, e.g. 192.168.1.0/24")

    @field_validator("allow")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for text in value:
            ipaddress.ip_network(text, strict=False)
        return value

    @model_validator(mode="after")
    def _listed(self) -> OscInSettings:
        if not self.allow and not is_loopback(self.host):
            raise ValueError(
                "host beyond loopback needs 'allow' with the senders' networks, e.g. ['192.168.1.0/24']"
            )
        return self


class Command(NamedTuple):
    """A command of the host, from one message."""

    method: str
    params: dict[str, Any]


def is_loopback(host: str) -> bool:
    """Whether an address to listen on stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _press(name: str) -> Callable[[Argument | None], Command | None]:
    """A button: controllers send 1 on press and 0 on release; without a number it is a press."""
    return lambda x: None if isinstance(x, (int, float)) and x == 0 else Command(name, {})


def _switch(name: str) -> Callable[[Argument | None], Command | None]:
    return lambda x: Command(name, {"on": True if x is None else bool(_number(x))})


_COMMANDS: Mapping[str, Callable[[Argument | None], Command | None]] = {
    "/tap": _press("transport.tap"),
    "/double": _press("transport.double"),
    "/halve": _press("transport.halve"),
    "/one": _press("transport.one"),
    "/resync": _press("transport.resync"),
    "/panic": _press("outputs.panic"),
    "/lock": _switch("transport.lock"),
    "/hold": _switch("transport.hold"),
    "/nudge": lambda x: Command("transport.nudge", {"ms": _number(x)}),
    "/metre": lambda x: Command("transport.metre", {"beats": round(_number(x))}),
    "/preset": lambda x: Command("preset.load", {"name": _text(x)}),
}

STATE = (
    ("bpm", "f"),
    ("confidence", "f"),
    ("locked", "i"),
    ("state", "s"),
    ("beat", "i"),
    ("beat_in_bar", "i"),
    ("beats_per_bar", "i"),
    ("bar", "i"),
    ("phrase", "i"),
    ("beat_phase", "f"),
    ("bar_phase", "f"),
)
"""What ``/state`` answers, each as ``PREFIX/state/NAME``."""


def command(address: str, arguments: tuple[Argument, ...]) -> Command | None:
    """The command of a message without prefix; None = nothing to do (a button is released).

    Raises
    ------
    ValueError
        Unknown address, or an argument is missing or of the wrong kind.
    """
    first = arguments[0] if arguments else None
    if address in _COMMANDS:
        return _COMMANDS[address](first)
    parts = address.split("/")
    if len(parts) == 4 and parts[1] == "param":
        value = first if isinstance(first, str) else _number(first)
        return Command("plugin.set", {"plugin": parts[2], "parameter": parts[3], "value": value})
    if len(parts) == 3 and parts[1] == "rule" and parts[2]:
        return None if first == 0 else Command("rule.fire", {"name": parts[2]})
    if len(parts) == 3 and parts[1] == "job" and parts[2]:
        request = {"text": first} if isinstance(first, str) else {}
        return None if first == 0 else Command("job.start", {"plugin": parts[2], "request": request})
    if len(parts) == 4 and parts[1] == "job" and parts[3] == "cancel":
        return None if first == 0 else Command("job.cancel", {"plugin": parts[2]})
    if len(parts) == 3 and parts[1] == "input" and parts[2]:
        return Command("input.event", {"name": parts[2], "value": 1.0 if first is None else _number(first)})
    raise ValueError(f"unknown address {address}")


def parse(data: bytes) -> list[tuple[str, tuple[Argument, ...]]]:
    """Messages of a datagram, bundles opened; timetags are ignored (commands act at once).

    Raises
    ------
    ValueError
        Malformed, or an argument that is not a finite number, a string or a boolean.
    """
    try:
        packet = OscPacket(data)
    except Exception as e:  # whatever a hostile datagram provokes in the parser
        raise ValueError("malformed") from e
    found: list[tuple[str, tuple[Argument, ...]]] = []
    for timed in packet.messages:
        arguments = tuple(timed.message.params)
        if not all(isinstance(a, str) or (isinstance(a, (int, float)) and math.isfinite(a)) for a in arguments):
            raise ValueError("argument of a wrong kind")
        found.append((timed.message.address, arguments))
    return found


class OscInput(OutputPort):
    """The OSC control input; an output only in that it belongs to the preset's list and shows its activity.

    ``status.sent`` counts commands that were run, ``dropped`` messages that were not.
    """

    Settings: ClassVar[type[OutputSettings]] = OscInSettings
    LONGEST = 4096
    """Bytes of a datagram; longer ones are dropped."""
    RATE = 400.0
    """Messages a second that are accepted over time; twice as many at once."""
    WAITING = 256
    """Commands that may wait; further ones are dropped."""

    def __init__(self, settings: OutputSettings, host: Host) -> None:
        super().__init__(settings, host)
        assert isinstance(settings, OscInSettings)
        self._settings = settings
        self._socket: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._commands: queue.Queue[tuple[Command, Sender]] = queue.Queue(self.WAITING)
        self._allowed = [ipaddress.ip_network(a, strict=False) for a in settings.allow]
        self._tokens, self._refilled = 2 * self.RATE, time.monotonic()

    @property
    def port(self) -> int:
        """The port that is listened on; 0 while closed."""
        return int(self._socket.getsockname()[1]) if self._socket is not None else 0

    def open(self) -> None:
        """Bind and start both threads."""
        host, port = self._settings.host, self._settings.port
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            handle = socket.socket(family, socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as e:
            raise UserError(f"OSC in {host}:{port}: the address does not resolve ({e})") from e
        try:
            handle.bind(address)
        except OSError as e:
            handle.close()
            raise UserError(
                f"OSC in {host}:{port}: cannot listen ({e.strerror}); "
                "another program may have the port, choose another"
            ) from e
        handle.settimeout(0.2)
        self._socket = handle
        self._stopping.clear()
        self._threads = [
            threading.Thread(target=self._receive, args=(handle,), name="osc-in", daemon=True),
            threading.Thread(target=self._work, name="osc-in commands", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop both threads and release the port."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=3.0)
        self._threads = []
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self, handle: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                data, sender = handle.recvfrom(self.LONGEST + 1)
            except TimeoutError:
                continue
            except OSError:  # an ICMP error of an earlier reply, or the network went down
                self.status.errors += 1
                self._stopping.wait(0.05)
                continue
            if len(data) > self.LONGEST or not self._may(sender) or not self._within_rate():
                self.status.dropped += 1
                continue
            try:
                for address, arguments in parse(data):
                    self._take(address, arguments, sender)
            except ValueError as e:
                self.status.dropped += 1
                self.status.message = str(e)[:120]

    def _take(self, address: str, arguments: tuple[Argument, ...], sender: Sender) -> None:
        prefix = self._settings.prefix
        if not address.startswith(prefix + "/"):
            raise ValueError(f"unknown address {address}")
        address = address[len(prefix) :]
        if address == "/ping":
            self._reply(sender, "/pong", *arguments[:1])
        elif address == "/state":
            self._state(sender)
        elif (found := command(address, arguments)) is not None:
            try:
                self._commands.put_nowait((found, sender))
            except queue.Full:
                self.status.dropped += 1

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                found, sender = self._commands.get(timeout=0.2)
            except queue.Empty:
                continue
            try:
                self.host.call(found.method, found.params)
                self.sent(f"{found.method} {' '.join(str(v) for v in found.params.values())}".strip())
            except UserError as e:
                self.status.errors += 1
                self.status.message = str(e)
                self._reply(sender, "/error", str(e))
            except Exception as e:  # a fault of ours must not end the control input
                self.status.errors += 1
                self.status.message = f"{found.method}: {e.__class__.__name__}: {e}"

    def _state(self, sender: Sender) -> None:
        for name, tag in STATE:
            value = self.host.value(f"transport.{name}")
            if value is None:
                continue
            answer: Argument | None = value.label if tag == "s" else _scalar(value)
            if answer is not None:
                self._reply(sender, f"/state/{name}", round(float(answer)) if tag == "i" else answer)

    def _reply(self, sender: Sender, address: str, *arguments: Argument) -> None:
        handle = self._socket
        if handle is not None:
            with contextlib.suppress(OSError, ValueError):
                handle.sendto(message(self._settings.prefix + address, *arguments), sender)

    def _may(self, sender: Sender) -> bool:
        address = ipaddress.ip_address(str(sender[0]).split("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        return address.is_loopback or any(address in network for network in self._allowed)

    def _within_rate(self) -> bool:
        now = time.monotonic()
        self._tokens = min(2 * self.RATE, self._tokens + (now - self._refilled) * self.RATE)
        self._refilled = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def _scalar(value: Value) -> float | None:
    return float(value.value) if isinstance(value.value, (int, float)) else None


def _number(x: Argument | None) -> float:
    if isinstance(x, (int, float)):
        return float(x)
    raise ValueError("a number is missing")


def _text(x: Argument | None) -> str:
    if isinstance(x, str) and x:
        return x
    raise ValueError("a name is missing")
