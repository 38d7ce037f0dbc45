"""Reads the tensors of a torch checkpoint (``.pth``, ``.ckpt``) without torch, and without running its pickle.

A checkpoint is an archive with raw bytes of each tensor and one pickle that says which is which. The pickle is
walked opcode by opcode; of all that a pickle can call, three constructors are known here, which only make names,
shapes and numbers. Anything else is refused.
"""

from __future__ import annotations

import math
import pickletools
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError
from realtime.hosting.bundles import files

MOST_PICKLE = 8 << 20
_KINDS = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}
_PUSH = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_MAKE: dict[str, Any] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_MARK = object()


@dataclass(slots=True)
class Opaque:
    """Something that the pickle would have made of a foreign class: its name alone, nothing is made."""

    name: str


class _Name(str):
    """A global that the pickle names; never looked up."""


def read(path: Path, foreign: Sequence[str] = ()) -> dict[str, Any]:
    """What the checkpoint says: dictionaries, lists, numbers, texts and tensors as arrays.

    Parameters
    ----------
    path : Path
    foreign : sequence of str
        Beginnings of the names of classes whose objects are taken as :class:`Opaque`; others are refused. Nothing
        of either is imported or called.

    Raises
    ------
    UserError
        Not such a file, damaged, or with anything in it that would have to be run.

    References
    ----------
    The layout is that of ``torch.save`` since 1.6 (``torch/serialization.py``); pickle protocol 2.
    """
    with files.open_archive(path) as archive:
        try:
            names = [n for n in archive.namelist() if n.endswith("/data.pkl")]
            if len(names) != 1 or archive.getinfo(names[0]).file_size > MOST_PICKLE:
                raise UserError(f"{path}: not a torch checkpoint; fetch it again")
            root = names[0].removesuffix("data.pkl")
            found = _Walk(path, archive, root, tuple(foreign)).run(archive.read(names[0]))
        except UserError:
            raise
        except Exception as e:  # whatever a damaged pickle makes of the walk below
            raise UserError(f"{path}: damaged checkpoint ({e.__class__.__name__}: {e}); fetch it again") from e
    if not isinstance(found, dict):
        raise UserError(f"{path}: holds a {type(found).__name__}, not a checkpoint of tensors")
    return found


class _Walk:
    """The stack machine of a pickle, less everything that acts."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, root: str, foreign: tuple[str, ...]) -> None:
        self._path, self._archive, self._root, self._foreign = path, archive, root, foreign
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, pickle: bytes) -> Any:
        """The one value that the pickle makes."""
        for opcode, argument, _ in pickletools.genops(pickle):
            name = opcode.name
            if name == "STOP":
                return self._stack.pop()
            if name in _PUSH:
                self._stack.append(argument)
            elif name in _MAKE:
                self._stack.append(_MAKE[name]())
            else:
                self._step(name, argument)
        raise UserError(f"{self._path}: damaged checkpoint; fetch it again")

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in ("PROTO", "FRAME"):
            return
        if name == "MARK":
            stack.append(_MARK)
        elif name == "GLOBAL":
            stack.append(_Name(argument))
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if argument is None else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name == "TUPLE":
            stack.append(tuple(self._marked()))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name in ("SETITEM", "APPEND"):
            given = [stack.pop() for _ in range(2 if name == "SETITEM" else 1)][::-1]
            self._put(given)
        elif name in ("SETITEMS", "APPENDS"):
            self._put(self._marked())
        elif name == "BINPERSID":
            stack.append(self._storage(stack.pop()))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments = stack.pop()
            stack.append(self._made(stack.pop(), arguments))
        elif name == "BUILD":
            stack.pop()  # attributes, such as the version of a dictionary of weights
        else:
            raise UserError(f"{self._path}: its pickle does more than name tensors ({name}); not read")

    def _marked(self) -> list[Any]:
        at = max(i for i, v in enumerate(self._stack) if v is _MARK)
        values = self._stack[at + 1 :]
        del self._stack[at:]
        return values

    def _put(self, given: list[Any]) -> None:
        into = self._stack[-1]
        if isinstance(into, dict):
            into.update(zip(given[::2], given[1::2]))
        elif isinstance(into, list):
            into.extend(given)
        else:
            raise UserError(f"{self._path}: damaged checkpoint; fetch it again")

    def _storage(self, told: Any) -> npt.NDArray[Any]:
        _, kind, key, _, size = told
        dtype = _KINDS.get(str(kind).removeprefix("torch "))
        if dtype is None:
            raise UserError(f"{self._path}: tensors of kind {kind} are not read")
        data = self._archive.read(f"{self._root}data/{key}")
        values = np.frombuffer(data, dtype)
        if len(values) < size:
            raise UserError(f"{self._path}: tensor {key} is too short; fetch it again")
        return values[:size]

    def _made(self, what: Any, arguments: Any) -> Any:
        if what == "collections OrderedDict" and not arguments:
            return {}
        if what == "torch._utils _rebuild_tensor_v2":
            return self._tensor(*arguments[:4])
        if what == "torch._utils _rebuild_parameter":
            return arguments[0]
        if isinstance(what, _Name) and what.startswith(self._foreign):
            return Opaque(str(what))
        raise UserError(f"{self._path}: its pickle calls '{what}'; only tensors are read")

    def _tensor(self, values: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
        if min((offset, *shape, *strides), default=0) < 0:
            raise UserError(f"{self._path}: a tensor of shape {shape}; fetch it again")
        last = offset + sum((n - 1) * s for n, s in zip(shape, strides))
        if math.prod(shape) and last >= len(values):
            raise UserError(f"{self._path}: a tensor reaches beyond its bytes; fetch it again")
        step = values.dtype.itemsize
        view = np.lib.stride_tricks.as_strided(values[offset:], shape, [s * step for s in strides])
        return np.array(view)
