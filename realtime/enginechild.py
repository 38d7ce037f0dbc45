"""What runs in the engine's own process: an engine, and the line to the supervisor."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from multiprocessing.reduction import DupFd
from typing import Any

from realtime.audio.open import open_source
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.outputs.precise import SLOWLANE_PRIORITY, ask_for_priority
from realtime.preset import Preset

CHECK_IN = 0.02
"""Seconds between two reports of the child."""

_STATUS_EVERY = 10
_MOST_EVENTS = 4096
_FAILED = 3
_SWITCH_INTERVAL = 0.0005
_SETTING = ("plugin", "output", "preset", "rule")
_CLOCK = ("transport.metre", "transport.window")
"""What changes the preset as it stands, which the next child has to go on with."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the child is to run.

    Attributes
    ----------
    preset : dict
        A preset as plain data.
    input : str
        Device, file, ``demo``, ``-``; empty = as the preset says.
    off : list of str
        Plugins that hung in an earlier life: hosted, but off.
    start_at : float
        Seconds to skip in a file, so that a restart goes on where it was.
    parent : int
        Process id of the supervisor.
    record, recordings : str
        As of :class:`~realtime.engine.Engine`.
    """

    preset: dict[str, Any]
    input: str
    off: list[str]
    start_at: float
    parent: int
    record: str = ""
    recordings: str = ""


class Heartbeat:
    """Which plugin runs, since when: written by the fast lane, read by the supervisor, without a lock."""

    def __init__(self, since: Any = None, name: Any = None) -> None:
        self._since = since if since is not None else ctypes.c_double(0.0)
        self._name = name if name is not None else ctypes.create_string_buffer(64)

    @classmethod
    def shared(cls, context: SpawnContext) -> Heartbeat:
        """One that two processes see."""
        return cls(context.RawValue(ctypes.c_double, 0.0), context.RawArray(ctypes.c_char, 64))

    def __call__(self, plugin: str) -> None:
        """A plugin is about to run; "" = none does."""
        if plugin:
            self._name.value = plugin.encode()[:63]
            self._since.value = time.monotonic()
        else:
            self._since.value = 0.0

    def hung(self, after: float) -> str:
        """The plugin that has been running for longer than `after` seconds, or ""."""
        since = self._since.value
        if since and time.monotonic() - since > after:
            return bytes(self._name.value).decode(errors="replace")
        return ""


class Inherited:
    """A file descriptor that a spawned child gets along with its arguments (POSIX).

    Pickled while the child is being spawned, it becomes the descriptor's number in the child.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _detach, (DupFd(self._descriptor),)


def _detach(duplicate: Any) -> int:
    return int(duplicate.detach())


def main(job: Job, pipe: Connection, heartbeat: Heartbeat, stdin: Any) -> None:
    """Entry point of the child: run the engine until it ends, the supervisor says stop, or it has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        preset = Preset.model_validate(job.preset)
        for name in job.off:
            if name in preset.plugins:
                preset.plugins[name].enabled = False
        stream = os.fdopen(stdin, "rb", buffering=0) if stdin is not None else None
        source = open_source(preset.input, job.input, stdin=stream, start_at=job.start_at)
        engine = Engine(preset, source, heartbeat=heartbeat, record=job.record, recordings=job.recordings)
        line = _Line(engine, pipe)
        engine.start()
    except UserError as e:
        pipe.send(("refused", str(e)))
        return
    except Exception as e:  # a fault of ours: said where the user sees it, in full on stderr
        traceback.print_exc()
        pipe.send(("refused", f"the engine failed to start: {e.__class__.__name__}: {e}"))
        return
    gc.collect()
    gc.freeze()
    pipe.send(("ready",))
    ask_for_priority(
        SLOWLANE_PRIORITY
    )  # it reports: held up with the interpreter in hand, it would hold up the lane
    try:
        line.run()
    finally:
        engine.stop()
        engine.join()
        line.report(final=True)
        if not isinstance(engine.failure, (UserError, type(None))):
            # A new process may do better. Not by sys.exit: a sound library whose server has gone waits there.
            os._exit(_FAILED)
        with contextlib.suppress(OSError):
            pipe.send(("end",))


class _Line:
    """Reports to the supervisor and takes its orders. Sends on one thread, receives on another."""

    def __init__(self, engine: Engine, pipe: Connection) -> None:
        self._engine = engine
        self._pipe = pipe
        self._reader = engine.subscribe()
        self._sent: dict[str, Any] = {}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._count = 0

    def run(self) -> None:
        """Until the engine ends or the supervisor says stop."""
        threading.Thread(target=self._obey, name="orders", daemon=True).start()
        while self._engine.running and not self._stop.wait(CHECK_IN):
            self.report()

    def report(self, final: bool = False) -> None:
        """Send new events, changed values, and now and then the status."""
        values = self._engine.values()
        changed = {n: tuple(v) for n, v in values.items() if self._sent.get(n) is not v}
        self._sent = values
        status = None
        if final or self._count % _STATUS_EVERY == 0:
            status = self._engine.status()
            status["host"]["memory"] = _resident()
        self._count += 1
        events = [tuple(e) for e in self._reader.poll(_MOST_EVENTS)]
        self._send(("news", events, changed, status))

    def _obey(self) -> None:
        while True:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                self._stop.set()
                return
            if message[0] == "stop":
                self._stop.set()
            elif message[0] == "call":
                self._call(*message[1:])

    def _call(self, number: int, method: str, params: dict[str, Any]) -> None:
        answer, error = None, None
        try:
            answer = self._engine.call(method, params)
        except UserError as e:
            error = str(e)
        except Exception as e:  # a fault of ours, contained
            error = f"{method} failed: {e.__class__.__name__}: {e}"
        self._send(("answer", number, answer, error))
        if error is None and (method.split(".")[0] in _SETTING or method in _CLOCK):
            self._send(("preset", self._engine.current_preset().model_dump()))

    def _send(self, message: tuple[Any, ...]) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._pipe.send(message)


def _resident() -> int:
    """Resident memory of this process in bytes; 0 where it cannot be told."""
    try:
        with open("/proc/self/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        pass
    try:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    except ImportError:
        return 0
