"""Tensors from a ``.safetensors`` file, without the package of that name.

The format: 8 bytes, the length of a JSON header (little endian); the header, ``{"name": {"dtype": "F32", "shape":
[…], "data_offsets": [begin, end]}, …}``; then the bytes. See https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError

MOST_HEADER = 16 << 20
"""Largest header, bytes."""

_TYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32, "I16": np.int16,
    "I8": np.int8, "U8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Entry:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


def read(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All tensors of a file, read-only views of its bytes.

    Raises
    ------
    UserError
        Not that format, cut off, or sizes that do not fit; the tensor is named.
    """
    try:
        data = path.read_bytes()
    except OSError as e:
        raise UserError(f"{path}: cannot be read ({e.strerror})") from e
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(MOST_HEADER, len(data) - 8):
        raise UserError(f"{path}: not a safetensors file")
    body = memoryview(data)[8 + size :]
    try:
        header = json.loads(data[8 : 8 + size])
    except (ValueError, RecursionError) as e:
        raise UserError(f"{path}: not a safetensors file (its header is not JSON)") from e
    if not isinstance(header, dict):
        raise UserError(f"{path}: not a safetensors file (its header is not a table)")
    entries = {n: _entry(path, n, v, len(body)) for n, v in header.items() if n != "__metadata__"}
    _apart(path, entries)
    return {n: np.frombuffer(body[e.begin : e.end], e.dtype).reshape(e.shape) for n, e in entries.items()}


def _entry(path: Path, name: str, given: Any, length: int) -> _Entry:
    where = f"{path}: tensor '{name[:100]}'"
    if not isinstance(given, dict):
        raise UserError(f"{where} has no description")
    kind, shape, offsets = given.get("dtype"), given.get("shape"), given.get("data_offsets")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise UserError(f"{where} has type {kind!r}; hosted are {', '.join(_TYPES)}")
    if not isinstance(shape, list) or not _whole(shape) or len(shape) > 16:
        raise UserError(f"{where} has shape {str(shape)[:60]}")
    if (
        not isinstance(offsets, list)
        or not _whole(offsets)
        or len(offsets) != 2
        or not offsets[0] <= offsets[1] <= length
    ):
        raise UserError(f"{where} lies outside of the file")
    dtype = np.dtype(_TYPES[kind])
    if math.prod(shape) * dtype.itemsize != offsets[1] - offsets[0]:
        raise UserError(f"{where} of shape {shape} does not fit its {offsets[1] - offsets[0]} bytes")
    return _Entry(dtype, tuple(shape), offsets[0], offsets[1])


def _whole(given: list[Any]) -> bool:
    return all(type(d) is int and d >= 0 for d in given)


def _apart(path: Path, entries: dict[str, _Entry]) -> None:
    end = 0
    for name, e in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if e.begin < end:
            raise UserError(f"{path}: tensor '{name[:100]}' overlaps another")
        end = e.end
