"""What several commands share: tables, JSON, addresses, lists on the command line."""

from __future__ import annotations

import argparse
import difflib
import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

from rich.console import Console
from rich.table import Table

from realtime.errors import UserError

WRONG_USE = 2
"""Exit status of wrong use and bad input."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line that ends with where to look."""

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with 2."""
        near = _nearest_option(self, message)
        print(f"{self.prog}: {message}{near} (see '{self.prog} --help')", file=sys.stderr)
        raise SystemExit(WRONG_USE)


def _nearest_option(parser: argparse.ArgumentParser, message: str) -> str:
    unknown = re.search(r"unrecognized arguments: (--[\w-]+)", message)
    if unknown is None:
        return ""
    options = list(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            options += [o for p in action.choices.values() for o in p._option_string_actions]
    near = difflib.get_close_matches(unknown[1], options, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


class Address(NamedTuple):
    """Where to send to or listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(text: str, lowest_port: int = 1) -> Address:
    """``HOST:PORT``, ``[IPv6]:PORT``, ``:PORT`` or ``PORT``; without a host it is 127.0.0.1."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or not lowest_port <= int(port) <= 65535:
        raise UserError(f"'{text}' is not HOST:PORT with a port of {lowest_port} to 65535, e.g. 127.0.0.1:9000")
    return Address(host.strip("[]") or "127.0.0.1", int(port))


def names(text: str) -> list[str]:
    """``a,b,c`` as a list without empties and repeats."""
    return list(dict.fromkeys(n.strip() for n in text.split(",") if n.strip()))


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"; did you mean '{near[0]}'?" if near else ""


def add_json(parser: argparse.ArgumentParser) -> None:
    """The ``--json`` flag of every listing."""
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")


def print_json(data: Any) -> None:
    """JSON on standard output; never NaN or Infinity, which other programs cannot read."""
    json.dump(finite(data), sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    print()


def finite(data: Any) -> Any:
    """The same data with infinite and undefined numbers as null and tuples as lists."""
    if isinstance(data, float):
        return data if abs(data) < float("inf") else None
    if isinstance(data, dict):
        return {str(k): finite(v) for k, v in data.items()}
    if isinstance(data, (list, tuple)):
        return [finite(v) for v in data]
    return data


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """A table as wide as the terminal; in a pipe, as wide as its text."""
    table = Table(*columns, title=title or None, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 240, highlight=False, markup=False).print(table)


def notice(text: str) -> None:
    """One line for the user on stderr, beside the results on stdout."""
    print(f"sidechain: {text}", file=sys.stderr, flush=True)
