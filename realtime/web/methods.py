"""The methods that a client may call and their parameters, taken from the code that runs them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from realtime.client import EngineClient
    from realtime.engine import Engine
    from realtime.front import Listener

_TYPES: Mapping[object, dict[str, Any]] = {
    str: {"type": "string"},
    float: {"type": "number"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    dict: {"type": "object"},
    object: {},
    "str": {"type": "string"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "Sequence[int]": {"type": "array", "items": {"type": "integer"}},
}


def engine_methods() -> dict[str, dict[str, Any]]:
    """JSON schema of the parameters of each command of the engine, by method name."""
    from realtime.commands import Commands

    table = Commands(cast("Engine", None)).table  # what they take is known without an engine
    return {
        name: _schema(
            {k: _TYPES[kind] for k, kind in c.takes.items()}, [k for k in c.takes if k not in c.optional]
        )
        for name, c in table.items()
    }


def front_methods() -> dict[str, dict[str, Any]]:
    """The same for the commands that ``sidechain live`` adds beside the engine's."""
    from realtime.front import Front
    from realtime.outputs.recorder import Recordings

    nobody = cast("EngineClient", None)
    found = Recordings(nobody, Path()).methods() | Front(cast("Listener", None)).methods()
    return {name: _of(method) for name, method in found.items()}


def all_methods() -> dict[str, dict[str, Any]]:
    """All of them, sorted by name; ``subscribe`` has a definition of its own in the schema."""
    return dict(sorted((engine_methods() | front_methods()).items()))


def _of(method: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(method).parameters
    required = [name for name, p in parameters.items() if p.default is inspect.Parameter.empty]
    return _schema({name: _TYPES[p.annotation] for name, p in parameters.items()}, required)


def _schema(properties: dict[str, dict[str, Any]], required: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    return found | {"required": required} if required else found
