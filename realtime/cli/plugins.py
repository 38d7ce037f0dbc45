"""List the plugins: what each one tells, its lane, latency, parameters and licence.

examples:
  sidechain plugins                   all of them, one line each
  sidechain plugins pitch             one in full: parameters with ranges, outputs with units
  sidechain plugins ./my_plugin.py    one of your own, before it is installed
  sidechain plugins --json            for scripts
"""

from __future__ import annotations

import argparse
from typing import Any

from realtime.cli.common import add_json, notice, print_json, print_table
from realtime.hosting import registry
from realtime.hosting.plugin import AudioInput, Descriptor, Output, Parameter
from realtime.hosting.registry import Entry
from realtime.hosting.spectral import LogMelSpec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "plugin", nargs="*", help="show these in full: identifiers, plugin files or bundle folders"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    entries = [_entry(name) for name in args.plugin] if args.plugin else list(registry.discover().values())
    if args.json:
        print_json([describe(e) for e in entries])
    elif args.plugin:
        for entry in entries:
            _print_one(entry)
    else:
        _print_all(entries)
    return 0


def _entry(name: str) -> Entry:
    factory = registry.find(name)
    return Entry(factory.descriptor.identifier, name, factory)


def describe(entry: Entry) -> dict[str, Any]:
    """A plugin as plain data, the shape of ``--json``."""
    d = entry.descriptor
    if d is None:
        return {"identifier": entry.identifier, "origin": entry.origin, "error": entry.error}
    return {
        "identifier": d.identifier,
        "name": d.name,
        "description": d.description,
        "maker": d.maker,
        "license": d.license,
        "version": d.version,
        "origin": entry.origin,
        "lane": d.lane,
        "latency_ms": round(d.latency * 1e3, 3),
        "input": _input(d),
        "parameters": [_parameter(p) for p in d.parameters],
        "outputs": [_output(o) for o in d.outputs],
        "error": "",
    }


def _input(d: Descriptor) -> dict[str, Any]:
    spec = d.input
    if isinstance(spec, AudioInput):
        return {
            "kind": "audio",
            "sample_rate": spec.sample_rate,
            "channels": spec.channels,
            "hop": spec.hop,
            "window": spec.length,
        }
    kind = "logmel" if isinstance(spec, LogMelSpec) else "stft"
    return {"kind": kind, "sample_rate": spec.sample_rate, "hop": spec.hop, "window": spec.window}


def _parameter(p: Parameter) -> dict[str, Any]:
    return {
        "identifier": p.identifier,
        "name": p.name,
        "unit": p.unit,
        "minimum": p.minimum,
        "maximum": p.maximum,
        "default": p.default,
        "choices": list(p.choices),
        "live": p.live,
        "description": p.description,
    }


def _output(o: Output) -> dict[str, Any]:
    return {
        "identifier": o.identifier,
        "kind": o.kind,
        "unit": o.unit,
        "minimum": o.minimum,
        "maximum": o.maximum,
        "size": o.size,
        "rate": o.rate,
        "description": o.description,
    }


def _print_all(entries: list[Entry]) -> None:
    rows = []
    for e in sorted(entries, key=lambda e: e.identifier):
        d = e.descriptor
        if d is not None:
            outputs = " ".join(o.identifier for o in d.outputs)
            rows.append((d.identifier, d.name, d.lane, f"{d.latency * 1e3:.0f} ms", outputs, d.license, e.origin))
    print_table(("identifier", "name", "lane", "latency", "outputs", "licence", "from"), rows)
    for e in entries:
        if e.error:
            notice(f"plugin '{e.identifier}' from {e.origin} cannot be loaded: {e.error}")


def _print_one(entry: Entry) -> None:
    d = entry.descriptor
    assert d is not None  # registry.find raises otherwise
    print(f"{d.identifier}: {d.name} {d.version}, by {d.maker}, licence {d.license}")
    print(f"  {d.description}")
    given = ", ".join(f"{k} {v}" for k, v in _input(d).items())
    print(f"  lane {d.lane}, latency {d.latency * 1e3:.1f} ms; is given: {given}")
    print_table(
        ("  parameter", "range", "default", "", ""),
        (
            (
                f"  {p.identifier}",
                _range(p),
                _default(p),
                "" if p.live else "needs a restart",
                p.description or p.name,
            )
            for p in d.parameters
        ),
    )
    print_table(
        ("  output", "kind", "unit", "range", ""),
        (
            (f"  {d.identifier}.{o.identifier}", o.kind, o.unit, f"{o.minimum:g} … {o.maximum:g}", o.description)
            for o in d.outputs
        ),
    )


def _range(p: Parameter) -> str:
    return ", ".join(p.choices) if p.choices else f"{p.minimum:g} … {p.maximum:g} {p.unit}".rstrip()


def _default(p: Parameter) -> str:
    return p.choices[int(p.default)] if p.choices else f"{p.default:g}"
