"""Sample formats on a pipe: a WAV header that arrives in pieces, and raw samples turned into float32."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError

Array = npt.NDArray[np.float32]

BYTES = {"u8": 1, "s16": 2, "s24": 3, "s32": 4, "f32": 4, "f64": 8}
"""Bytes per sample of the known formats, all little-endian."""

_OTHER_FILES = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3\x03": "MP3", b"ID3\x04": "MP3", b"FORM": "AIFF"}
_MAX_RATE = 768_000


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """How samples lie in a stream of bytes.

    Parameters
    ----------
    sample_rate : int
        Hz.
    channels : int
        Interleaved.
    dtype : {"u8", "s16", "s24", "s32", "f32", "f64"}
        Little-endian.
    """

    sample_rate: int
    channels: int
    dtype: str

    def __post_init__(self) -> None:
        if self.dtype not in BYTES:
            raise UserError(f"standard input: unknown sample format '{self.dtype}'; known: {', '.join(BYTES)}")
        if not 1 <= self.sample_rate <= _MAX_RATE:
            raise UserError(f"standard input: sample rate {self.sample_rate} Hz; it must be 1 to {_MAX_RATE}")
        if not 1 <= self.channels <= 256:
            raise UserError(f"standard input: {self.channels} channels; it must be 1 to 256")

    @property
    def frame_bytes(self) -> int:
        """Bytes per frame."""
        return BYTES[self.dtype] * self.channels

    def decode(self, data: bytes) -> Array:
        """Whole frames as float32, shape (n, channels), full scale ±1."""
        return _samples(data, self.dtype).reshape(-1, self.channels)


def _samples(data: bytes, dtype: str) -> Array:
    if dtype == "u8":
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128.0) * np.float32(1 / 128)
    if dtype == "s16":
        return np.frombuffer(data, "<i2").astype(np.float32) * np.float32(1 / 32_768)
    if dtype == "s24":
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0].astype(np.float32) * np.float32(1 / 2**31)
    if dtype == "s32":
        return np.frombuffer(data, "<i4").astype(np.float32) * np.float32(1 / 2**31)
    return np.frombuffer(data, "<f4" if dtype == "f32" else "<f8").astype(np.float32)


def read_header(read: Callable[[int], bytes]) -> tuple[PcmFormat, int | None]:
    """Read a WAV header up to its first sample.

    Parameters
    ----------
    read : callable
        ``read(n)`` gives exactly n bytes, or fewer at the end of the stream.

    Returns
    -------
    (PcmFormat, int or None)
        The format, and how many bytes of samples follow (None: until the stream ends).

    Raises
    ------
    UserError
        Nothing there, not WAV, or a format that is not plain PCM or float.
    """
    head = read(12)
    if not head:
        raise UserError("standard input: empty")
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:12] != b"WAVE":
        kind = _OTHER_FILES.get(head[:4])
        if kind:
            raise UserError(f"standard input: {kind} cannot be read from a pipe; give the file, or pipe WAV")
        raise UserError(
            "standard input: not WAV; for raw samples say how, e.g. --input -,rate=48000,channels=2,dtype=s16"
        )
    form: PcmFormat | None = None
    while len(chunk := read(8)) == 8:
        name, length = chunk[:4], struct.unpack("<I", chunk[4:])[0]
        if name == b"data":
            if form is None:
                break
            # Writers that could not seek back leave 0 or a huge length.
            return form, None if length == 0 or length >= 0x7FFF_F000 else length
        if length > 1 << 20:
            break
        body = read(length + (length & 1))
        if name == b"fmt ":
            form = _format(body)
    raise UserError("standard input: damaged WAV header (no fmt and data)")


def _format(body: bytes) -> PcmFormat:
    if len(body) < 16:
        raise UserError("standard input: damaged WAV header (short fmt)")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if tag == 0xFFFE and len(body) >= 26:
        tag = struct.unpack("<H", body[24:26])[0]
    kinds = {(1, 8): "u8", (1, 16): "s16", (1, 24): "s24", (1, 32): "s32", (3, 32): "f32", (3, 64): "f64"}
    if (tag, bits) not in kinds:
        raise UserError(f"standard input: WAV format {tag} with {bits} bits is not PCM or float; convert it")
    return PcmFormat(rate, channels, kinds[tag, bits])
