"""Spoken dialogue of three free adventure games, out of their data files.

``beneath-a-steel-sky`` (8 bits, 11 kHz, packed by Rob Northen's method 1), ``flight-of-the-amazon-queen`` (MP3)
and ``drascula`` (8 bits, 11 kHz, raw). The layouts are those that ScummVM reads.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

F32 = npt.NDArray[np.float32]
OLD_RATE = 11_025
HEAD = 22
"""Bytes before the packed sound of a Steel Sky file."""
SPOKEN = range(50_000, 60_000)
Spoken = tuple[F32, int, str]


def dialogue(folder: Path) -> Iterator[Spoken]:
    """Samples, rate and speaker of every line under `folder`."""
    for path in sorted(folder.rglob("sky.dnr")):
        yield from steel_sky(path)
    for path in sorted(folder.rglob("queen.1c")):
        yield from amazon_queen(path)
    for path in sorted(folder.rglob("drascula/*/*.ALS")):
        yield eight_bits(path.read_bytes()), OLD_RATE, f"drascula {path.stem.rstrip('0123456789')}"


def eight_bits(data: bytes) -> F32:
    """Unsigned bytes as samples."""
    return (np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)


def steel_sky(index: Path) -> Iterator[Spoken]:
    """Lines of Beneath a Steel Sky; who speaks is not told, so a hundred in a row count as one speaker."""
    table, data = index.read_bytes(), index.with_suffix(".dsk").read_bytes()
    for at in range(4, 4 + 8 * struct.unpack_from("<I", table)[0], 8):
        number, place = struct.unpack_from("<HI", table, at)
        size = int.from_bytes(table[at + 5 : at + 8], "little") & 0x3FFFFF
        begin = (place & 0x7FFFFF) << (4 if place & 0x800000 else 0)
        if number in SPOKEN and data[begin + HEAD : begin + HEAD + 4] == b"RNC\x01":
            yield eight_bits(unpack(data[begin + HEAD : begin + size])), OLD_RATE, f"steel-sky {number // 100}"


def amazon_queen(path: Path) -> Iterator[Spoken]:
    """Lines of Flight of the Amazon Queen: the file's name tells the room and whether it is Joe."""
    data = path.read_bytes()
    (count,) = struct.unpack_from(">H", data, 13)
    for at in range(15, 15 + 21 * count, 21):
        raw, _, begin, size = struct.unpack_from(">12sBII", data, at)
        name = raw.split(b"\0")[0].decode("ascii", "replace")
        if name.endswith(".SB") and "SSS" not in name and "XXX" not in name:  # those are effects
            try:
                samples, rate = soundfile.read(io.BytesIO(data[begin : begin + size]), dtype="float32")
            except (OSError, RuntimeError):
                continue
            who = "J" if "J" in name[-6:] else name.lstrip("YDC")[:2]
            yield samples.reshape(len(samples), -1).mean(1), rate, f"queen {who}"


class _Bits:
    """Bits from the lowest up, of little-endian words; whole bytes lie between them."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at, self._bits, self._left = data, at, 0, 0

    def take(self, count: int) -> int:
        while self._left < count:
            self._bits |= int.from_bytes(self.data[self.at : self.at + 2], "little") << self._left
            self.at, self._left = self.at + 2, self._left + 16
        out = self._bits & ((1 << count) - 1)
        self._bits >>= count
        self._left -= count
        return out


def _codes(bits: _Bits) -> dict[tuple[int, int], int]:
    """Length and bits of each code, and its value."""
    lengths = [bits.take(4) for _ in range(bits.take(5))]
    out, code, base = {}, 0, 0x8000
    for length in range(1, 16):
        for value, of in enumerate(lengths):
            if of == length:
                out[length, int(f"{code:016b}"[::-1], 2) & ((1 << length) - 1)] = value
                code += base
        base >>= 1
    return out


def _value(bits: _Bits, codes: dict[tuple[int, int], int]) -> int:
    length = code = 0
    while length < 16:
        code |= bits.take(1) << length
        length += 1
        value = codes.get((length, code))
        if value is not None:
            return value if value < 2 else bits.take(value - 1) | 1 << (value - 1)
    raise ValueError("not a packed file")


def unpack(data: bytes) -> bytes:
    """What Rob Northen's method 1 packed: literals and copies under Huffman codes."""
    out, bits, blocks = bytearray(), _Bits(data, 18), data[17]
    bits.take(2)
    for _ in range(blocks):
        literals, offsets, lengths = _codes(bits), _codes(bits), _codes(bits)
        for left in range(bits.take(16) - 1, -1, -1):
            count = _value(bits, literals)
            out += data[bits.at : bits.at + count]
            bits.at += count
            if left:
                back, length = _value(bits, offsets) + 1, _value(bits, lengths) + 2
                for _ in range(length):
                    out.append(out[-back])
    return bytes(out)
