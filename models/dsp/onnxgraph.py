"""Writes a network as ONNX, out of arrays and operators, with nothing but numpy.

For published networks that come as weights alone: the graph is written here, the weights are put in, and
onnxruntime runs it. No package for building graphs is needed on the user's machine.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime

from realtime.hosting.inference import session_options

Attribute = int | float | str | Sequence[int]
Shape = tuple[int | str, ...]
"""Sizes, or names of sizes that are free."""
_OPSET, _IR = 13, 8
_TYPES = {np.dtype(np.float32): 1, np.dtype(np.int64): 7}


class Graph:
    """A network under construction: ``add`` appends an operator and gives the name of its result.

    Parameters
    ----------
    inputs : mapping of str to tuple of int or str
        Name and shape of each input, float32.

    References
    ----------
    The messages are those of ``onnx.proto`` (ONNX 1.13 and newer, IR version 8, operator set 13).
    """

    def __init__(self, inputs: Mapping[str, Shape]) -> None:
        self._inputs = dict(inputs)
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []

    def constant(self, value: npt.ArrayLike, kind: npt.DTypeLike = np.float32) -> str:
        """Name of a tensor with these values."""
        array = np.ascontiguousarray(value, kind)
        name = f"c{len(self._constants)}"
        dims = b"".join(_number(1, n) for n in np.shape(value))
        told = dims + _number(2, _TYPES[array.dtype]) + _bytes(8, name.encode()) + _bytes(9, array.tobytes())
        self._constants.append(told)
        return name

    def add(self, operator: str, *inputs: str | npt.ArrayLike, output: str = "", **attributes: Attribute) -> str:
        """Append an operator; inputs are names, or arrays, which become constants."""
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        result = output or f"n{len(self._nodes)}"
        told = b"".join(_bytes(1, n.encode()) for n in names) + _bytes(2, result.encode())
        told += _bytes(4, operator.encode())
        told += b"".join(_bytes(5, _attribute(k, v)) for k, v in attributes.items())
        self._nodes.append(told)
        return result

    def model(self, outputs: Mapping[str, Shape]) -> bytes:
        """The whole as an ONNX file, with these results and their shapes."""
        graph = b"".join(_bytes(1, n) for n in self._nodes) + _bytes(2, b"graph")
        graph += b"".join(_bytes(5, c) for c in self._constants)
        graph += b"".join(_bytes(11, _value(n, s)) for n, s in self._inputs.items())
        graph += b"".join(_bytes(12, _value(n, s)) for n, s in outputs.items())
        return _number(1, _IR) + _bytes(7, graph) + _bytes(8, _bytes(1, b"") + _number(2, _OPSET))


def session(model: bytes) -> onnxruntime.InferenceSession:
    """Ready to run, as every session of the host."""
    return onnxruntime.InferenceSession(model, session_options(), providers=["CPUExecutionProvider"])


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _attribute(name: str, value: Attribute) -> bytes:
    told = _bytes(1, name.encode())
    if isinstance(value, int):
        return told + _number(3, value) + _number(20, 2)
    if isinstance(value, float):
        return told + _varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, 1)
    if isinstance(value, str):
        return told + _bytes(4, value.encode()) + _number(20, 3)
    return told + b"".join(_number(8, v) for v in value) + _number(20, 7)


def _value(name: str, shape: Shape) -> bytes:
    sizes = (_number(1, n) if isinstance(n, int) else _bytes(2, n.encode()) for n in shape)
    dims = b"".join(_bytes(1, size) for size in sizes)
    tensor = _number(1, 1) + _bytes(2, dims)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, tensor))
