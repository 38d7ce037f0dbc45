"""Where the window's data comes from: a host, or a recording of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from realtime.bus import Event

Number = float | list[float | None] | str | None
Done = Callable[[Any, str], None]
"""Called with the answer and an empty text, or with None and the reason why not."""


class Feed(Protocol):
    """Read by the window's one timer, on its thread. Nothing here blocks."""

    @property
    def connected(self) -> bool:
        """Whether what is shown is alive."""
        ...

    @property
    def message(self) -> str:
        """Where the feed comes from, or why there is none and what to do."""
        ...

    @property
    def lives(self) -> int:
        """How often the connection was made; when it rises, histories begin anew."""
        ...

    @property
    def snapshots(self) -> int:
        """How many snapshots have come; when it has not changed, neither have the values."""
        ...

    def now(self) -> float:
        """Stream seconds of this instant, as well as it is known."""
        ...

    def values(self) -> Mapping[str, Number]:
        """Newest values by ``plugin.output``."""
        ...

    def packets(self) -> list[tuple[str, str]]:
        """Texts of the scope since the last call, by name: these must not be missed, so they queue (bounded)."""
        ...

    def status(self) -> Mapping[str, Any]:
        """Newest status of the host."""
        ...

    def events(self) -> list[Event]:
        """Events since the last call."""
        ...

    def call(self, method: str, params: Mapping[str, Any] | None = None, done: Done | None = None) -> None:
        """Ask the host for something; `done` is called by a later `poll`."""
        ...

    def poll(self) -> list[str]:
        """Hand out answers that have come; returns refusals that nobody asked to be told of."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...
