"""What ``analyze`` keeps of a run: every event, and the continuous values that are wanted."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from realtime.bus import Event, Value
from realtime.errors import UserError
from realtime.outputs.eventfile import Entry, line

Take = Callable[[Entry], object]


class Collector:
    """A tap of the bus that hands on events and wanted values, in the order of the run.

    Parameters
    ----------
    wanted : frozenset of str or None
        Names ``plugin.output`` of the values to hand on; None = all.
    take : callable
        Is given each entry at once.
    now : callable
        Stream seconds that the run has come to: when a value was known.
    """

    def __init__(self, wanted: frozenset[str] | None, take: Take, now: Callable[[], float]) -> None:
        self.events = 0
        self._wanted = wanted
        self._take = take
        self._now = now

    def event(self, event: Event) -> None:
        """An event was published."""
        self.events += 1
        self._take(Entry(event.time, event.emitted, event.plugin, event.output, event.value, event.label))

    def value(self, name: str, value: Value) -> None:
        """A value was replaced."""
        if self._wanted is None or name in self._wanted:
            plugin, _, output = name.partition(".")
            self._take(Entry(value.time, self._now(), plugin, output, value.value, value.label))


def take_to_stdout(entry: Entry) -> None:
    """Write an entry as a line on standard output."""
    sys.stdout.write(line(entry))


@contextmanager
def take_to_lines(place: Path) -> Iterator[Take]:
    """Write entries as JSON lines; the file gets its name when all is well, and is not there otherwise.

    Raises
    ------
    UserError
        It cannot be written.
    """
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.", suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield lambda entry: file.write(line(entry))
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, place)
        temporary = ""
    except OSError as e:
        raise UserError(f"{place}: cannot be written ({e.strerror})") from e
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    """The process's mask for new files; ``mkstemp`` makes them private."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
