"""The project's own measurements. Each prints its figures, with the machine they were taken on; --json FILE
writes them too.

examples:
  sidechain bench                      which there are
  sidechain bench load                 cost per plugin, real-time factor
  sidechain bench latency --help       the options of one
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import time
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from realtime.cli.common import Parser, finite, nearest, print_json, print_table
from realtime.errors import UserError

GROUP = "sidechain.benches"

BENCHES: dict[str, tuple[str, str]] = {
    "capture": (
        "realtime.audio.bench_capture",
        "frames lost by the C and the Python callback beside a busy thread",
    ),
    "clock": ("realtime.outputs.bench_clock", "jitter and drift of the outputs' clock"),
    "outputs": ("realtime.outputs.bench_outputs", "cost and punctuality of OSC and WebSocket"),
    "latency": ("realtime.bench.latency", "sound → OSC for onsets, level and pitch"),
    "load": ("realtime.bench.load", "cost per hop of each plugin, real-time factor, two simulated hours"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command; those of a bench are its own."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.add_argument("bench", nargs=argparse.REMAINDER, metavar="NAME …", help="which, with its options")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    benches = available()
    if not args.bench:
        if args.json:
            print_json([{"name": n, "help": text} for n, (_, text) in benches.items()])
        else:
            print_table(("name", "measures"), ((n, text) for n, (_, text) in benches.items()))
        return 0
    name, *options = args.bench
    if name not in benches:
        raise UserError(f"unknown bench '{name}'{nearest(name, benches)} ('sidechain bench' lists them)")
    module = _load(name, benches[name][0])
    parser = Parser(
        prog=f"sidechain bench {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures there; '-' prints them")
    module.add_arguments(parser)
    given = parser.parse_args(options)
    figures = module.run(given)
    report = {"bench": name, "arguments": _plain(given), "machine": machine(), "figures": figures}
    if given.json == "-":
        print_json(report)
        return 0
    show(figures)
    if given.json:
        write_json(Path(given.json), report)
    return 0


def available() -> dict[str, tuple[str, str]]:
    """Benches by name: module and what they measure; those of models come through entry points."""
    found = dict(BENCHES)
    for point in entry_points(group=GROUP):
        found[point.name] = (point.value.partition(":")[0], f"scored on recordings ({point.value})")
    return found


def _load(name: str, path: str) -> ModuleType:
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as e:
        raise UserError(f"bench '{name}' needs the package '{e.name}': pip install 'sidechain[dev]'") from e


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        return next(line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def show(figures: Mapping[str, Any], indent: str = "") -> None:
    """Figures as lines for a person: groups indented, rows of equal shape as a table."""
    for key, value in figures.items():
        if isinstance(value, Mapping):
            print(f"{indent}{key}")
            show(value, indent + "  ")
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            print(f"{indent}{key}")
            columns = list(value[0])
            print_table(columns, ([_text(row.get(c)) for c in columns] for row in value))
        else:
            print(f"{indent}{key:24} {_text(value)}")


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_json(path: Path, data: Any) -> None:
    """Write atomically; raises ``UserError`` where that is not possible."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(finite(data), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as e:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written ({e.strerror})") from e


def _plain(args: argparse.Namespace) -> dict[str, Any]:
    return {k: v if isinstance(v, (int, float, bool, str)) or v is None else str(v) for k, v in vars(args).items()}
