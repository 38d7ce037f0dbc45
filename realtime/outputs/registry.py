"""The kinds of output there are, and the one place that checks a preset's ``[[outputs]]``.

A new kind of output is one file and one line here.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from realtime.errors import UserError
from realtime.outputs.output import Host, OutputPort, OutputSettings
from realtime.preset import explain

KINDS: Mapping[str, str] = {
    "osc": "realtime.outputs.osc:OscOutput",
    "osc-in": "realtime.outputs.osc_in:OscInput",
    "midi": "realtime.outputs.midi:MidiOutput",
    "midi-in": "realtime.outputs.midi_in:MidiInput",
    "link": "realtime.outputs.link:LinkOutput",
    "dmx": "realtime.outputs.dmx:DmxOutput",
    "os2l": "realtime.outputs.os2l:Os2lOutput",
}
"""Kind → ``module:Class``; a module is imported when a preset asks for its kind."""


def kinds() -> list[str]:
    """All kinds of output."""
    return sorted(KINDS)


def load(kind: str) -> type[OutputPort]:
    """The class of a kind of output.

    Raises
    ------
    UserError
        Unknown kind (with the nearest one), or a library that it needs is missing.
    """
    if kind not in KINDS:
        raise UserError(
            f"unknown kind of output '{kind}'{_nearest(kind, kinds())}; there are {', '.join(kinds())}"
        )
    module, name = KINDS[kind].split(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError as e:
        raise UserError(f"output '{kind}' is not available here: {e}") from e
    assert isinstance(found, type)
    assert issubclass(found, OutputPort)
    return found


def check(data: Mapping[str, Any], place: str = "output") -> OutputSettings:
    """One ``[[outputs]]`` table as settings of its kind; `place` names it in errors.

    Raises
    ------
    UserError
        One line that names the key and the nearest valid one.
    """
    kind = data.get("kind")
    if not isinstance(kind, str):
        raise UserError(f"{place}: 'kind' is missing; there are {', '.join(kinds())}")
    settings = load(kind).Settings
    try:
        return settings.model_validate(dict(data))
    except ValidationError as e:
        raise UserError(f"{place} ({kind}): {explain(e, settings)}") from e


def check_all(tables: Sequence[Mapping[str, Any]], origin: str = "preset") -> list[OutputSettings]:
    """All ``[[outputs]]`` of a preset, each with a name of its own.

    Outputs without a name are called after their kind: ``osc``, ``osc-2`` …

    Raises
    ------
    UserError
        As :func:`check`, or two outputs have the same name.
    """
    found: list[OutputSettings] = []
    taken: set[str] = set()
    for number, table in enumerate(tables, 1):
        settings = check(table, f"{origin}: output {number}")
        if settings.name in taken:
            raise UserError(f"{origin}: output {number}: the name '{settings.name}' is taken; give it another")
        if settings.name:
            taken.add(settings.name)
        found.append(settings)
    return [_named(s, taken) for s in found]


def create(settings: OutputSettings, host: Host) -> OutputPort:
    """An output from its settings, not yet open."""
    return load(settings.kind)(settings, host)


def parse_osc_target(text: str) -> dict[str, Any]:
    """``HOST:PORT`` (or ``[IPv6]:PORT``, ``:PORT``, ``PORT``) as settings of an OSC output.

    Raises
    ------
    UserError
        Not of that form, or the port is not 1–65535.
    """
    host, _, port = text.strip().rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535 or (":" in host and bare == host):
        raise UserError(f"OSC target '{text}': expected HOST:PORT, for example 127.0.0.1:9000")
    return {"kind": "osc", "name": f"osc {text.strip()}", "host": bare or "127.0.0.1", "port": int(port)}


def _named(settings: OutputSettings, taken: set[str]) -> OutputSettings:
    if settings.name:
        return settings
    name, number = settings.kind, 1
    while name in taken:
        number += 1
        name = f"{settings.kind}-{number}"
    taken.add(name)
    return settings.model_copy(update={"name": name})


def _nearest(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    return f"; did you mean '{near[0]}'?" if near else ""
