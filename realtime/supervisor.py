"""The engine in a child process: started, watched, restarted, steered.

The real-time part shares its process (and so its interpreter lock) with nothing else. The supervisor mirrors
the engine's events and values in the front process and offers the same client interface as an engine in
process. If the child dies, hangs or swells, it is replaced within 2 s with the same preset and outputs; a
plugin that hung the lane is left off.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from realtime.bus import Bus, Event, Reader, Value
from realtime.enginechild import CHECK_IN, Heartbeat, Inherited, Job, main
from realtime.errors import UserError
from realtime.preset import InputSettings, Preset, explain

START_WITHIN = 60.0
"""Seconds a child may take to load its models and open its device."""

HANG_AFTER = 1.0
"""Seconds without a tick, inside one plugin, after which the child counts as hung."""

MOST_MEMORY = 4 << 30
"""Resident bytes of the child at which it is replaced (a leak)."""

_BACK_OFF = (0.0, 0.5, 1.0, 2.0, 5.0)
_CALL_WITHIN = 3.0


class Supervisor:
    """A supervised host.

    Parameters
    ----------
    preset : Preset
    input_text : str
        Device name, file, ``demo`` or ``-``; empty = as the preset says.
    record : str
        FLAC file to record the sound to; each further engine process goes on in ``NAME-2.flac``, ``NAME-3.flac`` …
    recordings : str
        Folder in which ``audio.start`` may record; empty = nowhere.

    Notes
    -----
    ``start`` and ``stop`` belong to one thread; everything else may be used from any thread.
    """

    def __init__(self, preset: Preset, input_text: str = "", *, record: str = "", recordings: str = "") -> None:
        self.preset = preset
        self._record, self._recordings, self._lives = record, recordings, 0
        self.restarts = 0
        self.bus = Bus()
        self._input = input_text
        self._events = self.bus.reader()
        self._status: dict[str, Any] = {}
        self._child: mp.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._heartbeat = Heartbeat()
        self._waiting: dict[int, Future[Any]] = {}
        self._next_call = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._ready: Future[None] = Future()
        self._thread: threading.Thread | None = None
        self._off: set[str] = set()
        self._before: tuple[Preset, str] | None = None
        self._changing: Future[None] | None = None
        self._again = False
        self._change_lock = threading.Lock()
        self._deaths: deque[float] = deque(maxlen=len(_BACK_OFF))

    # -- life ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the child and wait until sound runs. Raises ``UserError`` if the preset or device is wrong."""
        self._thread = threading.Thread(target=self._supervise, name="supervisor")
        self._thread.start()
        try:
            self._ready.result(START_WITHIN)
        except FutureTimeout:
            self.stop()
            raise UserError(
                f"the engine did not start within {START_WITHIN:g} s; 'sidechain doctor' may know why"
            ) from None
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the child (outputs are closed properly) and wait for it."""
        self._stopping.set()
        with contextlib.suppress(OSError, ValueError):
            self._send(("stop",))
        if self._thread is not None:
            self._thread.join()

    def use_input(
        self, device: str, channels: Sequence[int] = (), gain_db: float = 0.0, latency_ms: float = 0.0
    ) -> None:
        """Listen to something else from now on, in a fresh child; everything else stays as it is.

        Parameters
        ----------
        device : str
            Device name, file or ``demo``; empty = the default device.
        channels : sequence of int
            From 1; empty = all.
        gain_db, latency_ms : float

        Raises
        ------
        UserError
            The input cannot be opened; the host goes on with the one of before.
        """
        with self._change_lock:
            wanted = self.preset.input.model_dump() | {
                "device": device, "channels": list(channels), "gain_db": gain_db, "latency_ms": latency_ms,
            }  # fmt: skip
            try:
                settings = InputSettings.model_validate(wanted)
            except ValidationError as e:
                raise UserError(f"input: {explain(e, InputSettings)}") from e
            done: Future[None] = Future()
            self._changing = done
            self._before = (self.preset, self._input)
            self.preset = self.preset.model_copy(update={"input": settings})
            self._input = device
            self._again = True
            with contextlib.suppress(OSError, ValueError):
                self._send(("stop",))
            try:
                done.result(START_WITHIN)
            except FutureTimeout:
                raise UserError(f"input '{device}': the engine did not start within {START_WITHIN:g} s") from None
            finally:
                self._changing = self._before = None

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the host has ended by itself (end of a file); False after `timeout` seconds."""
        return self._ended.wait(timeout)

    @property
    def running(self) -> bool:
        """Whether the host has not ended for good (it may be restarting)."""
        return not self._ended.is_set()

    @property
    def pid(self) -> int | None:
        """Process id of the engine, for tests and monitors."""
        return self._child.pid if self._child is not None else None

    # -- client -------------------------------------------------------------------------------------------

    def events(self) -> list[Event]:
        """New events since the last call (one consumer; others ``subscribe``)."""
        return self._events.poll()

    def subscribe(self) -> Reader:
        """A consumer's own place in the events, from now on."""
        return self.bus.reader()

    def values(self) -> dict[str, Value]:
        """The newest values."""
        return self.bus.values()

    def status(self) -> dict[str, Any]:
        """The engine's newest status, with the supervisor's own part."""
        return self._status | {"restarts": self.restarts, "pid": self.pid}

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Run a command in the engine. Raises ``UserError``."""
        future: Future[Any] = Future()
        with self._lock:
            self._next_call += 1
            number = self._next_call
            self._waiting[number] = future
        try:
            self._send(("call", number, method, dict(params or {})))
            return future.result(_CALL_WITHIN)
        except FutureTimeout:
            raise UserError(f"{method}: the engine did not answer") from None
        except (OSError, ValueError):
            raise UserError(f"{method}: the engine is restarting; try again") from None
        finally:
            self._waiting.pop(number, None)

    # -- the supervisor's thread --------------------------------------------------------------------------

    def _supervise(self) -> None:
        try:
            while True:
                why = self._one_life()
                self._fail_waiting()
                if self._again and not self._stopping.is_set():
                    continue
                if not why or self._stopping.is_set() or not self._ready.done() or self._ready.exception():
                    return
                self.restarts += 1
                self._say(f"the engine {why}; restarting it")
                self._pause()
        except BaseException as e:
            if not self._ready.done():
                self._ready.set_exception(e)
            raise
        finally:
            self._ended.set()

    def _one_life(self) -> str:
        """One child from start to end. Returns why it ended, "" for a proper end."""
        context = mp.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._heartbeat = Heartbeat.shared(context)
        goes_on = self.restarts and not self._again
        start_at = float(self._status.get("host", {}).get("stream_seconds", 0.0)) if goes_on else 0.0
        self._again = False
        job = Job(
            self.preset.model_dump(),
            self._input,
            sorted(self._off),
            start_at,
            os.getpid(),
            self._next_record(),
            self._recordings,
        )
        with _stdin_for(self._input) as stdin:
            child = context.Process(
                target=main, args=(job, theirs, self._heartbeat, stdin), name="sidechain-engine"
            )
            child.start()
        self._child = child
        theirs.close()
        why = self._listen(child)
        child.join(2.0)
        if child.is_alive():
            child.kill()
            child.join()
        self._pipe.close()
        return why

    def _next_record(self) -> str:
        """Where the next engine records the sound: what an earlier one has written is kept."""
        self._lives += 1
        if not self._record or self._lives == 1:
            return self._record
        path = Path(self._record)
        return str(path.with_stem(f"{path.stem}-{self._lives}"))

    def _listen(self, child: mp.process.BaseProcess) -> str:
        """Take what the child sends until it ends, dies, hangs or swells."""
        pipe = self._pipe
        assert pipe is not None
        while True:
            try:
                if pipe.poll(CHECK_IN):
                    message = pipe.recv()
                    if message[0] == "end":
                        return ""
                    self._take(message)
                    continue
            except (EOFError, OSError):
                child.join(2.0)
                return f"died (exit status {child.exitcode})"
            if self._ready.done() and (hung := self._heartbeat.hung(HANG_AFTER)):
                self._off.add(hung)
                child.kill()
                return f"hung in plugin '{hung}', which stays off until it is turned on again"
            if not child.is_alive() and not pipe.poll(0):
                return f"died (exit status {child.exitcode})"

    def _take(self, message: tuple[Any, ...]) -> None:
        kind = message[0]
        if kind == "news":
            _, events, values, status = message
            for e in events:
                self.bus.mirror(Event(*e))
            for name, value in values.items():
                self.bus.set(name, *value)
            if status is not None:
                self._status = status
                if status["host"].get("memory", 0) > MOST_MEMORY and self._child is not None:
                    self._say(f"the engine uses {status['host']['memory'] >> 20} MB")
                    self._child.kill()
        elif kind == "answer":
            _, number, answer, error = message
            future = self._waiting.pop(number, None)
            if future is not None and not future.done():
                if error is None:
                    future.set_result(answer)
                else:
                    future.set_exception(UserError(error))
        elif kind == "preset":
            self.preset = Preset.model_validate(message[1])
        elif kind == "ready":
            if not self._ready.done():
                self._ready.set_result(None)
            if self._changing is not None and not self._again and not self._changing.done():
                self._changing.set_result(None)
        elif kind == "refused" and not self._ready.done():
            self._ready.set_exception(UserError(message[1]))
        elif kind == "refused" and self._before is not None:
            self.preset, self._input = self._before
            self._again = True
            if self._changing is not None and not self._changing.done():
                self._changing.set_exception(UserError(message[1]))
        elif kind == "refused":
            self._say(message[1])

    def _pause(self) -> None:
        """Wait a little longer the more often it has died lately."""
        now = time.monotonic()
        recent = sum(now - t < 30.0 for t in self._deaths)
        self._deaths.append(now)
        self._stopping.wait(_BACK_OFF[min(recent, len(_BACK_OFF) - 1)])

    def _say(self, text: str) -> None:
        at = float(self._status.get("host", {}).get("stream_seconds", 0.0))
        self.bus.publish(at, at, "host", "message", None, text)

    def _send(self, message: tuple[Any, ...]) -> None:
        with self._lock:
            if self._pipe is None:
                raise OSError("no engine")
            self._pipe.send(message)

    def _fail_waiting(self) -> None:
        for number in list(self._waiting):
            future = self._waiting.pop(number, None)
            if future is not None and not future.done():
                future.set_exception(UserError("the engine has gone; try again"))


@contextlib.contextmanager
def _stdin_for(input_text: str) -> Iterator[Inherited | None]:
    """The caller's standard input, for the child, if the sound comes from there (POSIX)."""
    if not (input_text == "-" or input_text.startswith("-,")) or os.name != "posix":
        yield None
        return
    descriptor = os.dup(0)
    try:
        yield Inherited(descriptor)
    finally:
        os.close(descriptor)
