"""The project's own measurements. Each prints its figures; --json FILE writes them, with the machine they were
taken on.

examples:
  sidechain bench                           which there are
  sidechain bench load --json load.json     cost per plugin, real-time factor
  sidechain bench latency --help            the options of one
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

from realtime.cli.common import nearest, print_json, print_table
from realtime.errors import UserError

GROUP = "sidechain.benches"


@dataclass(frozen=True, slots=True)
class Bench:
    """One measurement: ``module:function``, called with the arguments after the name; returns the exit status."""

    name: str
    target: str
    help: str

    def load(self) -> Callable[[Sequence[str]], int]:
        """The function; raises ``UserError`` where a package that it needs is missing."""
        module, _, function = self.target.partition(":")
        try:
            found: Callable[[Sequence[str]], int] = getattr(importlib.import_module(module), function)
        except ModuleNotFoundError as e:
            raise UserError(f"bench '{self.name}' needs '{e.name}': pip install 'sidechain[dev]'") from e
        return found


BENCHES = (
    Bench(
        "capture", "realtime.audio.bench_capture:main", "frames lost beside a busy thread, C and Python callback"
    ),
    Bench("clock", "realtime.outputs.bench_clock:main", "jitter and drift of the outputs' clock"),
    Bench("outputs", "realtime.outputs.bench_outputs:main", "cost and punctuality of the outputs"),
    Bench("latency", "realtime.bench.latency:main", "sound → OSC for onsets, level and pitch, with its parts"),
    Bench(
        "interference",
        "realtime.bench.interference:main",
        "whether the fast lane and the clock notice plugins of the slow lane",
    ),
    Bench(
        "cost", "realtime.bench.cost:main", "cost of a call and share of a core of each installed plugin, any kind"
    ),
    Bench("load", "realtime.bench.load:main", "cost of each plugin, real-time factor, two simulated hours"),
)

TOLD = {"gui": "time of a frame, CPU, memory over an hour, and whether the engine notices the window"}
"""What those from entry points measure, where it is not recordings."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command; those of a bench are its own."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.add_argument("bench", nargs=argparse.REMAINDER, metavar="NAME …", help="which, with its options")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    benches = available()
    if args.bench:
        name, *options = args.bench
        if name not in benches:
            raise UserError(f"unknown bench '{name}'{nearest(name, benches)} ('sidechain bench' lists them)")
        return benches[name].load()(options)
    if args.json:
        print_json([{"name": b.name, "help": b.help} for b in benches.values()])
    else:
        print_table(("name", "measures"), ((b.name, b.help) for b in benches.values()))
    return 0


def available() -> dict[str, Bench]:
    """Benches by name; those of models come through entry points, as ``realtime`` knows no concrete model."""
    found = {b.name: b for b in BENCHES}
    for point in entry_points(group=GROUP):
        help_ = TOLD.get(point.name, f"scores of {point.name} on recordings with known truth")
        found[point.name] = Bench(point.name, point.value, help_)
    return found
