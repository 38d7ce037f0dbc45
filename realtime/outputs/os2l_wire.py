"""Reading OS2L: flat JSON objects in a stream of bytes, and finding a server by DNS-SD."""

from __future__ import annotations

import json
import threading
from typing import Any

from realtime.errors import UserError

LONGEST = 4096
"""Bytes an object may have."""
SERVICE = "_os2l._tcp.local."


class FlatObjects:
    """Cuts a stream into flat JSON objects. Whatever is none is dropped and counted; memory stays bounded.

    Attributes
    ----------
    dropped : int
        Pieces thrown away since it was last set to 0.
    """

    def __init__(self) -> None:
        self._object = bytearray()
        self._inside = False
        self._quoted = False
        self._escaped = False
        self._junk = False
        self.dropped = 0

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Objects that are complete with `data`."""
        found: list[dict[str, Any]] = []
        for byte in data:
            if not self._inside:
                self._outside(byte)
                continue
            self._object.append(byte)
            if self._quoted:
                if self._escaped:
                    self._escaped = False
                elif byte == 0x5C:
                    self._escaped = True
                elif byte == 0x22:
                    self._quoted = False
            elif byte == 0x22:
                self._quoted = True
            elif byte == 0x7D:  # }
                self._end(found)
            elif byte == 0x7B or byte == 0x5B:  # nested: not of this protocol; begin anew here
                self.dropped += 1
                self._begin(byte == 0x7B)
            if self._inside and len(self._object) > LONGEST:
                self.dropped += 1
                self._begin(False)
        return found

    def _outside(self, byte: int) -> None:
        if byte == 0x7B:
            self._begin(True)
        elif byte not in b" \t\r\n\0" and not self._junk:
            self._junk = True
            self.dropped += 1

    def _begin(self, inside: bool) -> None:
        self._inside, self._quoted, self._escaped, self._junk = inside, False, False, False
        self._object = bytearray(b"{") if inside else bytearray()

    def _end(self, found: list[dict[str, Any]]) -> None:
        try:
            record = json.loads(self._object.decode("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            found.append(record)
        else:
            self.dropped += 1
        self._begin(False)


def _refuse(text: str) -> float:
    raise ValueError(text)


def find_server(seconds: float, ending: threading.Event | None = None) -> tuple[str, int] | None:
    """Address of a lighting program that announces itself; None if none does within `seconds`.

    Raises
    ------
    UserError
        zeroconf is not installed.
    """
    try:
        from zeroconf import ServiceBrowser, ServiceStateChange, Zeroconf
    except ImportError as e:
        raise UserError(
            "OS2L: give the lighting program's host and port, or: pip install 'sidechain[cluster]'"
        ) from e
    if seconds <= 0.0:
        return None
    names: list[str] = []
    seen = threading.Event()

    def changed(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Added:
            names.append(name)
            seen.set()

    with Zeroconf() as zeroconf:
        browser = ServiceBrowser(zeroconf, SERVICE, handlers=[changed])
        try:
            left = seconds
            while left > 0.0 and not seen.wait(0.1) and not (ending is not None and ending.is_set()):
                left -= 0.1
            for name in names:
                info = zeroconf.get_service_info(SERVICE, name, 1000)
                if info is not None and info.port:
                    for address in info.parsed_scoped_addresses():
                        return address, info.port
        finally:
            browser.cancel()
    return None
