"""Progress bars on long work, only where somebody is looking."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[[float, float], None]
"""``report(done, total)``, in seconds of sound or any other unit; total 0 = unknown."""


@contextmanager
def progress_bar(title: str, quiet: bool = False) -> Iterator[Report]:
    """A bar on stderr while the context lasts; nothing in a pipe or when quiet."""
    if quiet or not sys.stderr.isatty():
        yield _nothing
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total or None)


def _nothing(done: float, total: float) -> None:
    del done, total
