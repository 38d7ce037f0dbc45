"""Addresses of MIDI messages as people write them, and the bytes they stand for."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from realtime.errors import UserError

Kind = Literal["note", "cc", "bend", "pressure", "program"]

_ADDRESS = re.compile(
    r"(?P<kind>note|cc|pb|bend|pressure|program):?(?P<number>\d{1,3})?(@(?P<channel>\d{1,2}))?\Z", re.ASCII
)
_STATUS: dict[Kind, int] = {"note": 0x90, "cc": 0xB0, "program": 0xC0, "pressure": 0xD0, "bend": 0xE0}


class MidiAddress(NamedTuple):
    """What a message is about. `channel` counts from 0; `number` is the note or controller, else 0."""

    kind: Kind
    number: int
    channel: int

    def __str__(self) -> str:
        number = str(self.number) if self.kind in ("note", "cc") else ""
        return f"{self.kind}:{number}@{self.channel + 1}"


def parse(text: str) -> MidiAddress:
    """``note:36@10``, ``cc:21@1``, ``bend:@1`` (also ``pb@1``), ``pressure:@1``, ``program:@1``; channels 1–16.

    Raises
    ------
    UserError
        Not of that form, number above 127, or channel not 1–16.
    """
    found = _ADDRESS.match(text.strip().lower())
    number = int(found["number"] or 0) if found else 0
    channel = int(found["channel"] or 1) if found else 0
    if not found or number > 127 or not 1 <= channel <= 16:
        raise UserError(f"MIDI address '{text}': expected note:36@10, cc:21@1, bend:@1, pressure:@1 or program:@1")
    kind: Kind = "bend" if found["kind"] == "pb" else found["kind"]  # type: ignore[assignment]
    if kind in ("note", "cc") and found["number"] is None:
        raise UserError(f"MIDI address '{text}': the number is missing, as in {kind}:36@1")
    return MidiAddress(kind, number, channel - 1)


def encode(address: MidiAddress, value: float) -> tuple[int, ...]:
    """Bytes of a message; `value` in [0, 1] covers the range (program: the number itself, 0–127).

    A note is on with velocity 1–127 for a value above 0, else off. Bend: 0.5 is the middle.
    """
    status = _STATUS[address.kind] | address.channel
    if address.kind == "program":
        return (status, min(127, max(0, round(value))))
    if address.kind == "bend":
        bend = min(16383, max(0, round(value * 16384)))
        return (status, bend & 0x7F, bend >> 7)
    seven = min(127, max(0, round(value * 127)))
    if address.kind == "pressure":
        return (status, seven)
    if address.kind == "note":
        if value <= 0.0:
            return (0x80 | address.channel, address.number, 0)
        seven = max(1, seven)
    return (status, address.number, seven)


def decode(message: tuple[int, ...] | list[int]) -> tuple[MidiAddress, float] | None:
    """Address and value in [0, 1] of a received message; None for what is malformed or of another kind."""
    if not message or any(not 0 <= b <= 255 for b in message):
        return None
    status, channel = message[0] & 0xF0, message[0] & 0x0F
    data = list(message[1:])
    if any(b > 127 for b in data):
        return None
    if status in (0x80, 0x90) and len(data) == 2:
        return MidiAddress("note", data[0], channel), data[1] / 127.0 if status == 0x90 else 0.0
    if status == 0xB0 and len(data) == 2:
        return MidiAddress("cc", data[0], channel), data[1] / 127.0
    if status == 0xC0 and len(data) == 1:
        return MidiAddress("program", 0, channel), float(data[0])
    if status == 0xD0 and len(data) == 1:
        return MidiAddress("pressure", 0, channel), data[0] / 127.0
    if status == 0xE0 and len(data) == 2:
        return MidiAddress("bend", 0, channel), (data[0] | data[1] << 7) / 16384.0
    return None
