"""The recorder: all events of a session in a file of JSON lines, in the front process.

The file grows as ``NAME.part`` and gets its name at the end, so a file that has its name is whole. What was heard
until the last second is on disk even after a crash.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from realtime.client import EngineClient
from realtime.errors import UserError
from realtime.outputs import eventfile

FLUSH_EVERY = 1.0


class Recorder:
    """Records one session.

    Parameters
    ----------
    client : EngineClient
    path : Path
        File to write; one that is there already is kept as ``NAME.bak``.
    most_bytes : int
        Size at which recording ends by itself (the file is finished and kept).
    say : callable, optional
        Told in one line when recording ends by itself; on the recorder's thread.

    Raises
    ------
    UserError
        The path is a folder, or its folder is not there.

    Notes
    -----
    `start` and `stop` belong to the caller's thread; `status` may be used from any.
    """

    def __init__(
        self,
        client: EngineClient,
        path: Path,
        *,
        most_bytes: int = 1 << 30,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._client, self.path = client, path
        self.part = path.with_name(path.name + ".part")
        self._most = most_bytes
        self._say = say
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._discarded = False
        self.events = self.bytes = self.missed = 0
        self.message = ""
        try:
            if path.is_dir():
                raise UserError(f"recording {path}: this is a folder; name a file in it")
            if not path.parent.is_dir():
                raise UserError(f"recording {path}: the folder {path.parent} does not exist")
        except OSError as e:
            raise UserError(f"recording {path}: cannot be written ({e.strerror})") from e

    def start(self) -> None:
        """Create the ``.part`` file and record. Raises ``UserError`` if it cannot be written."""
        try:
            file = self.part.open("wb")
        except OSError as e:
            raise UserError(f"recording {self.path}: cannot be written ({e.strerror})") from e
        events = self._client.subscribe()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(file, events), name="recorder")
        self._thread.start()

    def stop(self) -> None:
        """Write what is left and give the file its name; may be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def discard(self) -> None:
        """End without a file: what was begun is thrown away, what was there before stays as it was."""
        self._discarded = True
        self.stop()
        self.part.unlink(missing_ok=True)

    def status(self) -> dict[str, Any]:
        """State of the recording, as plain data."""
        thread = self._thread
        return {
            "path": str(self.path),
            "recording": thread is not None and thread.is_alive(),
            "events": self.events,
            "bytes": self.bytes,
            "missed": self.missed,
            "message": self.message,
        }

    def _run(self, file: Any, events: Any) -> None:
        try:
            with file:
                flushed = time.monotonic()
                while True:
                    stopping = self._stopping.is_set()
                    while self._within() and (batch := events.poll()):
                        text = "".join(eventfile.line(e) for e in batch).encode()
                        file.write(text)
                        self.events += len(batch)
                        self.bytes += len(text)
                    self.missed = events.missed
                    if stopping or not self._within():
                        break
                    if time.monotonic() - flushed >= FLUSH_EVERY:
                        flushed = time.monotonic()
                        file.flush()
                    events.wait(0.2)
                file.flush()
                os.fsync(file.fileno())
            if not self._discarded:
                self._name()
        except OSError as e:  # the disk is full or gone: what was written stays as .part
            self._note(f"recording ended: {self.part}: {e.strerror}; what was written until then is kept there")

    def _within(self) -> bool:
        if self.bytes < self._most:
            return True
        if not self.message:
            self._note(f"recording ended: {self.path} has reached {self._most / 1e6:.0f} MB")
        return False

    def _name(self) -> None:
        if self.path.exists():
            os.replace(self.path, self.path.with_name(self.path.name + ".bak"))
        os.replace(self.part, self.path)

    def _note(self, text: str) -> None:
        self.message = text
        if self._say is not None:
            with contextlib.suppress(Exception):
                self._say(text)


class Recordings:
    """Recordings by command, into one folder: ``record.start``, ``record.stop``, ``record.status``.

    A client names a file, never a path: what comes over the network stays in the folder. With ``audio``, the
    engine records the sound beside the events, as ``NAME.flac``.
    """

    def __init__(self, client: EngineClient, folder: Path, say: Callable[[str], None] | None = None) -> None:
        self._client, self._folder, self._say = client, folder, say
        self._lock = threading.Lock()
        self._current: Recorder | None = None
        self._audio = False

    def methods(self) -> dict[str, Callable[..., Any]]:
        """Commands for a WebSocket server."""
        return {"record.start": self.start, "record.stop": self.stop, "record.status": self.status}

    def status(self) -> dict[str, Any]:
        """The recording that runs, or the last one; ``recording`` says which."""
        current = self._current
        return current.status() if current is not None else {"recording": False}

    def start(self, path: str = "", audio: bool = False) -> dict[str, Any]:
        """Start recording to a file of the folder; without a name, the date and time is its name."""
        name = path or time.strftime("%Y-%m-%d %H.%M.%S") + ".jsonl"
        if name != Path(name).name or name.startswith(".") or "\\" in name or "\0" in name or len(name) > 120:
            raise UserError(f"recording '{name[:40]}': give a plain file name; it is written to {self._folder}")
        with self._lock:
            if self._current is not None and self._current.status()["recording"]:
                raise UserError(f"recording to {self._current.path} already; stop it first")
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as e:
                raise UserError(f"recording: the folder {self._folder} cannot be made ({e.strerror})") from e
            recorder = Recorder(self._client, self._folder / name, say=self._say)
            recorder.start()
            self._current = recorder
            if audio:
                try:
                    sound = self._client.call("audio.start", {"name": Path(name).with_suffix(".flac").name})
                except UserError:
                    recorder.stop()
                    raise
                self._audio = True
                return recorder.status() | {"audio": sound}
            return recorder.status()

    def stop(self) -> dict[str, Any]:
        """End the recording and finish its file."""
        with self._lock:
            if self._current is None:
                raise UserError("nothing is being recorded")
            self._current.stop()
            if not self._audio:
                return self._current.status()
            self._audio = False
            return self._current.status() | {"audio": self._client.call("audio.stop", {})}
