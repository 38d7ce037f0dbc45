"""Recording what is seen: an event file that also holds the values and the sound's outline, for replay.

The format is that of :mod:`realtime.outputs.eventfile`, so everything that reads event files reads these.
"""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path

from gui.model import Model, unpack
from realtime.errors import UserError
from realtime.outputs import eventfile
from realtime.outputs.eventfile import Entry

EVERY = 0.05
"""Seconds between two samples of the values."""

MOST_BYTES = 2 << 30
_WAITING = 4096
_HOPS = 21  # a scope's result repeats 25 hops and is looked at every 2.5: one in so many hops is enough
_SKIPPED = ("cost.", "host.uptime")


class Tape:
    """One recording.

    Parameters
    ----------
    path : Path
        Grows as ``NAME.part`` and gets its name at the end.

    Raises
    ------
    UserError
        It cannot be written.

    Notes
    -----
    `take` and `finish` on the window's thread; a thread of its own writes, so that a slow disk cannot hold up
    the window. When it falls too far behind, what is new is dropped and counted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(path.name + ".part")
        try:
            self._file = self.part.open("w", encoding="utf-8")
        except OSError as e:
            raise UserError(f"recording {path}: cannot be written ({e.strerror})") from e
        self.lines = self.bytes = self.dropped = 0
        self.message = ""
        self.first: float | None = None
        self.last = 0.0
        self._sampled = -1.0
        self._seen: dict[str, object] = {}
        self._hops: dict[str, int] = {}
        self._queue: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._write, name="tape")
        self._thread.start()

    def take(self, model: Model) -> None:
        """What is new in this frame."""
        entries = [Entry(e.time, e.emitted, e.plugin, e.output, e.value, e.label) for e in model.fresh]
        now = model.now
        if now < self._sampled:
            self._sampled, self._seen, self._hops = -1.0, {}, {}
        if model.feed.connected and now - self._sampled >= EVERY:
            self._sampled = now
            entries += self._changed(model)
        if not entries:
            return
        if self.first is None:
            self.first = now
        self.last = now
        try:
            self._queue.put_nowait("".join(map(eventfile.line, entries)))
            self.lines += len(entries)
        except queue.Full:
            self.dropped += len(entries)

    def finish(self) -> str:
        """Write what is left and name the file; returns what went wrong, or an empty text."""
        self._queue.put(None)
        self._thread.join()
        return self.message

    def _changed(self, model: Model) -> list[Entry]:
        found = []
        now = model.now
        for name, value in model.values.items():
            if value is None or name.startswith(_SKIPPED):
                continue
            if name.startswith("scope."):
                hop = unpack(value)[0] if isinstance(value, str) else -1
                if hop < 0 or abs(hop - self._hops.get(name, -99)) < _HOPS:
                    continue
                self._hops[name] = hop
            elif self._seen.get(name) == value:
                continue
            self._seen[name] = value
            plugin, _, output = name.partition(".")
            if isinstance(value, str):
                found.append(Entry(now, now, plugin, output, None, value))
            elif isinstance(value, list):
                found.append(
                    Entry(now, now, plugin, output, tuple(v if v is not None else 0.0 for v in value), None)
                )
            else:
                found.append(Entry(now, now, plugin, output, float(value), None))
        return found

    def _write(self) -> None:
        try:
            with self._file as file:
                while (text := self._queue.get()) is not None:
                    if self.bytes + len(text) > MOST_BYTES:
                        self.message = self.message or f"recording ended: {MOST_BYTES >> 20} MB are reached"
                        continue
                    file.write(text)
                    self.bytes += len(text)
                file.flush()
                os.fsync(file.fileno())
            if self.path.exists():
                os.replace(self.path, self.path.with_name(self.path.name + ".bak"))
            os.replace(self.part, self.path)
        except OSError as e:
            self.message = f"{self.part}: {e.strerror}; what was written until then is kept there"
            while self._queue.get() is not None:
                pass
