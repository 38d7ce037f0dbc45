"""What runs in a worker process of the slow lane: one plugin, at low priority, with sound of its own.

The main thread prepares the plugin and calls it; a second thread takes orders, and ends the process when the host
has gone, whatever the plugin is doing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from realtime.errors import PluginError, UserError
from realtime.hosting import registry
from realtime.hosting.kindslots import EventCaller, make_slot
from realtime.hosting.plugin import AudioInput, Feature, PluginFactory
from realtime.hosting.slot import Slot
from realtime.hosting.slow import wire
from realtime.hosting.slow.ear import Ear, snippet
from realtime.hosting.slow.jobs import run_job
from realtime.hosting.slow.shared import Board, Sound

NICE = 10
"""Niceness of a worker: it gets a tenth of what an ordinary process gets, where both want a core."""
_NAP = 0.1
_MOST_ORDERS = 64


@dataclass(frozen=True)
class Task:
    """What a worker is to do.

    Attributes
    ----------
    key : str
        Name of the plugin in the preset, looked up in the registry.
    factory : PluginFactory or None
        In its place, where a program has brought its own.
    parameters, texts : dict
    sources : tuple of str
        In place of the descriptor's; empty = as it says.
    folder : str
        Where a job's sound is kept.
    """

    key: str
    factory: PluginFactory | None
    parameters: dict[str, float]
    texts: dict[str, str]
    sources: tuple[str, ...] = ()
    folder: str = ""
    enabled: bool = True
    parent: int = field(default_factory=os.getpid)


def main(task: Task, sound: Sound, board: Board, link: socket.socket) -> None:
    """Entry point of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    step_back()
    end_with_parent(task.parent)
    with contextlib.suppress(OSError):
        os.dup2(2, 1)  # what a plugin prints must not get between the lines that the host prints
    pipe = wire.WorkerEnd(link)
    worker = Worker(task, sound, board, pipe)
    try:
        worker.prepare()
    except UserError as e:
        pipe.send("refused", str(e)[: wire.MOST_LABEL])
        return
    except BaseException as e:
        traceback.print_exc()
        pipe.send("refused", f"{e.__class__.__name__}: {e}"[:500])
        return
    with contextlib.suppress(OSError):  # the host has gone
        worker.run()


def step_back() -> None:
    """Give way to everything else on the machine."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(max(0, NICE - os.nice(0)))
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    if sys.platform == "win32":
        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), 0x4000)  # BELOW_NORMAL_PRIORITY_CLASS


def end_with_parent(parent: int) -> None:
    """Have the system end this process when its parent has ended, where it does that (Linux)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(0)


