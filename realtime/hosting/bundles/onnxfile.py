"""What an ONNX file consists of, read before onnxruntime sees it: operators, tensors, files it refers to.

The ``onnx`` package is not needed to run the host; a protobuf is simple enough to be walked here. Field numbers
are those of ``onnx.proto`` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from realtime.errors import UserError
from realtime.hosting.bundles import files

_DEEPEST = 32
_KNOWN_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "ai.onnx.preview.training", "com.microsoft.nchwc"}
_EXTERNAL = 1
_BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4,
}  # fmt: skip


class _Malformed(Exception):
    """The bytes are no protobuf of that kind."""


@dataclass(slots=True)
class Tensor:
    """An initialiser or constant: what the file says of it.

    Attributes
    ----------
    external : dict of str to str
        ``location``, ``offset`` and ``length`` of its bytes in another file; empty if they are in this one.
    """

    name: str = ""
    kind: int = 0
    shape: list[int] = field(default_factory=list)
    raw: int = -1
    external: dict[str, str] = field(default_factory=dict)
    location: int = 0


@dataclass(slots=True)
class OnnxFile:
    """Contents of a model file."""

    operators: set[tuple[str, str]] = field(default_factory=set)
    functions: set[tuple[str, str]] = field(default_factory=set)
    tensors: list[Tensor] = field(default_factory=list)
    initialisers: dict[str, Tensor] = field(default_factory=dict)
    has_graph: bool = False


def inspect(folder: Path, path: Path, supplied: frozenset[str] = frozenset()) -> OnnxFile:
    """Read and check a model file.

    Parameters
    ----------
    folder : Path
        The bundle, which external data must not leave.
    path : Path
        The model.
    supplied : frozenset of str
        Initialisers whose values come from elsewhere: their external data need not exist.

    Raises
    ------
    UserError
        Not ONNX, operators that onnxruntime does not have, tensors that do not fit their bytes or are too large,
        external data outside the bundle or missing.
    """
    files.refuse_pickle(path)
    try:
        with path.open("rb") as f:
            # closed when the last view of it goes: views may outlive an exception for a moment
            found = _model(memoryview(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)))
    except (_Malformed, ValueError, RecursionError) as e:
        raise UserError(f"{path}: not an ONNX model; export it again") from e
    except OSError as e:
        raise UserError(f"{path}: cannot be read ({e.strerror})") from e
    if not found.has_graph:
        raise UserError(f"{path}: not an ONNX model (it has no graph); export it again")
    for domain, operator in sorted(found.operators - found.functions):
        if domain not in _KNOWN_DOMAINS:
            raise UserError(
                f"{path}: needs the operator '{operator}' of '{domain}', which onnxruntime does not have; "
                "export the model with standard operators"
            )
    for tensor in found.tensors:
        if tensor.name not in supplied:
            _check(folder, path, tensor)
    return found


def _check(folder: Path, path: Path, tensor: Tensor) -> None:
    where = f"{path}: tensor '{tensor.name[:100]}'"
    if any(d < 0 for d in tensor.shape):
        raise UserError(f"{where} has shape {tensor.shape}; export the model again")
    size = math.prod(tensor.shape) * _BITS.get(tensor.kind, 0)
    size = -(-size // 8)
    if size > files.MOST_BYTES:
        raise UserError(
            f"{where} of shape {tensor.shape} has {size >> 20} MB; at most {files.MOST_BYTES >> 20} MB"
        )
    if tensor.raw >= 0 and tensor.location != _EXTERNAL and tensor.kind in _BITS and tensor.raw != size:
        raise UserError(
            f"{where} of shape {tensor.shape} does not fit its {tensor.raw} bytes; export the model again"
        )
    if tensor.location == _EXTERNAL or tensor.external:
        _external(folder, path, tensor, size)


def _external(folder: Path, path: Path, tensor: Tensor, size: int) -> None:
    where = f"{path}: tensor '{tensor.name[:100]}'"
    name = tensor.external.get("location", "")
    # the name counts from the model's own folder
    near = path.parent.relative_to(folder.resolve())
    try:
        file = files.inside(
            folder, (near / name).as_posix() if name and not name.startswith("/") else name, "data"
        )
    except UserError as e:
        raise UserError(f"{where} keeps its values in '{name[:100]}': {str(e).partition(': ')[2]}") from e
    try:
        offset, length = int(tensor.external.get("offset", "0")), int(tensor.external.get("length", str(size)))
    except ValueError as e:
        raise UserError(f"{where} has no valid place in '{name[:100]}'; export the model again") from e
    if offset < 0 or length < size or offset + length > file.stat().st_size:
        raise UserError(f"{where} lies beyond the end of '{name[:100]}'; export the model again")


# -- protobuf -------------------------------------------------------------------------------------------------


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(view) or shift > 63:
            raise _Malformed
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), at
        shift += 7


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(view):
        tag, at = _varint(view, at)
        kind = tag & 7
        value: int | memoryview
        if kind == 0:
            value, at = _varint(view, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = view[at : at + size], at + size
        elif kind == 2:
            size, at = _varint(view, at)
            value, at = view[at : at + size], at + size
        else:
            raise _Malformed
        if at > len(view) or not tag >> 3:
            raise _Malformed
        yield tag >> 3, value


def _text(value: int | memoryview) -> str:
    if isinstance(value, int):
        raise _Malformed
    try:
        return bytes(value).decode()
    except UnicodeDecodeError as e:
        raise _Malformed from e


def _part(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _Malformed
    return value


def _whole(value: int | memoryview) -> list[int]:
    """One number, or packed ones, as signed 64-bit."""
    if isinstance(value, int):
        return [value - 2**64 if value >= 2**63 else value]
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number - 2**64 if number >= 2**63 else number)
    return numbers


def _model(view: memoryview) -> OnnxFile:
    found = OnnxFile()
    for number, value in _fields(view):
        if number == 7:
            found.has_graph = True
            _graph(_part(value), found, 0)
        elif number == 25:
            _function(_part(value), found)
    return found


def _function(view: memoryview, found: OnnxFile) -> None:
    name = domain = ""
    for number, value in _fields(view):
        if number == 1:
            name = _text(value)
        elif number == 10:
            domain = _text(value)
        elif number == 7:
            _node(_part(value), found, 0)
        elif number == 11:
            _attribute(_part(value), found, 0)
    found.functions.add((domain, name))


def _graph(view: memoryview, found: OnnxFile, depth: int) -> None:
    if depth > _DEEPEST:
        raise _Malformed
    for number, value in _fields(view):
        if number == 1:
            _node(_part(value), found, depth)
        elif number == 5:
            tensor = _tensor(_part(value), found)
            if depth == 0:
                found.initialisers[tensor.name] = tensor
        elif number == 15:
            _sparse(_part(value), found)


def _node(view: memoryview, found: OnnxFile, depth: int) -> None:
    operator = domain = ""
    for number, value in _fields(view):
        if number == 4:
            operator = _text(value)
        elif number == 7:
            domain = _text(value)
        elif number == 5:
            _attribute(_part(value), found, depth)
    found.operators.add((domain, operator))


def _attribute(view: memoryview, found: OnnxFile, depth: int) -> None:
    for number, value in _fields(view):
        if number in (5, 10):
            _tensor(_part(value), found)
        elif number in (6, 11):
            _graph(_part(value), found, depth + 1)
        elif number in (22, 23):
            _sparse(_part(value), found)


def _sparse(view: memoryview, found: OnnxFile) -> None:
    for number, value in _fields(view):
        if number in (1, 2):
            _tensor(_part(value), found)


def _tensor(view: memoryview, found: OnnxFile) -> Tensor:
    tensor = Tensor()
    for number, value in _fields(view):
        if number == 1:
            tensor.shape += _whole(value)
        elif number == 2:
            tensor.kind = _whole(value)[0] if isinstance(value, int) else 0
        elif number == 8:
            tensor.name = _text(value)
        elif number == 9:
            tensor.raw = len(_part(value))
        elif number == 13:
            pair = {n: _text(v) for n, v in _fields(_part(value)) if n in (1, 2)}
            tensor.external[pair.get(1, "")] = pair.get(2, "")
        elif number == 14:
            tensor.location = _whole(value)[0] if isinstance(value, int) else 0
    found.tensors.append(tensor)
    return tensor
