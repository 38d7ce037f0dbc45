"""What a worker and its host say to each other: short lines of JSON over a socket, checked on arrival.

Lines of JSON and not pickles, because the host must survive whatever a worker sends, and must never wait for the
rest of a message.

From the worker: ``ready``, ``refused`` (a line for the user; do not try again), ``results`` (a list), ``fault`` (a
line), ``progress`` (share, text), ``done`` (number of the job, its fault or ""). To the worker: ``set``, ``text``,
``turn``, ``event``, ``job``, ``stop``.
"""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

from realtime.hosting.plugin import Descriptor, Output

MOST_BYTES = 1 << 20
"""Longest message."""

MOST_VALUES = 4096
"""Longest vector of a slow plugin: what takes longer to read than the fast lane may be held up is refused."""

MOST_LABEL = 2000
"""Characters of a label."""

MOST_AT_ONCE = 64
"""Messages of one worker that the host takes at once; the others wait, and the worker with them."""

_KINDS = {"ready", "refused", "results", "fault", "progress", "done"}


class GarbageError(Exception):
    """A worker has sent what is no message."""


class Message(NamedTuple):
    """One message: what it is, and its content."""

    kind: str
    content: list[Any]


class Answer(NamedTuple):
    """A checked result of a worker."""

    output: Output
    time: float
    value: float | tuple[float, ...] | None
    label: str | None


def line(kind: str, *content: Any) -> bytes:
    """A message as it is sent."""
    return json.dumps([kind, *content], separators=(",", ":")).encode() + b"\n"


class WorkerEnd:
    """The worker's end: waits. ``send`` and ``receive`` may be used by two threads."""

    def __init__(self, link: socket.socket) -> None:
        link.setblocking(True)
        self._link = link

    def send(self, kind: str, *content: Any) -> None:
        """Send one message; raises ``OSError`` when the host has gone."""
        self._link.sendall(line(kind, *content))

    def receive(self) -> Iterator[Message]:
        """The host's messages, until it has gone."""
        with self._link.makefile("rb") as lines:
            for text in lines:
                kind, *content = json.loads(text)
                yield Message(kind, content)


class HostEnd:
    """The host's end: never waits."""

    def __init__(self, link: socket.socket) -> None:
        link.setblocking(False)
        self.link = self._link = link
        self._in = bytearray()
        self._out = b""
        self.ended = False

    def send(self, kind: str, *content: Any) -> bool:
        """Send one message; False when the worker has not taken the ones before it, or has gone."""
        return self._flush() and self._push(line(kind, *content))

    def receive(self) -> list[Message]:
        """Messages that have come; raises ``GarbageError`` if something else has come."""
        self._flush()
        try:
            while len(self._in) < MOST_BYTES:
                data = self._link.recv(1 << 16)
                if not data:
                    self.ended = True
                    break
                self._in += data
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.ended = True
        found: list[Message] = []
        while len(found) < MOST_AT_ONCE and (end := self._in.find(b"\n")) >= 0:
            text = bytes(self._in[:end])
            del self._in[: end + 1]
            found.append(_message(text))
        if len(self._in) >= MOST_BYTES and b"\n" not in self._in:
            raise GarbageError("a message that does not end")
        return found

    def close(self) -> None:
        """Let go of it."""
        self._link.close()

    def _flush(self) -> bool:
        rest, self._out = self._out, b""
        return not rest or self._push(rest)

    def _push(self, data: bytes) -> bool:
        try:
            sent = self._link.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.ended = True
            return False
        if sent == 0:
            return False
        self._out = data[sent:]
        return True


def _message(text: bytes) -> Message:
    try:
        kind, *content = json.loads(text)
        if kind in _KINDS:
            return Message(kind, content)
    except (ValueError, TypeError, RecursionError) as e:
        raise GarbageError(f"{len(text)} bytes that are no message") from e
    raise GarbageError("a message of an unknown kind")


def checked(descriptor: Descriptor, item: Any) -> Answer:
    """One of a worker's results; raises ``GarbageError`` if it is not what the plugin has declared."""
    try:
        name, time, value, label = item
        output = descriptor.output(name)
        if isinstance(value, (list, tuple)):
            value = tuple(float(v) for v in value)
        elif value is not None:
            value = float(value)
        at = float(time)
    except (TypeError, ValueError) as e:
        raise GarbageError("a malformed result") from e
    if output is None:
        raise GarbageError(f"a result for an undeclared output {str(name)[:40]!r}")
    numbers = value if isinstance(value, tuple) else () if value is None else (value,)
    if len(numbers) > MOST_VALUES or not math.isfinite(at) or not all(map(math.isfinite, numbers)):
        raise GarbageError(f"a result of '{name}' that is not finite, or longer than {MOST_VALUES} values")
    if label is not None and (not isinstance(label, str) or len(label) > MOST_LABEL):
        raise GarbageError(f"a label of '{name}' that is none, or longer than {MOST_LABEL} characters")
    return Answer(output, at, value, label)
