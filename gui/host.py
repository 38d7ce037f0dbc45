"""A host of the window's own: started beside it, watched, ended with it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

START_WITHIN = 90.0
_URL = re.compile(r"http://(?:\[([0-9a-fA-F:]+)\]|([^:/]+)):(\d+)/")


class LocalHost:
    """``sidechain live`` in a process of its own.

    Parameters
    ----------
    arguments : sequence of str
        Of ``live``: input, preset, outputs.
    port : int
        Where it serves; 0 = any free port.
    again : bool
        Start it again when it ends by itself (the demo, a file).
    spawner : Executor, optional
        Starts the process, with the priority of its threads; its own where none is given.

    Notes
    -----
    `start`, `poll` and `stop` belong to one thread.
    """

    def __init__(
        self, arguments: Sequence[str], port: int = 0, again: bool = False, spawner: Executor | None = None
    ) -> None:
        self._arguments, self._again = list(arguments), again
        self._port = port
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._lines: deque[str] = deque(maxlen=200)
        self._found = threading.Event()
        self.port = 0
        self.restarts = 0
        # Started by a thread that is older than any politeness of the window's: a host inherits none of it.
        self._own_spawner = ThreadPoolExecutor(1, thread_name_prefix="host start") if spawner is None else None
        self._spawner: Executor = spawner or self._own_spawner  # type: ignore[assignment]
        self._spawner.submit(threading.get_ident).result()
        self._started = 0.0

    @property
    def pid(self) -> int:
        """Process id; 0 when it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    @property
    def ready(self) -> bool:
        """Whether it has said where it serves."""
        return self._found.is_set()

    def start(self) -> None:
        """Start it; it is ready a little later."""
        command = [sys.executable, "-m", "gui.hostchild", "live", "--no-ui", "--websocket"]
        command += [f"127.0.0.1:{self.port or self._port}", *self._arguments]
        root = str(Path(__file__).resolve().parent.parent)
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH", ""))))
        self._found.clear()
        self._started = time.monotonic()
        self._process = self._spawner.submit(
            subprocess.Popen,
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
        ).result()
        self._reader = threading.Thread(target=self._read, args=(self._process,), name="host messages")
        self._reader.start()

    def wait(self, seconds: float = START_WITHIN) -> bool:
        """Wait until it is ready; False if it ended or took too long."""
        end = time.monotonic() + seconds
        while not self._found.wait(0.05):
            if self.pid == 0 or time.monotonic() > end:
                return self._found.is_set()
        return True

    def poll(self) -> str:
        """Look after it; returns why it has ended for good, or an empty text."""
        process = self._process
        if process is None or process.poll() is None:
            return ""
        lived = time.monotonic() - self._started
        self._end_reader()
        self._process = None
        if self._again and process.returncode == 0 and lived > 2.0:
            self.restarts += 1
            self.start()
            return ""
        return self.last_words() or f"the host ended (exit status {process.returncode})"

    def last_words(self) -> str:
        """What it said last."""
        said = [line.removeprefix("sidechain: ") for line in self._lines if line.strip()]
        return said[-1] if said else ""

    def messages(self) -> str:
        """All that it said lately."""
        return "\n".join(self._lines)

    def stop(self) -> None:
        """End it in order, and wait; by force if it does not."""
        process = self._process
        self._again = False
        if self._own_spawner is not None:
            self._own_spawner.shutdown(wait=False)
        if process is None:
            return
        with contextlib.suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
        try:
            process.wait(6)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._end_reader()
        self._process = None

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self._lines.append(line.rstrip())
            if "WebSocket at" in line and (found := _URL.search(line)):
                self.port = int(found[3])
                self._found.set()
        process.stderr.close()

    def _end_reader(self) -> None:
        if self._reader is not None:
            self._reader.join(2)
