"""Writes a manifest as TOML (the standard library only reads it)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def dumps(data: Mapping[str, Any]) -> str:
    """Tables and arrays of tables as TOML; numbers, text, booleans and lists of them as values.

    Raises
    ------
    ValueError
        Something that TOML has no word for.
    """
    lines: list[str] = []
    _table(lines, "", data)
    return "\n".join(lines).strip() + "\n"


def _table(lines: list[str], prefix: str, data: Mapping[str, Any]) -> None:
    for key, value in data.items():
        if not isinstance(value, Mapping) and not _tables(value):
            lines.append(f"{key} = {_value(value)}")
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            lines += ["", f"[{name}]"]
            _table(lines, f"{name}.", value)
        elif _tables(value):
            for row in value:
                lines += ["", f"[[{name}]]"]
                _table(lines, f"{name}.", row)


def _tables(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    raise ValueError(f"{type(value).__name__} cannot be written as TOML")
