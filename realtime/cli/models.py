"""Published model weights on this machine: list, fetch, remove, verify. No shipped preset needs any.

examples:
  sidechain models                        which there are, with licence and size, and which are here
  sidechain models get silero-vad         fetch one, after showing its licence
  sidechain models get silero-vad --accept    the same from a script: the licence is accepted
  sidechain models verify                 are the files here what was pinned? exit status 2 if not
  sidechain models remove silero-vad
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from realtime.cli.common import add_json, notice, print_json, print_table
from realtime.cli.progress import progress_bar
from realtime.errors import UserError
from realtime.store.entries import Entry
from realtime.store.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_json(parser)
    parser.add_argument("--folder", type=Path, help="the store (default: $SIDECHAIN_MODELS, or your data folder)")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="which there are (also without ACTION)")
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON for scripts")
    get = actions.add_parser("get", help="fetch models")
    get.add_argument("name", nargs="+")
    get.add_argument("--accept", action="store_true", help="accept the licence without being asked")
    get.add_argument("--trust", action="store_true", help="take files without a pinned checksum")
    remove = actions.add_parser("remove", help="delete models from this machine")
    remove.add_argument("name", nargs="+")
    verify = actions.add_parser("verify", help="compare files with their checksums; exit status 2 if one is wrong")
    verify.add_argument("name", nargs="*", help="default: all that are here")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    store = Store(args.folder)
    if args.action == "get":
        for name in args.name:
            _get(store, name, args.accept, args.trust)
    elif args.action == "remove":
        for name in args.name:
            print(f"{name}: {'removed' if store.remove(name) else 'is not here'}")
    elif args.action == "verify":
        _verify(store, args.name or [n for n in store.entries if store.state(n) != "missing"])
    else:
        _list(store, args.json)
    return 0


def _get(store: Store, name: str, accept: bool, trust: bool) -> None:
    entry = store.entry(name)
    if store.state(name) == "here" and not store.verify(name):
        print(f"{name}: is here already, in {store.folder / name}")
        return
    notice(f"{name}: {entry.title}, from {entry.place}, {_size(entry)}")
    notice(f"{name}: licence {_license(entry)} {entry.license_url}".rstrip())
    if not accept:
        _ask(entry)
    with progress_bar(name) as report:
        place = store.get(name, report, trust)
    print(f"{name}: {place}")


def _ask(entry: Entry) -> None:
    if not sys.stdin.isatty():
        raise UserError(f"model '{entry.name}': accept its licence ({_license(entry)}) with --accept")
    print(f"Accept the licence of {entry.name}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UserError(f"model '{entry.name}': its licence was not accepted; nothing was fetched")


def _verify(store: Store, names: list[str]) -> None:
    faults = []
    for name in names:
        found = store.verify(name)
        faults += found
        print(f"{name}: {'; '.join(f'{f.file} {f.fault}' for f in found) or 'right'}")
    if faults:
        wrong = sorted({f.model for f in faults})
        raise UserError(f"not right: {', '.join(wrong)}; mend with: sidechain models get {' '.join(wrong)}")


def _list(store: Store, as_json: bool) -> None:
    found = [(e, store.state(e.name)) for e in sorted(store.entries.values(), key=lambda e: e.name)]
    if as_json:
        keep = {"name", "title", "purpose", "license", "license_url", "commercial", "source", "size", "pinned"}
        print_json(
            [
                {
                    **{k: getattr(e, k) for k in sorted(keep)},
                    "place": e.place,
                    "state": s,
                    "folder": str(store.folder),
                }
                for e, s in found
            ]
        )
        return
    print_table(
        ("model", "what", "for", "licence", "size", "from", ""),
        [(e.name, e.title, e.purpose, _license(e), _size(e), e.place, s) for e, s in found],
    )


def _license(entry: Entry) -> str:
    return entry.license if entry.commercial else f"{entry.license} (not for commercial use)"


def _size(entry: Entry) -> str:
    return f"{entry.size / 1e6:.1f} MB" if entry.size else "size not known"
