"""List presets, show one, check a file, or copy one into your own folder to change it.

examples:
  sidechain presets                      which there are
  sidechain presets show dj              its text
  sidechain presets check my.toml        is it right? names line, key and the nearest valid key
  sidechain presets copy dj party        make an own one from it, for an editor
"""

from __future__ import annotations

import argparse
import shutil
from typing import Any

from realtime import preset
from realtime.cli.common import add_json, print_json, print_table
from realtime.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_json(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="which there are (also without ACTION)")
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON for scripts")
    show = actions.add_parser("show", help="print a preset's text")
    show.add_argument("name", help="name or file")
    check = actions.add_parser("check", help="check presets; exit status 2 if one is wrong")
    check.add_argument("name", nargs="+", help="names or files")
    copy = actions.add_parser("copy", help="copy a preset into your own folder")
    copy.add_argument("name", help="the preset to copy")
    copy.add_argument("new", help="its new name")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.action == "show":
        print(_path(args.name).read_text(encoding="utf-8"), end="")
    elif args.action == "check":
        for name in args.name:
            check(name)
            print(f"{name}: fine")
    elif args.action == "copy":
        print(_copy(args.name, args.new))
    else:
        _list(args.json)
    return 0


def check(name: str) -> preset.Preset:
    """Read a preset and check all of it: schema, plugins with parameters, outputs, routes."""
    from realtime.cli.build import check_preset

    loaded = preset.load(name)
    check_preset(loaded, name)
    return loaded


def _path(name: str) -> Any:
    preset.load(name)  # unknown or unreadable: its error names the nearest
    return preset.available().get(name) or preset.Path(name)


def _copy(name: str, new: str) -> str:
    if not new.replace("-", "").replace("_", "").isalnum():
        raise UserError(f"'{new}' is no name for a preset: letters, digits, - and _ only")
    target = preset.user_folder() / f"{new}.toml"
    if target.exists():
        raise UserError(f"preset {target} exists already; choose another name or delete it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_path(name), target)
    except OSError as e:
        raise UserError(f"preset {target}: cannot be written ({e.strerror})") from e
    return str(target)


def _list(as_json: bool) -> None:
    found: list[dict[str, Any]] = []
    for name, path in preset.available().items():
        own = path.parent == preset.user_folder()
        try:
            loaded, error = preset.load(name), ""
        except UserError as e:
            loaded, error = preset.Preset(), str(e)
        found.append(
            {
                "name": name,
                "description": loaded.description,
                "plugins": [p for p, settings in loaded.plugins.items() if settings.enabled],
                "outputs": [str(o.get("kind", "")) for o in loaded.outputs],
                "path": str(path),
                "own": own,
                "error": error,
            }
        )
    if as_json:
        print_json(found)
        return
    rows = (
        (
            p["name"],
            p["error"] or p["description"],
            " ".join(p["plugins"]),
            " ".join(p["outputs"]),
            "own" * p["own"],
        )
        for p in found
    )
    print_table(("name", "for", "plugins", "outputs", ""), rows)
