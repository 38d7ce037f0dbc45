"""Reads programs of ``torch.export`` (``.pt2``) without torch's own loader.

``torch.export.load`` may unpickle weights, load compiled libraries from the archive, and evaluate strings of it
as Python. Nothing of that is needed to run a network: the graph is JSON, the weights are raw bytes. Only those two
are read here; members of the archive that are pickles or libraries are refused where they matter, else ignored.

The layout is that of ``torch/export/pt2_archive`` and ``torch/_export/serde/schema.py`` (torch 2.9 and newer).
"""

from __future__ import annotations

import json
import math
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realtime.errors import UserError
from realtime.hosting.bundles import files

MOST_JSON = 64 << 20
_MOST_VALUES = files.MOST_BYTES // 4
_SCHEMA = 8
_TARGET = re.compile(r"torch\.ops\.(aten|prims)\.([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)\Z")
_FORBIDDEN = re.compile(
    r"from_file|set_$|set_\.|resize_|_reinterpret_tensor|set_data|record_stream|_resize_output_"
)
_LIBRARIES = (".so", ".dll", ".dylib", ".cubin", ".o", ".cpp", ".pyd")


@dataclass(frozen=True, slots=True)
class Operator:
    """One step of the graph: ``torch.ops.NAMESPACE.NAME.OVERLOAD`` with its arguments, as in the JSON."""

    namespace: str
    name: str
    overload: str
    inputs: list[Any]
    outputs: list[Any]


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter, buffer or constant: its bytes and the view of them that it is."""

    data: bytes
    kind: int
    sizes: list[int]
    strides: list[int]
    offset: int
    buffer: bool


@dataclass(frozen=True, slots=True)
class Program:
    """What a ``.pt2`` file says.

    Attributes
    ----------
    weights : dict of str to Weight
        By name within the module (``linear.weight``).
    places : dict of str to str
        Name in the graph of each weight, by its name within the module.
    inputs, outputs : list of str
        Names in the graph of what the program takes and gives, in order.
    mutated : dict of str to str
        Name in the graph of the value that a buffer has after a run, by the buffer's name within the module.
    values : dict of str to dict
        What is known of each tensor in the graph.
    """

    weights: dict[str, Weight]
    places: dict[str, str]
    inputs: list[str]
    outputs: list[str]
    mutated: dict[str, str]
    operators: list[Operator]
    values: dict[str, Any]


def read(path: Path) -> Program:
    """Read and check a program.

    Raises
    ------
    UserError
        Not such a file, written by an older torch, with pickles or libraries where a network needs none, with
        operators beyond those of torch itself, or with free sizes.
    """
    with files.open_archive(path) as archive:
        names = archive.namelist()
        root = _root(path, names)
        library = next((n for n in names if n.lower().endswith(_LIBRARIES) or "/aotinductor/" in n), None)
        if library is not None:
            raise UserError(f"{path}: holds the program '{library}'; save it with torch.export.save, not compiled")
        models = [n for n in names if n.startswith(f"{root}models/") and n.endswith(".json")]
        if len(models) != 1:
            raise UserError(
                f"{path}: holds {len(models)} programs; save one with torch.export.save (torch 2.9 or newer)"
            )
        document = _json(path, archive, models[0])
        name = models[0].removeprefix(f"{root}models/").removesuffix(".json")
        try:
            version = document["schema_version"]["major"]
            if version != _SCHEMA:
                raise UserError(
                    f"{path}: has format {version}, known is {_SCHEMA}; export it with torch 2.9 to 2.13"
                )
            weights = _weights(path, archive, root, "weights", f"{name}_weights_config.json")
            weights |= _weights(path, archive, root, "constants", f"{name}_constants_config.json")
            return _program(path, document["graph_module"], weights)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as e:
            raise UserError(
                f"{path}: not a program of torch.export ({e.__class__.__name__}: {e}); export it again"
            ) from e


def _root(path: Path, names: list[str]) -> str:
    if any(n.rsplit("/", 1)[-1] == "serialized_exported_program.json" for n in names):
        raise UserError(f"{path}: was written by a torch before 2.9, with pickled weights; export it again")
    found = [n for n in names if n.endswith("archive_format") and n.count("/") <= 1]
    if not found:
        kind = "TorchScript; name it .pt" if any("/code/" in n for n in names) else "not a program of torch.export"
        raise UserError(f"{path}: is {kind}")
    return found[0].removesuffix("archive_format")


def _json(path: Path, archive: zipfile.ZipFile, name: str) -> Any:
    try:
        return json.loads(files.member(path, archive, name, MOST_JSON))
    except (ValueError, RecursionError) as e:
        raise UserError(f"{path}: the archive's file '{name}' is not JSON; export it again") from e


def _weights(path: Path, archive: zipfile.ZipFile, root: str, folder: str, config: str) -> dict[str, Weight]:
    if f"{root}data/{folder}/{config}" not in archive.namelist():
        return {}
    found: dict[str, Weight] = {}
    total = 0
    for name, entry in _json(path, archive, f"{root}data/{folder}/{config}")["config"].items():
        if entry["use_pickle"] or entry.get("tensor_meta") is None:
            raise UserError(f"{path}: '{name}' is a pickle, and pickles are never read; export plain tensors")
        meta = entry["tensor_meta"]
        file = str(entry["path_name"])
        if "/" in file or "\\" in file:
            raise UserError(f"{path}: '{name}' keeps its values in '{file[:100]}'; export it again")
        sizes, strides = _sizes(path, meta["sizes"]), _sizes(path, meta["strides"])
        if math.prod(sizes) > _MOST_VALUES:
            raise UserError(f"{path}: '{name}' of shape {sizes} is too large (most {_MOST_VALUES} values)")
        data = files.member(path, archive, f"{root}data/{folder}/{file}")
        total += len(data)
        if total > files.MOST_BYTES:
            raise UserError(f"{path}: weights of more than {files.MOST_BYTES >> 20} MB")
        offset = _sizes(path, [meta["storage_offset"]])[0]
        found[name] = Weight(data, int(meta["dtype"]), sizes, strides, offset, not entry["is_param"])
    return found


def _sizes(path: Path, given: list[Any]) -> list[int]:
    sizes = [d.get("as_int") for d in given]
    if not all(type(d) is int and d >= 0 for d in sizes):
        raise UserError(f"{path}: has free sizes; export it without dynamic_shapes")
    return sizes


def _program(path: Path, module: Any, weights: dict[str, Weight]) -> Program:
    graph, signature = module["graph"], module["signature"]
    places: dict[str, str] = {}
    inputs: list[str] = []
    for spec in signature["input_specs"]:
        ((kind, said),) = spec.items()
        if kind == "user_input":
            inputs.append(_tensor_name(path, said["arg"]))
        elif kind in ("parameter", "buffer", "tensor_constant"):
            name = said[f"{kind}_name"]
            if name not in weights:
                raise UserError(f"{path}: the values of '{name}' are missing; export it again")
            places[name] = said["arg"]["name"]
        elif kind != "constant_input":
            raise UserError(
                f"{path}: takes a '{kind}', which is not hosted; export a module that takes tensors only"
            )
    outputs: list[str] = []
    mutated: dict[str, str] = {}
    for spec in signature["output_specs"]:
        ((kind, said),) = spec.items()
        if kind == "user_output":
            outputs.append(_tensor_name(path, said["arg"]))
        elif kind == "buffer_mutation":
            mutated[said["buffer_name"]] = said["arg"]["name"]
        else:
            raise UserError(
                f"{path}: gives a '{kind}', which is not hosted; export a module that returns tensors only"
            )
    operators = [_operator(path, node) for node in graph["nodes"]]
    return Program(weights, places, inputs, outputs, mutated, operators, graph["tensor_values"])


def _tensor_name(path: Path, arg: Any) -> str:
    if "as_tensor" not in arg:
        raise UserError(f"{path}: takes or gives something that is no tensor; export a module of tensors only")
    return str(arg["as_tensor"]["name"])


def _operator(path: Path, node: Any) -> Operator:
    target = str(node["target"])
    match = _TARGET.match(target)
    if match is None or _FORBIDDEN.search(target):
        raise UserError(
            f"{path}: needs the operator '{target[:100]}', which is not hosted; use torch's own arithmetic"
        )
    return Operator(match[1], match[2], match[3], node["inputs"], node["outputs"])
