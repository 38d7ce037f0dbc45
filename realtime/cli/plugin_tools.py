"""``sidechain plugins new | check | export``: for those who write plugins."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from realtime.cli.common import print_json
from realtime.errors import UserError
from realtime.hosting import registry

ACTIONS = ("new", "check", "export")
FAILED = 1

_STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the actions."""
    parser.add_argument("--kind", choices=("frame", "window", "bundle"), help="of 'new'; default: frame")
    parser.add_argument(
        "--weights", metavar="FILE", help="of 'export': .safetensors, or a checkpoint of tensors only"
    )
    parser.add_argument(
        "--set", metavar="PARAMETER=VALUE", action="append", default=[], help="of 'check': in place of the default"
    )
    parser.add_argument("--seconds", type=float, default=0.0, help="of 'check': sound to check with")


def run(args: argparse.Namespace) -> int:
    """Run one action; ``args.plugin`` holds its name and its words."""
    action, *words = args.plugin
    for flag, owner in (("kind", "new"), ("weights", "export"), ("set", "check"), ("seconds", "check")):
        if getattr(args, flag) and owner != action:
            raise UserError(f"--{flag} is for 'sidechain plugins {owner}'")
    if action == "new":
        return _new(words, args.kind or "frame")
    if action == "check":
        return _check(words, args)
    return _export(words, args.weights)


def _new(words: list[str], kind: str) -> int:
    from realtime.hosting import skeleton

    if len(words) != 1:
        raise UserError("sidechain plugins new NAME: one name, e.g. 'my-plugin'")
    place = Path(words[0])
    for path in skeleton.write(place, kind):
        print(path)
    here = place if place.is_absolute() else Path(".") / place
    shown = str(here) if here.is_absolute() else f"./{here.as_posix()}"
    print(f"\nnext: sidechain plugins check {shown}")
    print(f"      sidechain live --input demo --only level,{shown}")
    return 0


def _check(words: list[str], args: argparse.Namespace) -> int:
    from realtime.hosting.check import Verdict, check_plugin

    if not words:
        raise UserError("sidechain plugins check NAME or PATH: which plugin?")
    settings: dict[str, object] = {}
    for text in args.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--set {text}: must be PARAMETER=VALUE")
        settings[name] = _number(value)
    console = Console(highlight=False, markup=False)

    def told(verdict: Verdict) -> None:
        if not args.json:
            console.print(f"  {verdict.name:14}", end="")
            console.print(f"{verdict.state:5}", style=_STYLES[verdict.state], end="")
            console.print(f" {verdict.detail}", soft_wrap=True)

    reports = []
    for word in words:
        factory = registry.find(_place(word))
        if not args.json:
            print(f"{factory.descriptor.identifier}: {factory.descriptor.name}, from {word}", flush=True)
        report = check_plugin(factory, settings, args.seconds, told)
        reports.append(report)
        if not args.json:
            failed = len(report.failures)
            print(f"  {'keeps to the contract' if not failed else f'{failed} of the checks failed'}")
    if args.json:
        print_json([r.data() for r in reports])
    return 0 if all(r.ok for r in reports) else FAILED


def _place(word: str) -> str:
    """A name, or the path of something that is there, in the form that the registry takes for a path."""
    path = Path(word)
    is_path = path.exists() and (
        path.suffix == ".py" or (path / "plugin.toml").exists() or (path / "plugin.py").exists()
    )
    return str(path.resolve()) if is_path else word


def _number(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _export(words: list[str], weights: str | None) -> int:
    from realtime.hosting.bundles.export import export

    if len(words) != 2:
        raise UserError(
            "sidechain plugins export MODULE:CLASS FOLDER, e.g. ./my-plugin/network.py:Network ./my-plugin"
        )
    done = export(words[0], Path(words[1]), Path(weights) if weights else None)
    size = done.model.stat().st_size
    print(f"{done.model}: {size / 1000:.1f} kB, differs from torch by at most {done.difference:.1e} over 50 calls")
    return 0
