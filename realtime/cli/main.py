"""The command line: finds the command, runs it, and turns what goes wrong into one line and an exit status.

0 done · 1 a fault of ours · 2 wrong use or bad input · 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import platformdirs

from realtime.cli.common import WRONG_USE, Parser, nearest
from realtime.errors import UserError

EPILOG = """examples:
  sidechain live                          listen to the default input, or play the demo where there is none
  sidechain live --input demo --osc 192.168.1.20:7000
  sidechain analyze song.flac -o song.jsonl
  sidechain devices --level               which inputs there are, and which of them hear something
  sidechain doctor                        what is wrong here and how to mend it

'sidechain COMMAND --help' says more.
Exit status: 0 done, 2 wrong use or bad input, 1 a fault of ours, 130 Ctrl-C."""

FAULT = 1
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: a module with ``add_arguments(parser)`` and ``run(args) -> int``, loaded when used."""

    name: str
    module: str
    help: str


COMMANDS = (
    Command("live", "realtime.cli.live", "run the host on live sound, a file or the demo"),
    Command("gui", "realtime.cli.gui", "the live visualizer, with a host of its own or connected to one"),
    Command("analyze", "realtime.cli.analyze", "run the same plugins over files, faster than real time"),
    Command("devices", "realtime.cli.devices", "list the sound inputs"),
    Command("calibrate", "realtime.cli.calibrate", "measure the latency of the input with clicks, and set it"),
    Command("plugins", "realtime.cli.plugins", "list the plugins, their parameters, outputs and licences"),
    Command("presets", "realtime.cli.presets", "list, show, check and copy presets"),
    Command("index", "realtime.cli.index", "index a library of one's own, for similarity and fingerprints"),
    Command("models", "realtime.cli.models", "published model weights: list, fetch, remove, verify"),
    Command("doctor", "realtime.cli.doctor", "check this machine and say how to mend what is wrong"),
    Command("bench", "realtime.cli.bench", "the project's own measurements"),
)


def build_parser(chosen: str) -> Parser:
    """The command line, with the arguments of the one command that was chosen: only that is imported."""
    parser = Parser(
        prog="sidechain",
        description="Turns live sound into control: beat, voice, pitch and more as OSC, MIDI and WebSocket.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sidechain {version()}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS:
        sub = subparsers.add_parser(
            command.name, help=command.help, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if command.name == chosen:
            module = importlib.import_module(command.module)
            sub.description = module.__doc__
            sub.add_argument("--debug", action="store_true", help="show the traceback of an internal fault")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


def version() -> str:
    """Version of the installed package."""
    try:
        return metadata.version("sidechain")
    except metadata.PackageNotFoundError:
        return "0 (not installed)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    chosen = given[0] if given and not given[0].startswith("-") else ""
    names = [c.name for c in COMMANDS]
    if chosen and chosen not in names:
        hint = nearest(chosen, names)
        print(f"sidechain: unknown command '{chosen}'{hint} (see 'sidechain --help')", file=sys.stderr)
        return WRONG_USE
    try:
        args = build_parser(chosen).parse_args(given)
    except SystemExit as e:
        return int(e.code or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    return guarded(lambda: int(args.run(args) or 0), debug=args.debug)


def guarded(run: Callable[[], int], debug: bool = False) -> int:
    """Run a command's function; what goes wrong becomes one line on stderr and an exit status."""
    try:
        status = run()
        sys.stdout.flush()
        return status
    except UserError as e:
        print(f"sidechain: {one_line(e)}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: nothing left to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as e:
        if debug:
            traceback.print_exc()
        where = _write_traceback()
        told = f"; the traceback is in {where}" if where else "; run again with --debug"
        print(f"sidechain: internal fault: {type(e).__name__}: {one_line(e)}{told}", file=sys.stderr)
        return FAULT


def one_line(error: BaseException) -> str:
    """The message of an error without line breaks."""
    return " ".join(str(error).split())


def _write_traceback() -> Path | None:
    name = time.strftime("fault-%Y%m%d-%H%M%S.txt")
    for folder in (Path(platformdirs.user_log_dir("sidechain")), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / name
            path.write_text(traceback.format_exc(), encoding="utf-8")
        except OSError:
            continue
        return path
    return None


if __name__ == "__main__":
    sys.exit(main())
