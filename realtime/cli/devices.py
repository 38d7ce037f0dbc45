"""List the sound inputs: the names that --input takes, their channels and rates, and which of them carry
what the computer itself plays (loopback).

examples:
  sidechain devices
  sidechain devices --level             with the level each of them hears now
  sidechain live --input "NAME"         use one; a part of the name that fits only one is enough
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from realtime.cli.common import add_json, notice, print_json, print_table
from realtime.cli.progress import progress_bar
from realtime.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--level", action="store_true", help="listen to each for half a second and show its level")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from realtime.audio.devices import list_devices, measure_level

    devices = list_devices()
    rows: list[dict[str, Any]] = []
    with progress_bar("listening", quiet=not args.level) as bar:
        for number, device in enumerate(devices):
            row = asdict(device)
            if args.level:
                try:
                    row["level_db"], row["level_error"] = measure_level(device.name), ""
                except UserError as e:
                    row["level_db"], row["level_error"] = None, str(e)
                bar(number + 1, len(devices))
            rows.append(row)
    if args.json:
        print_json(rows)
    elif not rows:
        notice("no sound input here; files, 'demo' and '-' work as --input")
    else:
        _print(rows, args.level)
    return 0


def _print(rows: list[dict[str, Any]], level: bool) -> None:
    table = []
    for row in rows:
        marks = ("default " * row["default"] + "loopback" * row["loopback"]).strip()
        cells = [row["name"], row["api"], str(row["channels"]), f"{row['sample_rate']:g} Hz", marks]
        if level:
            cells.append(row["level_error"] or f"{row['level_db']:.1f} dB")
        table.append(cells)
    print_table(("name", "host API", "channels", "rate", "", *(["level"] if level else [])), table)
