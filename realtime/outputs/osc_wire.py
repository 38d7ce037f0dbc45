"""OSC on the wire: messages, bundles with timetags, and a UDP target that never blocks or raises.

References
----------
Wright, "The Open Sound Control 1.0 Specification", 2002. Message bytes are python-osc's.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.parsing import osc_types

from realtime.errors import UserError

IMMEDIATELY = 0.0
"""Timetag "at once"."""

_NTP_DELTA = 2_208_988_800  # seconds from 1900 to 1970

DATAGRAM = 1400
"""Bytes that surely fit into one Ethernet frame; longer bundles are split."""


def message(address: str, *arguments: float | int | str) -> bytes:
    """One OSC message; floats go as ``f``, ints as ``i``, strings as ``s``.

    Raises
    ------
    ValueError
        An argument has another type or does not fit.
    """
    builder = OscMessageBuilder(address)
    for argument in arguments:
        tag = "s" if isinstance(argument, str) else "i" if isinstance(argument, int) else "f"
        builder.add_arg(int(argument) if tag == "i" else argument, tag)
    try:
        return builder.build().dgram
    except Exception as e:  # python-osc raises its own, unrelated classes
        raise ValueError(f"{address}: cannot be sent as OSC ({e})") from e


def bundles(messages: Sequence[bytes], timetag: float = IMMEDIATELY) -> list[bytes]:
    """Messages as one bundle, or several where they do not fit into one datagram.

    Parameters
    ----------
    timetag : float
        Unix time (``time.time()``) at which the receiver shall act; `IMMEDIATELY` = on arrival.
    """
    head = b"#bundle\x00" + _timetag(timetag)
    packets: list[bytes] = []
    current = head
    for item in messages:
        piece = osc_types.write_int(len(item)) + item
        if len(current) + len(piece) > DATAGRAM and current is not head:
            packets.append(current)
            current = head
        current += piece
    return [*packets, current] if current is not head else packets


def _timetag(at: float) -> bytes:
    """NTP time, era wrapped (the first era ends in 2036)."""
    return struct.pack(">Q", int((at + _NTP_DELTA) * 2**32) & (2**64 - 1) if at else 1)


def resolve(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    """Family and address of a UDP target; asks the name service, so once, when an output opens.

    Raises
    ------
    UserError
        The name does not resolve.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except (OSError, UnicodeError) as e:
        raise UserError(f"OSC target {host}:{port}: the name does not resolve ({e})") from e
    return family, address


class UdpTarget:
    """A UDP socket towards one receiver.

    The socket is connected, so that the system reports a receiver that is not there (``ECONNREFUSED``); such
    errors are counted, never raised. When the network is down, connecting is tried again every two seconds.

    Attributes
    ----------
    errors : int
        Datagrams that could not be sent, or were refused.
    dropped : int
        Datagrams given up because the system's buffer was full.
    fault : str
        The last error in words; empty after a datagram has left without one.
    """

    RETRY = 2.0

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.errors = self.dropped = 0
        self.fault = ""
        self._family, self._address = resolve(host, port)
        self._socket: socket.socket | None = None
        self._tried = -self.RETRY
        self._connect()

    def send(self, data: bytes) -> bool:
        """Send one datagram; True if the system took it."""
        if self._socket is None and not self._connect():
            self.errors += 1
            return False
        assert self._socket is not None
        for attempt in (0, 1):  # a pending refusal of an earlier datagram is reported instead of sending this one
            try:
                self._socket.send(data)
            except ConnectionRefusedError:
                self.errors += 1
                self.fault = "nobody listens there"
                continue
            except BlockingIOError:
                self.dropped += 1
                return False
            except OSError as e:
                self.errors += 1
                self.fault = e.strerror or str(e)
                self.close()
                return False
            if attempt == 0:
                self.fault = ""
            return True
        return False

    def close(self) -> None:
        """Release the socket; a later `send` opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> bool:
        now = time.monotonic()
        if now - self._tried < self.RETRY:
            return False
        self._tried = now
        handle = socket.socket(self._family, socket.SOCK_DGRAM)
        handle.setblocking(False)
        with contextlib.suppress(OSError):
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            handle.connect(self._address)
        except OSError as e:
            handle.close()
            self.fault = e.strerror or str(e)
            return False
        self._socket = handle
        return True
