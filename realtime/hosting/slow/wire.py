"""What a worker and its host say to each other: short JSON texts in a pipe, checked on arrival.

JSON and not pickles, because the host must survive whatever a worker sends.

From the worker: ``ready``, ``refused`` (a line for the user; do not try again), ``results`` (a list), ``fault`` (a
line), ``progress`` (share, text), ``done`` (number of the job, its fault or ""). To the worker: ``set``, ``text``,
``turn``, ``event``, ``job``, ``stop``.
"""

from __future__ import annotations

import json
import math
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from realtime.hosting.plugin import Descriptor, Output

MOST_BYTES = 1 << 20
"""Longest message."""

MOST_VALUES = 4096
"""Longest vector of a slow plugin: what takes longer to read than the fast lane may be held up is refused."""

MOST_LABEL = 2000
"""Characters of a label."""

_KINDS = {"ready", "refused", "results", "fault", "progress", "done"}


class Garbage(Exception):
    """A worker has sent what is no message."""


class Answer(NamedTuple):
    """A checked result of a worker."""

    output: Output
    time: float
    value: float | tuple[float, ...] | None
    label: str | None


def send(pipe: Connection, kind: str, *content: Any) -> None:
    """Send one message; raises ``OSError`` when the other side has gone."""
    pipe.send_bytes(json.dumps([kind, *content], separators=(",", ":")).encode())


def receive(pipe: Connection) -> tuple[str, list[Any]]:
    """The next message of the host, in the worker; raises ``EOFError`` or ``OSError`` when it has gone."""
    kind, *content = json.loads(pipe.recv_bytes())
    return kind, content


def receive_checked(pipe: Connection) -> tuple[str, list[Any]]:
    """The next message of a worker, in the host.

    Raises
    ------
    Garbage
        It is none.
    EOFError, OSError
        The worker has gone.
    """
    try:
        data = pipe.recv_bytes(MOST_BYTES)
    except OSError as e:
        if "too" in str(e) or "bad message length" in str(e):
            raise Garbage("a message that is too long") from e
        raise
    try:
        message = json.loads(data)
        kind, content = message[0], message[1:]
        if kind in _KINDS:
            return kind, content
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as e:
        raise Garbage(f"{len(data)} bytes that are no message") from e
    raise Garbage(f"a message of unknown kind {str(kind)[:40]!r}")


def checked(descriptor: Descriptor, item: Any) -> Answer:
    """One of a worker's results; raises ``Garbage`` if it is not what the plugin has declared."""
    try:
        name, time, value, label = item
        output = descriptor.output(name)
        if isinstance(value, list):
            value = tuple(float(v) for v in value)
        elif value is not None:
            value = float(value)
        at = float(time)
    except (TypeError, ValueError) as e:
        raise Garbage("a malformed result") from e
    if output is None:
        raise Garbage(f"a result for an undeclared output {str(name)[:40]!r}")
    numbers = value if isinstance(value, tuple) else () if value is None else (value,)
    if len(numbers) > MOST_VALUES or not math.isfinite(at) or not all(map(math.isfinite, numbers)):
        raise Garbage(f"'{name}' is not finite, or longer than {MOST_VALUES} values")
    if label is not None and (not isinstance(label, str) or len(label) > MOST_LABEL):
        raise Garbage(f"'{name}' has a label that is none, or longer than {MOST_LABEL} characters")
    return Answer(output, at, value, label)
