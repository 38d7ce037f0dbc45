"""A recording as a feed: the views see it as they saw the sound."""

from __future__ import annotations

import bisect
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from gui.feed import Done, Number
from realtime.bus import Event
from realtime.errors import UserError
from realtime.outputs import eventfile
from realtime.outputs.eventfile import Entry

AHEAD = 0.5
"""Seconds by which outlines of the sound are handed out early: each tells of the last half second."""

MOST_PACKETS = 512
_INDEX_EVERY = 1.0
_EVENTS = {"onset.onset", "drums.hit", "drums.onset", "voice.active", "pitch.note", "key.key_change"}
_EVENTS |= {"key.chord_change"}
_EVENTS |= {f"{p}.{n}" for p in ("structure", "structure-bar") for n in ("build", "drop", "breakdown", "change")}


def is_event(entry: Entry) -> bool:
    """Whether a line of a file is something that happened, not a sample of a value."""
    if entry.output == "beat" and entry.plugin != "transport":
        return True
    if entry.plugin in ("transport", "host"):
        return (
            entry.output in ("locked", "unlocked", "relocated") if entry.value is None else entry.output == "gap"
        )
    return entry.name in _EVENTS


class Replay:
    """A :class:`~gui.feed.Feed` from an event file. One thread, the window's.

    Parameters
    ----------
    path : Path
        A recording of the window, of the host (``--record``), or results of ``analyze``.

    Raises
    ------
    UserError
        It cannot be read, or is no event file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.paused = False
        self.speed = 1.0
        self._values: dict[str, Number] = {}
        self._plugins: dict[str, None] = {}
        self._lives, self._snapshots = 1, 0
        self._index: list[tuple[float, int]] = []
        self._replies: list[tuple[Done | None, str]] = []
        self._packets: list[tuple[str, str]] = []
        self._own_clock = False
        self._beat: tuple[float, float, float] = (0.0, 0.0, 0.0)
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as e:
            raise UserError(f"recording {path}: cannot be read ({e.strerror})") from e
        self._scan()
        self._position = self.begin
        self._ticked = time.monotonic()
        self._lines: Iterator[Entry] = self._read(0)
        self._next: Entry | None = next(self._lines, None)

    # -- as a feed ------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Always: it lies on disk."""
        return True

    @property
    def message(self) -> str:
        """What is shown."""
        return f"replay of {self.path.name}"

    @property
    def lives(self) -> int:
        """Rises when it is wound."""
        return self._lives

    @property
    def snapshots(self) -> int:
        """Rises with each frame that plays."""
        return self._snapshots

    def now(self) -> float:
        """Stream seconds of the recording."""
        return self._position

    def values(self) -> Mapping[str, Number]:
        """Values at this place."""
        return self._values

    def packets(self) -> list[tuple[str, str]]:
        """Texts of the scope that were passed."""
        found, self._packets = self._packets, []
        return found

    def status(self) -> Mapping[str, Any]:
        """As much of a host's status as a recording knows."""
        return {
            "preset": "", "version": "recording",
            "input": {"name": f"replay of {self.path.name}", "sample_rate": 0, "channels": 0, "latency_ms": 0.0,
                      "connected": True, "lost": 0},
            "transport": {"source": self._source},
            "plugins": [{"identifier": p, "enabled": True} for p in self._plugins],
            "outputs": [],
        }  # fmt: skip

    def events(self) -> list[Event]:
        """Advance, and hand out what has been passed."""
        now = time.monotonic()
        if not self.paused:
            self._position = min(self.end, self._position + (now - self._ticked) * self.speed)
            self._snapshots += 1
        self._ticked = now
        found: list[Event] = []
        while (entry := self._next) is not None and entry.emitted <= self._position + (
            AHEAD if entry.plugin == "scope" else 0.0
        ):
            if is_event(entry):
                found.append(Event(len(found), *_fields(entry)))
                if self._own_clock and entry.plugin == self._source and entry.output == "beat":
                    self._hear(entry)
            else:
                self._keep(entry)
            self._next = next(self._lines, None)
        if self._own_clock:
            self._tell()
        return found

    def call(self, method: str, params: Mapping[str, Any] | None = None, done: Done | None = None) -> None:
        """There is nobody to ask."""
        if done is not None and (method.startswith(("preset.", "plugin", "devices."))):
            self._replies.append((done, "this is a recording"))
        else:
            self._replies.append((None, f"{method}: this is a recording; stop the replay first"))

    def poll(self) -> list[str]:
        """Refusals."""
        replies, self._replies = self._replies, []
        for done, text in replies:
            if done is not None:
                done(None, text)
        return [text for done, text in replies if done is None]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    # -- as a player ----------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether the end is reached."""
        return self._position >= self.end

    def seek(self, position: float) -> None:
        """Go to a place, stream seconds; values are as they were a moment before."""
        self._position = min(self.end, max(self.begin, position))
        at = bisect.bisect_right(self._index, (self._position - 9.0, 1 << 62)) - 1
        self._lines = self._read(self._index[max(0, at)][1])
        self._next = next(self._lines, None)
        self._values = {}
        self._lives += 1

    # -- details --------------------------------------------------------------------------------------------

    def _scan(self) -> None:
        """One pass over the file: where which second is, which plugins speak, whether it holds a clock."""
        newest, marked, begin = 0.0, -1e9, None
        names: set[str] = set()
        offset = 0
        for number, raw in enumerate(self._file, 1):
            try:
                data = json.loads(raw)
                at, plugin = float(data["emitted"]), str(data["plugin"])
                names.add(f"{plugin}.{data['output']}")
            except (ValueError, KeyError, TypeError) as e:
                if not raw.endswith(b"\n"):
                    break
                self._file.close()
                raise UserError(f"recording {self.path}: line {number} is not an event") from e
            begin = at if begin is None else begin
            newest = max(newest, at)
            self._plugins.setdefault(plugin)
            if at >= marked + _INDEX_EVERY:
                marked = at
                self._index.append((at, offset))
            offset += len(raw)
        if begin is None:
            self._file.close()
            raise UserError(f"recording {self.path}: there is nothing in it")
        self.begin, self.end = begin, newest
        for own in ("transport", "host", "cost"):
            self._plugins.pop(own, None)
        self._own_clock = "transport.bpm" not in names
        self._source = next((p for p in ("beat", "tempo") if f"{p}.beat" in names), "beat")

    def _read(self, offset: int) -> Iterator[Entry]:
        file = self.path.open("rb")
        with file:
            file.seek(offset)
            for raw in file:
                try:
                    yield eventfile.parse([raw.decode()], str(self.path))[0]
                except (UserError, IndexError, UnicodeDecodeError):
                    return

    def _keep(self, entry: Entry) -> None:
        value = entry.label if entry.value is None else entry.value
        if isinstance(value, tuple):
            self._values[entry.name] = list(value)
        elif entry.plugin == "scope" and isinstance(value, str):
            if len(self._packets) < MOST_PACKETS:
                self._packets.append((entry.name, value))
        else:
            self._values[entry.name] = value

    def _hear(self, entry: Entry) -> None:
        before = self._beat[0]
        gap = entry.time - before
        bpm = 60.0 / gap if 0.2 < gap < 2.0 else self._beat[1]
        self._beat = (entry.time, bpm, float(entry.value) if isinstance(entry.value, (int, float)) else 0.0)

    def _tell(self) -> None:
        """A clock from beats alone, for recordings that hold none."""
        at, bpm, place = self._beat
        alive = bpm > 0 and self._position - at < 4.0
        phase = min(0.999, max(0.0, (self._position - at) * bpm / 60.0)) if alive else 0.0
        self._values |= {
            "transport.state": "locked" if alive else "searching", "transport.bpm": bpm,
            "transport.beat_phase": phase,
            "transport.beat_in_bar": place, "transport.confidence": 1.0 if alive else 0.0,
        }  # fmt: skip


def _fields(entry: Entry) -> tuple[float, float, str, str, float | tuple[float, ...] | None, str | None]:
    return entry.time, entry.emitted, entry.plugin, entry.output, entry.value, entry.label
