"""Inputs of a PulseAudio (or PipeWire) server, with the monitors that carry what the computer plays."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

_TIMEOUT = 2.0
_SPECIFICATION = re.compile(r"(\d+)ch (\d+)Hz")


@dataclass(frozen=True, slots=True)
class PulseInput:
    """A source of the server: `name` for programs, `description` for people, unique among them."""

    name: str
    description: str
    channels: int
    sample_rate: int
    monitor: bool


def pulse_inputs() -> list[PulseInput]:
    """Sources of the server that is running; none if there is no server.

    Without the program ``pactl`` (Debian: pulseaudio-utils) the server cannot be asked: then only the monitor
    of its default output is offered, under the alias that every server knows.
    """
    if shutil.which("pactl") is None:
        return [PulseInput("@DEFAULT_MONITOR@", "Monitor of the default output", 2, 48_000, True)]
    try:
        answer = subprocess.run(
            ["pactl", "-f", "json", "list", "sources"], capture_output=True, timeout=_TIMEOUT, check=False
        )
        if answer.returncode == 0:
            return parse_sources(answer.stdout.decode("utf-8", "replace"))
        answer = subprocess.run(
            ["pactl", "list", "sources", "short"], capture_output=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return parse_short(answer.stdout.decode("utf-8", "replace")) if answer.returncode == 0 else []


def parse_sources(text: str) -> list[PulseInput]:
    """The answer of ``pactl -f json list sources``; what cannot be understood is left out."""
    try:
        rows = json.loads(text)
    except ValueError:
        return []
    return _distinct([_row(r) for r in rows if isinstance(r, dict)] if isinstance(rows, list) else [])


def parse_short(text: str) -> list[PulseInput]:
    """The answer of ``pactl list sources short``: number, name, module, format, state, parted by tabs."""
    rows = [line.split("\t") for line in text.splitlines()]
    return _distinct([_row({"name": r[1], "sample_specification": r[3]}) for r in rows if len(r) >= 4])


def _row(row: dict[str, Any]) -> PulseInput | None:
    name = row.get("name")
    form = _SPECIFICATION.search(str(row.get("sample_specification", "")))
    if not isinstance(name, str) or not name or form is None:
        return None
    monitor = name.endswith(".monitor") or bool(row.get("monitor_source"))
    description = str(row.get("description") or name)
    return PulseInput(name, description, int(form.group(1)), int(form.group(2)), monitor)


def _distinct(rows: list[PulseInput | None]) -> list[PulseInput]:
    found = [r for r in rows if r is not None]
    shared = [r.description for r in found]
    return [
        r
        if shared.count(r.description) == 1
        else PulseInput(r.name, f"{r.description} ({r.name})", r.channels, r.sample_rate, r.monitor)
        for r in found
    ]