class Worker:
    """One plugin and its sound."""

    def __init__(self, task: Task, sound: Sound, board: Board, pipe: wire.WorkerEnd) -> None:
        self._task, self._sound, self._board, self._pipe = task, sound, board, pipe
        self._orders: deque[wire.Message] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._rest_until = 0.0
        self._gaps = 0
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def prepare(self) -> None:
        """Make the plugin and see what it costs; raises ``UserError``."""
        task = self._task
        factory = task.factory if task.factory is not None else registry.find(task.key)
        self._slot: Slot = make_slot(factory, task.parameters, task.texts, task.sources)
        self._slot.prepare()
        limit_torch()
        self._slot.enabled = task.enabled
        self._ear = Ear(self._sound, factory.descriptor.input) if factory.descriptor.kind == "window" else None
        if self._ear is not None:
            self._slot.feed = self._ear.feed
        self._report()
        self._board["ready"] = 1.0
        self._pipe.send("ready")

    def run(self) -> None:
        """Until told to stop."""
        slot, board = self._slot, self._board
        while not self._stopping:
            board["beat"] = time.monotonic()
            while self._orders and not self._stopping:
                board["busy_since"] = time.monotonic()
                self._obey(*self._orders.popleft())
                board["busy_since"] = 0.0
            nap = _NAP
            if slot.enabled and not self._stopping:
                nap = self._turn()
            if nap > 0.0 and not self._orders:
                self._wake.wait(min(nap, _NAP))
            self._wake.clear()
        slot.close()

    # -- the plugin's turn --------------------------------------------------------------------------------

    def _turn(self) -> float:
        """Run what is due; returns the seconds until there may be something."""
        if isinstance(self._slot, EventCaller):
            return self._call_events(self._slot)
        if self._ear is None:
            return _NAP
        missing = self._ear.listen()
        if missing:
            self._slot.skipped(missing)
            self._board["gaps"] += self._ear.gaps - self._gaps
            self._gaps = self._ear.gaps
        rest = self._rest_until - time.monotonic()
        if rest > 0.0:
            return rest
        if not self._slot.ready(now := self._sound.now()):
            return self._ear.wait() or _NAP / 4
        self._board["drops"] += self._ear.newest()
        feed = self._ear.feed
        self._call(now, feed.stream.time((feed.taken + 1) * feed.spec.hop))
        return 0.0

    def _call_events(self, slot: EventCaller) -> float:
        """Run the events whose sound is there; the oldest gives way where there are too many."""
        for happening in slot.waiting():
            block = snippet(self._sound, slot.spec, happening.time + slot.descriptor.after)
            if block is None:
                return 0.004
            slot.give(happening, *block)
            self._call(self._sound.now(), block[1])
        return _NAP

    def _call(self, now: float, end: float) -> None:
        board, slot = self._board, self._slot
        begun = time.monotonic()
        board["busy_since"] = begun
        results: list[Feature] = []
        try:
            results = slot.run(now)
            for result in results:
                self._check(now, result)
        except PluginError as e:
            self._pipe.send("fault", str(e)[: wire.MOST_LABEL])
            results = []
        finally:
            board["busy_since"] = 0.0
        spent = time.monotonic() - begun
        for at in range(0, len(results), 16):
            self._pipe.send("results", results[at : at + 16])
        board["time"] = end
        board["lag"] = self._sound.now() - end
        self._report()
        duty = board["duty"]
        if 0.0 < duty < 1.0:
            self._rest_until = begun + spent / duty

    def _check(self, now: float, result: Feature) -> None:
        """What is too long for the pipe is a failure of the plugin, as what it raises; raises ``PluginError``."""
        try:
            wire.checked(self._slot.descriptor, result)
        except wire.GarbageError as e:
            self._slot.fail(now, PluginError(str(e)))

    def _report(self) -> None:
        slot, board = self._slot, self._board
        board["cost"], board["cost_p99"], board["cost_max"] = slot.cost.percentiles()
        board["calls"], board["errors"] = float(slot.cost.calls), float(slot.errors)
        board["enabled"] = float(slot.enabled)
        board["memory"] = resident_mb()
        board["load"] = min(1.0, board["cost"] / slot.hop_seconds) if self._ear is not None else 0.0

    # -- orders -------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """The second thread."""
        with contextlib.suppress(OSError, ValueError):
            for order in self._pipe.receive():
                if order.kind == "stop":
                    self._stopping = True
                while len(self._orders) >= _MOST_ORDERS:
                    self._orders.popleft()
                self._orders.append(order)
                self._wake.set()
        os._exit(0)

    def _obey(self, kind: str, content: list[Any]) -> None:
        slot = self._slot
        if kind == "set":
            slot.set(*content)
        elif kind == "text":
            slot.set_text(*content)
        elif kind == "turn":
            slot.turn(*content)
            if self._ear is not None:
                self._ear.rewind()
            self._report()
        elif kind == "event" and isinstance(slot, EventCaller):
            self._board["drops"] += slot.offer(*content)
        elif kind == "job":
            spec = slot.descriptor.input
            assert isinstance(spec, AudioInput)
            run_job(slot, self._sound, spec, self._board, self._pipe, self._task.folder, *content)
            self._report()


def resident_mb() -> float:
    """Most memory that this process had in RAM, MB, where /proc does not say it to the host (macOS); else 0."""
    if sys.platform != "darwin":
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def limit_torch() -> None:
    """One thread for torch, if the plugin has brought it in."""
    torch = sys.modules.get("torch")
    if torch is not None:
        with contextlib.suppress(Exception):
            torch.set_num_threads(1)
