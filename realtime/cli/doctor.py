"""Check this machine and this installation, and say how to mend what is wrong.

Each line is 'ok', 'warning' (works, but not all of it) or 'problem' (something will fail), with a remedy.
Exit status 0 if there is no problem, 1 if there is.

examples:
  sidechain doctor
  sidechain doctor --json
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from realtime.cli.checks import CHECKS, Finding
from realtime.cli.common import add_json, print_json

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    findings = examine()
    if args.json:
        print_json([asdict(f) for f in findings])
    else:
        console = Console(highlight=False, soft_wrap=True)
        for f in findings:
            line = Text(f"{f.state:8}", style=_STYLES[f.state])
            line.append(f" {f.name}: {f.text}", style="default")
            if f.remedy:
                line.append(f"\n           → {f.remedy}", style="default")
            console.print(line)
    return 1 if any(f.state == "problem" for f in findings) else 0


def examine() -> list[Finding]:
    """All findings; a check that fails itself is a finding too."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings += check()
        except Exception as e:  # a check must never keep the others from being made
            name = check.__name__.strip("_")
            findings.append(Finding(name, "problem", f"{type(e).__name__}: {e}", "please report this"))
    return findings
