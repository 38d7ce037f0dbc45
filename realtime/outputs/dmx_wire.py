"""DMX over the network: packets of sACN and Art-Net.

References
----------
ANSI E1.31-2018, "Lightweight streaming protocol for transport of DMX512 using ACN", sections 4–7.
"Specification for the Art-Net 4 Ethernet Communication Protocol", Artistic Licence, ArtDmx.
"""

from __future__ import annotations

import struct
import uuid

SACN_PORT = 5568
ARTNET_PORT = 6454
CHANNELS = 512

_STREAM_TERMINATED = 0x40


def sacn_multicast(universe: int) -> str:
    """The multicast group of a universe (E1.31, 9.3.1)."""
    return f"239.255.{universe >> 8}.{universe & 255}"


def sacn(
    cid: uuid.UUID, name: str, universe: int, sequence: int, data: bytes, priority: int = 100, last: bool = False
) -> bytes:
    """A data packet of one universe.

    Parameters
    ----------
    cid : UUID
        Of this sender, the same in all its packets.
    name : str
        For people; cut to 63 bytes.
    universe : int
        1–63999.
    sequence : int
        Counts packets of the universe, 0–255.
    data : bytes
        512 channels.
    last : bool
        Tells receivers that the stream ends here, so that they need not wait for it.
    """
    label = name.encode()[:63].decode(errors="ignore").encode().ljust(64, b"\0")
    slots = b"\0" + data
    dmp = struct.pack(">HBBHHH", 0x7000 | (10 + len(slots)), 0x02, 0xA1, 0, 1, len(slots)) + slots
    frame = (
        struct.pack(">HI", 0x7000 | (77 + len(dmp)), 0x00000002)
        + label
        + struct.pack(">BHBBH", priority, 0, sequence & 255, _STREAM_TERMINATED if last else 0, universe)
        + dmp
    )
    root = struct.pack(">HI", 0x7000 | (22 + len(frame)), 0x00000004) + cid.bytes + frame
    return struct.pack(">HH", 0x0010, 0) + b"ASC-E1.17\0\0\0" + root


def artnet(universe: int, sequence: int, data: bytes) -> bytes:
    """An ArtDmx packet; `universe` is the 15-bit port address (net, sub-net, universe), `sequence` 1–255."""
    head = b"Art-Net\0" + struct.pack("<H", 0x5000) + struct.pack(">H", 14)
    place = struct.pack("BBBB", sequence % 255 + 1, 0, universe & 255, universe >> 8)
    return head + place + struct.pack(">H", len(data)) + data
