"""What every bench needs at its end: figures for a person, figures for a file, and the machine they hold for."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from realtime.errors import UserError


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """The argument parser of ``sidechain bench NAME``, with ``--json``."""
    made = argparse.ArgumentParser(
        prog=f"sidechain bench {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--json", metavar="FILE", help="write the figures there; '-' prints them instead")
    return made


def publish(name: str, args: argparse.Namespace, figures: Mapping[str, Any]) -> None:
    """Show the figures, and write them where ``--json`` says."""
    report = {"bench": name, "arguments": vars(args), "machine": machine(), "figures": figures}
    if args.json == "-":
        print(_dumps(report))
        return
    print(f"{name} on {machine_line()}")
    show(figures)
    if args.json:
        write_json(Path(args.json), report)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
        "busy": _load_average(),
    }


def machine_line() -> str:
    """The machine in one line."""
    m = machine()
    return f"{m['processor']}, {m['cores']} cores, {m['system']}, Python {m['python']}, {m['date']}"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        return next(line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _load_average() -> float | None:
    """Processes that wanted a core in the last minute: whether the machine was calm."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def show(figures: Mapping[str, Any], indent: str = "") -> None:
    """Figures as lines: groups indented, lists of equal rows as tables."""
    for key, value in figures.items():
        if isinstance(value, Mapping):
            print(f"{indent}{key}")
            show(value, indent + "  ")
        elif isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
            print(f"{indent}{key}")
            _rows(value, indent + "  ")
        else:
            print(f"{indent}{key:<28} {_text(value)}")


def _rows(rows: Sequence[Mapping[str, Any]], indent: str) -> None:
    columns = list(rows[0])
    cells = [columns, *([_text(row.get(c)) for c in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        print(indent + "  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths)))


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_json(path: Path, data: Any) -> None:
    """Write atomically; raises ``UserError`` where that is not possible."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(_dumps(data) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as e:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written ({e.strerror})") from e


def _dumps(data: Any) -> str:
    return json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {str(k): _plain(v) for k, v in data.items()}
    if isinstance(data, (list, tuple)):
        return [_plain(v) for v in data]
    return data if isinstance(data, (int, str, bool)) or data is None else str(data)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p99 and the largest; not numbers where there are no values."""
    if not values:
        return {"count": 0, "p50": math.nan, "p99": math.nan, "max": math.nan}
    ordered = sorted(values)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]

    return {"count": len(ordered), "p50": at(0.5), "p99": at(0.99), "max": ordered[-1]}


def progress(text: str) -> None:
    """A line on stderr that replaces the one before, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
