"""A slow plugin as its host sees it: a worker that is started, watched, started again, and given up.

Commands may come from any thread and are queued; everything else runs on the slow lane's thread, which calls
``pulse`` some dozens of times a second.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

from realtime.errors import UserError
from realtime.hosting.kindslots import matches
from realtime.hosting.plugin import PluginFactory
from realtime.hosting.slot import Slot
from realtime.hosting.slow.desk import Desk
from realtime.hosting.slow.jobs import job_folder
from realtime.hosting.slow.jobstate import JobState
from realtime.hosting.slow.process import WorkerProcess
from realtime.hosting.slow.shared import Board, Sound, WorkerCost
from realtime.hosting.slow.snapshot import Heard
from realtime.hosting.slow.wire import GarbageError, Message, checked
from realtime.hosting.slow.worker import Task

START_WITHIN = 180.0
"""Seconds a plugin may take to load its model."""

STALLED_AFTER = 1.5
"""Seconds without an answer, beyond what the plugin usually takes, after which that is said."""

FIRST_PAUSE = 0.5
"""Seconds before a worker is started again; twice as long each further time."""

MOST_FAILURES = 5
"""Failures of a worker after which its plugin is off until somebody turns it on."""

FORGIVEN_AFTER = 60.0
"""Seconds without failure after which earlier ones are forgotten."""

JOB_PATIENCE = 60.0
"""Least seconds a job may go on without a word of progress."""

IDLE_AFTER = 120.0
"""Seconds after which the worker of a job that nobody starts is ended: big models do not stay in memory."""

_MEASURE_EVERY = 0.25
_MOST_ORDERS = 64


class SlowSlot(Slot):
    """One plugin of the slow lane.

    Parameters
    ----------
    factory : PluginFactory
    parameters : dict of str to float
    texts : mapping of str to str
    sources : tuple of str
        In place of the descriptor's.
    brought : bool
        Whether the factory itself is handed to the worker (embedding), not its name.
    """

    alone = False

    def __init__(
        self,
        factory: PluginFactory,
        parameters: dict[str, float],
        texts: Mapping[str, str] | None = None,
        sources: tuple[str, ...] = (),
        brought: bool = False,
    ) -> None:
        super().__init__(factory, parameters, texts)
        self.board = Board()
        self.cost: Any = WorkerCost(self.board)
        self.sources = sources or self.descriptor.sources
        self.to = ""
        self.state = "off"
        self.restarts = self.stalls = 0
        self.memory_mb = 0.0
        self.job = JobState(self.identifier, self.board)
        self._brought = brought
        self._process: WorkerProcess | None = None
        self._orders: deque[tuple[Any, ...]] = deque(maxlen=_MOST_ORDERS)
        self._closing = self._ready = self._stalled = False
        self._started = self._measured = self._active = 0.0
        self._start_at = self._sick_at = -math.inf

    # -- any thread ---------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Nothing: the worker prepares the plugin, and the sound does not wait for it."""

    def ready(self, now: float) -> bool:
        """Never: it takes no part in the fast lane."""
        return False

    def set(self, identifier: str, value: float) -> None:
        """Change a live parameter (already checked)."""
        self.parameters[identifier] = value
        self._orders.append(("set", identifier, value))

    def set_text(self, identifier: str, value: str) -> None:
        """Change a live text setting."""
        self.texts[identifier] = value
        self._orders.append(("text", identifier, value))

    def turn(self, on: bool) -> None:
        """Turn it on (failures forgiven, started at once) or off."""
        if on and not self.enabled:
            self._failures, self._start_at = 0, -math.inf
        self.enabled = on
        self._orders.append(("turn", on))

    def close(self) -> None:
        """Have the worker ended; the slow lane does it."""
        self._closing = True

    def wants(self, name: str, plugin: str) -> bool:
        """Whether it is called on events of that name."""
        return self.descriptor.kind == "event" and plugin != self.identifier and matches(name, self.sources)

    def offer(self, name: str, at: float, value: Any, label: str | None) -> None:
        """An event that it is to be called on."""
        if self._ready:
            self._orders.append(("event", name, at, value, label))

    def start_job(self, request: dict[str, Any], results: Heard | None = None) -> int:
        """Begin a job, with what others have said (see ``snapshot``); returns its number. Raises ``UserError``."""
        if not self.enabled:
            raise UserError(f"job '{self.identifier}' is off{': ' + self.error if self.error else ''}")
        return self.job.start(request, results)

    def cancel_job(self) -> None:
        """End the job that runs. Raises ``UserError`` if none does."""
        self.job.cancel()

    @property
    def link(self) -> Any:
        """What can be waited on for a word of the worker; None without one."""
        process = self._process
        return process.end.link if process is not None else None

    @property
    def demand(self) -> float:
        """Share of a core that it would take without pauses."""
        if self._process is None or not self.enabled:
            return 0.0
        if self.descriptor.kind == "job":
            return float(self.job.running)
        return self.board["load"]

    @property
    def load(self) -> float:
        """Share of a core that its worker takes."""
        return self.board["load"]

    @property
    def latency(self) -> float:
        """Seconds from a sound to a result: hop, plugin, and what the newest results really took."""
        return self.hop_seconds + self.descriptor.latency + self.board["cost"]

    def age(self, now: float) -> float:
        """Stream seconds between the newest sound that was worked on and `now`; 0 = none was yet."""
        at = self.board["time"]
        return max(0.0, now - at) if at else 0.0

    def status(self) -> dict[str, Any]:
        """What the user sees of it."""
        board, process = self.board, self._process
        found = super().status() | {
            "overruns": self.stalls,
            "state": self.state,
            "pid": process.pid if process is not None else None,
            "restarts": self.restarts,
            "stalls": self.stalls,
            "drops": int(board["drops"]),
            "gaps": int(board["gaps"]),
            "lag_ms": 1000 * board["lag"],
            "duty": board["duty"],
            "memory_mb": self.memory_mb,
        }
        if self.descriptor.kind == "job":
            found["job"] = self.job.status()
        return found

    # -- the slow lane's thread ---------------------------------------------------------------------------

    def pulse(self, now: float, sound: Sound, desk: Desk) -> bool:
        """Do what is due; returns False once it is closed and its worker has ended."""
        if self._closing:
            self.stop()
            return False
        if self._process is None:
            if self.enabled and now >= self._start_at and (self.descriptor.kind != "job" or self.job.unfinished):
                self._start(now, sound, desk)
            elif not self.enabled:
                self.state = "off"
            if self._process is None and self.job.unfinished and (not self.enabled or self.job.cancelled):
                self._done(self.job.number, self.error or "it is off", desk)
            return True
        try:
            for message in self._process.end.receive():
                self._hear(message, now, desk)
        except GarbageError as e:
            self._lost(now, f"sends garbage ({e})", desk)
            return True
        self._watch(now, desk)
        if self._process is not None and self._ready:
            self._forward(now, desk)
        return True

    def break_off(self, error: Exception, desk: Desk) -> None:
        """A fault of ours in ``pulse``: this plugin is off, the others go on."""
        self._end_process()
        self._off(f"a fault of the host: {error.__class__.__name__}: {error}", desk)

    def tell_to_stop(self) -> None:
        """Ask the worker to end; ``stop`` then waits for it."""
        if self._process is not None:
            self._process.end.send("stop")

    def stop(self) -> None:
        """End the worker."""
        if self._process is not None:
            self._process.end.send("stop")
            self._process.finish(0.0 if self.board["busy_since"] else 1.0)
            self._process = None
        self._ready, self.state = False, "off"

    # -- inside -------------------------------------------------------------------------------------------

    def _start(self, now: float, sound: Sound, desk: Desk) -> None:
        task = Task(
            self.key,
            self._factory if self._brought else None,
            dict(self.parameters),
            dict(self.texts),
            self.sources,
            str(job_folder()),
        )
        self._orders.clear()
        self.board.clear()
        self._ready = self._stalled = False
        try:
            self._process = WorkerProcess(task, sound, self.board)
        except Exception as e:  # no process to be had, or a factory that cannot be pickled
            self._off(f"cannot be started ({e.__class__.__name__}: {e})", desk)
            return
        self._started = self._measured = self._active = now
        self.state = "starting"

    def _hear(self, message: Message, now: float, desk: Desk) -> None:
        kind, content = message
        try:
            if kind == "ready":
                self._ready, self.state, self._started = True, "ready", now
            elif kind == "refused":
                self._end_process()
                self._off(str(content[0]), desk)
            elif kind == "results":
                for item in content[0]:
                    desk.result(self, checked(self.descriptor, item))
            elif kind == "fault":
                self.errors += 1
                self.error = str(content[0])[:500]
                desk.fault(self.error)
            elif kind == "progress":
                self.job.share = float(content[0])
                desk.progress(self, self.job.share, str(content[1]))
            elif kind == "done":
                self._done(int(content[0]), str(content[1]), desk)
        except (IndexError, TypeError, ValueError) as e:
            raise GarbageError(f"a malformed message '{kind}'") from e

    def _watch(self, now: float, desk: Desk) -> None:
        process = self._process
        if process is None:
            return
        board, patience = self.board, self.descriptor.patience
        if self.descriptor.kind == "job":
            patience = max(patience, JOB_PATIENCE)
        if process.end.ended or not process.alive:
            self._lost(now, process.finish(0.5), desk)
            return
        if now - self._measured >= _MEASURE_EVERY:
            self._measured = now
            self.memory_mb = process.resident_mb() or board["memory"]
            if self.memory_mb > self.descriptor.memory_mb:
                uses, most = self.memory_mb, self.descriptor.memory_mb
                self._lost(now, f"uses {uses:.0f} MB of memory, more than its {most} MB", desk)
                return
        if not self._ready:
            if now - self._started > START_WITHIN:
                self._lost(now, f"did not get ready within {START_WITHIN:g} s", desk)
            return
        since = board["busy_since"]
        silent = now - (since or max(board["beat"], self._started))
        if silent > patience:
            self._lost(now, f"hangs: it has not answered for {patience:g} s", desk)
            return
        usual = 2.0 * board["cost_max"]
        if silent > max(STALLED_AFTER, min(usual, patience / 2)) and self.descriptor.kind != "job":
            if not self._stalled:
                self._stalled = True
                self.stalls += 1
                desk.fault(f"slow plugin '{self.identifier}' has not answered for {silent:.1f} s")
        else:
            self._stalled = False
        if self.enabled and self._ready and not board["enabled"] and not self._orders:
            self.enabled, self.state = False, "off"  # the worker has turned it off after failures
        if self._failures and now - self._sick_at > FORGIVEN_AFTER:
            self._failures = 0

    def _forward(self, now: float, desk: Desk) -> None:
        """Hand orders on; start and end jobs."""
        process = self._process
        assert process is not None
        while self._orders:
            order = self._orders[0]
            if not process.end.send(*order):
                return
            if order[0] == "turn":
                self.board["enabled"] = float(order[1])  # until the worker says so itself
                self.state = "ready" if order[1] else "off"
            self._orders.popleft()
        if self.descriptor.kind != "job":
            return
        request = self.job.request()
        if request is not None and process.end.send("job", self.job.number, *request):
            self.job.begun()
            desk.job(self, self.job.number, "started")
        if self.job.unfinished:
            self._active = now
        if self.job.deaf(now):
            self._end_process()
            self._done(self.job.number, "", desk)
        elif now - self._active > IDLE_AFTER:
            self.stop()

    def _done(self, number: int, fault: str, desk: Desk) -> None:
        how = self.job.finish(number, fault)
        if how.startswith("failed"):
            self.errors += 1
            self.error = fault[:500]
        if how:
            desk.job(self, number, how)

    def _lost(self, now: float, why: str, desk: Desk) -> None:
        """The worker is gone, or has to go: say so, and start another, or give up."""
        self._end_process()
        if self.job.running:
            self._done(self.job.number, f"its worker {why}", desk)
        self._failures += 1
        self._sick_at = now
        self.errors += 1
        if self._failures >= MOST_FAILURES:
            self._off(f"{why}; it is off after {self._failures} failures, turn it on again when mended", desk)
            return
        pause = FIRST_PAUSE * 2 ** (self._failures - 1)
        self.restarts += 1
        self._start_at, self.state = now + pause, "waiting"
        self.error = why[:500]
        desk.fault(f"slow plugin '{self.identifier}' {why}; starting it again in {pause:g} s")

    def _off(self, why: str, desk: Desk) -> None:
        self.enabled, self.state, self.error = False, "off", why[:500]
        desk.fault(f"slow plugin '{self.identifier}': {why}")

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None
        self._ready = False
