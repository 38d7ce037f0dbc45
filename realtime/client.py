"""What the front process may ask of a running host, wherever that host runs.

An engine in the caller's own process and a supervised engine in a child process offer the same interface, so
that the WebSocket server, the recorder and the console view are written once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from realtime.bus import Event, Value


@runtime_checkable
class Subscription(Protocol):
    """One consumer's own place in the stream of events. Used by one thread at a time."""

    @property
    def missed(self) -> int:
        """Events lost because this consumer was slower than the log is long."""
        ...

    def poll(self) -> list[Event]:
        """Events that are new since the last call, in order; empty if there are none. Never blocks for long."""
        ...

    def wait(self, timeout: float) -> bool:
        """Wait until there is something to poll; False when `timeout` seconds have passed."""
        ...


@runtime_checkable
class EngineClient(Protocol):
    """A running host, seen from outside. All methods are thread-safe."""

    def events(self) -> list[Event]:
        """New events since the last call, for the one consumer that does not subscribe."""
        ...

    def subscribe(self) -> Subscription:
        """A new consumer's own stream, starting now."""
        ...

    def values(self) -> dict[str, Value]:
        """The newest values, by ``plugin.output``."""
        ...

    def status(self) -> dict[str, Any]:
        """Plain, JSON-able description: input, plugins, outputs, transport, host, preset, versions."""
        ...

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Run a command (``transport.tap`` …) and return its answer, within 2 s.

        Raises
        ------
        UserError
            Unknown method, wrong parameters, or refused: one line that says so.
        """
        ...
