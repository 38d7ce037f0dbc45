"""List the plugins: what each one tells, its kind and lane, latency, parameters, licence and weights.

examples:
  sidechain plugins                   all of them, one line each
  sidechain plugins pitch             one in full: parameters with ranges, outputs with units
  sidechain plugins vamp              ... and which Vamp plugins are installed
  sidechain plugins ./my_plugin.py    one of your own, before it is installed
  sidechain plugins --json            for scripts
  sidechain plugins new my-plugin     write one that works, to change (--kind frame, window or bundle)
  sidechain plugins check ./my-plugin does it keep to the contract? exit status 1 if not
  sidechain plugins export ./my-plugin/network.py:Network ./my-plugin     a torch module as a bundle's model
"""

from __future__ import annotations

import argparse
from typing import Any

from realtime.cli import plugin_tools
from realtime.cli.common import add_json, notice, print_json, print_table
from realtime.hosting import registry
from realtime.hosting.plugin import AudioInput, Descriptor, Output, Parameter
from realtime.hosting.registry import Entry
from realtime.hosting.spectral import FluxSpec, LogMelSpec
from realtime.store.store import Store
from realtime.store.weights import weights


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "plugin",
        nargs="*",
        help="show these in full: identifiers, plugin files or folders; or: new NAME, check PLUGIN …, "
        "export MODULE:CLASS FOLDER",
    )
    plugin_tools.add_arguments(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.plugin and args.plugin[0] in plugin_tools.ACTIONS:
        return plugin_tools.run(args)
    entries = [_entry(name) for name in args.plugin] if args.plugin else list(registry.discover().values())
    if args.json:
        hosts = _hosted if args.plugin else _nothing
        store = Store()
        print_json([describe(e) | _weights(e, store) | hosts(e) for e in entries])
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
        "kind": d.kind,
        "lane": d.lane,
        "latency_ms": round(d.latency * 1e3, 3),
        "input": _input(d),
        "parameters": [_parameter(p) for p in d.parameters],
        "texts": [
            {
                "identifier": t.identifier,
                "name": t.name,
                "default": t.default,
                "live": t.live,
                "description": t.description,
            }
            for t in d.texts
        ],
        "sources": list(d.sources),
        "outputs": [_output(o) for o in d.outputs],
        "error": "",
    }


def _weights(entry: Entry, store: Store) -> dict[str, str]:
    d = entry.descriptor
    return {"weights": weights(d, store)} if d is not None else {}


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
    kind = "flux" if isinstance(spec, FluxSpec) else "logmel" if isinstance(spec, LogMelSpec) else "stft"
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
    rows, store = [], Store()
    for e in sorted(entries, key=lambda e: e.identifier):
        d = e.descriptor
        if d is not None:
            outputs = " ".join(o.identifier for o in d.outputs)
            rows.append(
                (
                    *(d.identifier, d.name, d.kind, d.lane, f"{d.latency * 1e3:.0f} ms", outputs),
                    *(d.license, weights(d, store), e.origin),
                )
            )
    print_table(("identifier", "name", "kind", "lane", "latency", "outputs", "licence", "weights", "from"), rows)
    for e in entries:
        if e.error:
            notice(f"plugin '{e.identifier}' from {e.origin} cannot be loaded: {e.error}")


def _print_one(entry: Entry) -> None:
    d = entry.descriptor
    assert d is not None  # registry.find raises otherwise
    print(f"{d.identifier}: {d.name} {d.version}, by {d.maker}, licence {d.license}")
    print(f"  {d.description}")
    given = ", ".join(f"{k} {v}" for k, v in _input(d).items())
    print(f"  kind {d.kind}, lane {d.lane}, latency {d.latency * 1e3:.1f} ms; is given: {given}")
    if needed := weights(d, Store()):
        print(f"  weights {needed}")
    if d.sources:
        print(f"  {'called on' if d.kind == 'event' else 'reads'}: {', '.join(d.sources)}")
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
    if d.texts:
        print_table(
            ("  text", "default", "", ""),
            (
                (
                    f"  {t.identifier}",
                    repr(t.default[:60]),
                    "" if t.live else "needs a restart",
                    t.description or t.name,
                )
                for t in d.texts
            ),
        )
    print_table(
        ("  output", "kind", "unit", "range", ""),
        (
            (f"  {d.identifier}.{o.identifier}", o.kind, o.unit, f"{o.minimum:g} … {o.maximum:g}", o.description)
            for o in d.outputs
        ),
    )
    if found := _installed(entry):
        print_table(("  installed", ""), ((f"  {key}", about) for key, about in found))


def _installed(entry: Entry) -> list[tuple[str, str]]:
    """What it finds on this machine to host; bundles host nothing."""
    find = getattr(entry.factory, "installed", None)
    return find() if find is not None else []


def _hosted(entry: Entry) -> dict[str, Any]:
    return {"installed": [{"key": key, "about": about} for key, about in _installed(entry)]}


def _nothing(entry: Entry) -> dict[str, Any]:
    return {}


def _range(p: Parameter) -> str:
    return ", ".join(p.choices) if p.choices else f"{p.minimum:g} … {p.maximum:g} {p.unit}".rstrip()


def _default(p: Parameter) -> str:
    return p.choices[int(p.default)] if p.choices else f"{p.default:g}"
