"""Event files: JSON lines, one event or value each, as ``analyze`` and the recorder write them.

``{"time": 12.345, "emitted": 12.34, "plugin": "beat", "output": "beat", "value": 2, "label": null}``; times in
stream seconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realtime.bus import Event
from realtime.errors import UserError


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an event file."""

    time: float
    emitted: float
    plugin: str
    output: str
    value: float | tuple[float, ...] | None
    label: str | None

    @property
    def name(self) -> str:
        """``plugin.output``."""
        return f"{self.plugin}.{self.output}"


def line(event: Event | Entry) -> str:
    """An event as a line, with its end; numbers that are not finite become null."""
    return _dumps(
        {
            "time": _number(event.time),
            "emitted": _number(event.emitted),
            "plugin": event.plugin,
            "output": event.output,
            "value": [_number(v) for v in event.value] if isinstance(event.value, tuple) else _number(event.value),
            "label": event.label,
        }
    )


def read(path: Path) -> list[Entry]:
    """All entries of a file, in its order.

    A last line that was cut off by a crash is left out.

    Raises
    ------
    UserError
        Unreadable, or a line is none of ours (its number is named).
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(f"event file {path}: cannot be read ({e})") from e
    return parse(lines, str(path))


def parse(lines: Iterable[str], origin: str) -> list[Entry]:
    """Entries from lines; see :func:`read`."""
    found: list[Entry] = []
    torn = ""
    for number, text in enumerate(lines, 1):
        if torn:
            raise UserError(torn)
        if not text.strip():
            continue
        try:
            found.append(_entry(json.loads(text)))
        except (ValueError, TypeError, KeyError, RecursionError) as e:
            torn = f"event file {origin}: line {number} is not an event ({e.__class__.__name__}: {e})"
    if torn and not found:
        raise UserError(torn)
    return found


def _entry(data: Any) -> Entry:
    value = data["value"]
    time = float(data["time"])
    if not math.isfinite(time):
        raise ValueError("time is not a number")
    return Entry(
        time,
        float(data["emitted"]) if data.get("emitted") is not None else time,
        str(data["plugin"]),
        str(data["output"]),
        tuple(float(v) for v in value if v is not None)
        if isinstance(value, list)
        else None
        if value is None
        else float(value),
        None if data.get("label") is None else str(data["label"]),
    )


def _number(x: float | None) -> float | None:
    return x if x is not None and math.isfinite(x) else None


def _dumps(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, allow_nan=False) + "\n"
