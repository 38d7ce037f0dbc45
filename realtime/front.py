"""Commands of the front process: what a user interface asks that must not disturb the sound.

Listing devices starts PortAudio anew, and listing plugins imports them; neither is for the engine's process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from realtime.errors import UserError


class Listener(Protocol):
    """A host whose input can be changed while it runs."""

    def use_input(self, device: str, channels: Sequence[int], gain_db: float, latency_ms: float) -> None:
        """Listen to something else; raises ``UserError`` and stays with the input of before."""
        ...


class Front:
    """Commands beside the engine's: ``devices.list``, ``devices.level``, ``plugins.available``, ``input.set``.

    Parameters
    ----------
    host : Listener
    """

    def __init__(self, host: Listener) -> None:
        self._host = host

    def methods(self) -> dict[str, Callable[..., Any]]:
        """Commands for a WebSocket server."""
        return {
            "devices.list": self.devices,
            "devices.level": self.level,
            "plugins.available": self.plugins,
            "input.set": self.use_input,
        }

    def devices(self) -> list[dict[str, Any]]:
        """The sound inputs of now, in plain data; raises ``UserError`` where PortAudio is missing."""
        from realtime.audio.devices import list_devices

        return [asdict(d) for d in list_devices()]

    def level(self, device: str) -> float:
        """Peak of a device over a fifth of a second, dBFS."""
        from realtime.audio.devices import measure_level

        return measure_level(device, seconds=0.2)

    def plugins(self) -> list[str]:
        """Identifiers of what is installed and loads."""
        from realtime.hosting import registry

        return sorted(e.identifier for e in registry.discover().values() if e.factory is not None)

    def use_input(
        self, device: str, channels: Sequence[int] = (), gain_db: float = 0.0, latency_ms: float = 0.0
    ) -> str:
        """Listen to a device, a file on the host or ``demo``; the plugins start anew."""
        if not isinstance(device, str) or device == "-":
            raise UserError("input.set: 'device' is the name of a device, a file or 'demo'")
        if not isinstance(channels, (list, tuple)) or not all(isinstance(c, int) and c > 0 for c in channels):
            raise UserError("input.set: 'channels' are numbers from 1, e.g. [1, 2]")
        self._host.use_input(device, list(channels), float(gain_db), float(latency_ms))
        return device
