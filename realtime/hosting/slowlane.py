"""The slow lane: plugins that are too slow, too heavy or too wild for the fast lane, each in a process of its own.

The fast lane copies its sound into shared memory and, at each tick, publishes what the workers have found; it
never waits for any of them. One thread here starts, watches and replaces the workers, hands events on to the
plugins that are called on them, and shares out what the machine can spare.
"""

from __future__ import annotations

import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from realtime.bus import Bus
from realtime.hosting.slow import admission
from realtime.hosting.slow.shared import Sound
from realtime.hosting.slow.slot import SlowSlot
from realtime.hosting.slow.wire import Answer
from realtime.outputs.precise import SLOWLANE_PRIORITY, ask_for_priority

F32 = npt.NDArray[np.float32]

PULSE, IDLE_PULSE = 0.02, 0.05
"""Most seconds between two looks at the workers, where events are to be handed on and where not; a message of a
worker is taken at once."""

MOST_RESULTS = 1024
"""Results that may wait for the next tick; the oldest give way and are counted."""

_ADMIT_EVERY = 0.5
_THROTTLED = 0.95


class Item(NamedTuple):
    """What the fast lane is to publish: an event, or (empty `plugin`) a value by its full name."""

    plugin: str
    output: str
    time: float
    value: float | tuple[float, ...] | None
    label: str | None


class SlowLane:
    """Owns the workers of the slow plugins.

    Parameters
    ----------
    bus : Bus
    heard : callable, optional
        Told of sound that a job has made: the slot, and its path. On the slow lane's thread.

    Attributes
    ----------
    cores : float
        Cores that slow plugins may keep busy, all together.

    Notes
    -----
    ``write``, ``jump`` and ``deliver`` belong to the fast lane's thread; the rest to whoever owns the host.
    """

    def __init__(self, bus: Bus, heard: Callable[[SlowSlot, str], None] | None = None) -> None:
        self.sound: Sound | None = None
        self.slots: list[SlowSlot] = []
        self.dropped = 0
        self._bus = bus
        self._heard = heard
        self._results: deque[Item] = deque()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._leaving: list[SlowSlot] = []
        self._throttled: set[str] = set()
        self._admit_at = 0.0
        self.cores = admission.budget()

    # -- fast lane ----------------------------------------------------------------------------------------

    def write(self, samples: F32) -> None:
        """Sound of the engine, shape (n, channels)."""
        if self.sound is not None:
            self.sound.write(samples)

    def jump(self, origin: float) -> None:
        """The next sound is at `origin` stream seconds; what came before has nothing to do with it."""
        if self.sound is not None:
            self.sound.jump(origin)

    def deliver(self, now: float) -> None:
        """Publish what has been found since the last tick."""
        results, bus = self._results, self._bus
        while results:
            r = results.popleft()
            if r.plugin:
                at = now if r.time != r.time else r.time
                bus.publish(at, now, r.plugin, r.output, r.value, r.label)
            else:
                bus.set(r.output, r.time, r.value, r.label)

    # -- life ---------------------------------------------------------------------------------------------

    def open(self, channels: int, origin: float) -> None:
        """Make room for sound of so many channels, the first frame of which is at `origin` stream seconds."""
        if self.sound is None:
            sound = Sound(channels)
            sound.jump(origin)
            self.sound = sound

    def start(self) -> None:
        """Start the workers and the thread that watches them; ``open`` comes first."""
        if self._thread is None and not self._stop.is_set():
            self._thread = threading.Thread(target=self._run, name="slowlane")
            self._thread.start()

    def replace(self, slots: Sequence[SlowSlot]) -> None:
        """Run these plugins from now on; those that are there already go on."""
        gone = [s for s in self.slots if s not in slots]
        for slot in gone:
            slot.close()
        self._leaving = self._leaving + gone
        self.slots = list(slots)

    def stop(self) -> None:
        """End all workers and wait for them."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def running(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    # -- what workers say (a Desk) ------------------------------------------------------------------------

    def result(self, slot: SlowSlot, answer: Answer) -> None:
        """A result of a plugin."""
        output, plugin = answer.output, slot.identifier
        if output.kind in ("event", "audio"):
            self._put(Item(plugin, output.identifier, answer.time, answer.value, answer.label))
        else:
            self._put(Item("", f"{plugin}.{output.identifier}", answer.time, answer.value, answer.label))
        if output.kind == "audio" and answer.label and self._heard is not None:
            self._heard(slot, answer.label)

    def fault(self, text: str) -> None:
        """A line for the user about a plugin that has failed."""
        self._put(Item("host", "plugin_error", float("nan"), None, text))

    def job(self, slot: SlowSlot, number: int, state: str) -> None:
        """How a job stands."""
        self._put(Item("host", "job", float("nan"), float(number), f"{slot.identifier} {state}"))

    def progress(self, slot: SlowSlot, share: float, text: str) -> None:
        """How far a job is."""
        now = self.sound.now() if self.sound is not None else 0.0
        self._put(Item("", f"{slot.identifier}.progress", now, share, text or None))

    def _put(self, item: Item) -> None:
        while len(self._results) >= MOST_RESULTS:
            self._results.popleft()
            self.dropped += 1
        self._results.append(item)

    # -- its thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        # An ordinary thread that is held up with the interpreter in hand would hold up the fast lane.
        ask_for_priority(SLOWLANE_PRIORITY)
        reader = self._bus.reader()
        try:
            while not self._stop.is_set():
                now = time.monotonic()
                for event in reader.poll():
                    for slot in self.slots:
                        if slot.wants(event.name, event.plugin):
                            slot.offer(event.name, event.time, event.value, event.label)
                sound = self.sound
                assert sound is not None
                for slot in self.slots:
                    try:
                        slot.pulse(now, sound, self)
                    except Exception as e:  # a fault of ours must not take the other plugins along
                        slot.break_off(e, self)
                self._leaving = [s for s in self._leaving if s.pulse(now, sound, self)]
                if now >= self._admit_at:
                    self._admit_at = now + _ADMIT_EVERY
                    self._admit()
                self._wait()
        finally:
            everybody = [*self.slots, *self._leaving]
            for slot in everybody:
                slot.tell_to_stop()
            for slot in everybody:
                slot.stop()

    def _wait(self) -> None:
        """Until a worker says something, but not for long."""
        hurried = any(s.descriptor.kind in ("event", "job") for s in self.slots)
        pulse = PULSE if hurried else IDLE_PULSE
        links = [s.link for s in self.slots if s.link is not None]
        if links and sys.platform == "win32":
            select.select(links, [], [], pulse)
        elif links:
            wait(links, pulse)
        else:
            self._stop.wait(pulse)

    def _admit(self) -> None:
        """Share out the cores that are left; whoever gets less than it would take leaves windows out."""
        demands = {s.identifier: s.demand for s in self.slots}
        given = admission.shares(demands, self.cores)
        for slot in self.slots:
            name = slot.identifier
            # a job is one long call that cannot be paced; it counts, so that the others make room for it
            throttled = given[name] < _THROTTLED * demands[name] and slot.descriptor.kind != "job"
            slot.board["duty"] = given[name] if throttled else 1.0
            if throttled and name not in self._throttled:
                text = (
                    f"slow plugin '{name}' would take {demands[name]:.0%} of a core; it gets {given[name]:.0%} "
                    "and leaves windows out, so that everything else is on time"
                )
                self._put(Item("host", "message", float("nan"), None, text))
            if throttled:
                self._throttled.add(name)
            elif demands[name] < 0.5 * self.cores / max(1, len(self.slots)):
                self._throttled.discard(name)

    def values(self) -> dict[str, float]:
        """Figures of each plugin for the bus, ``host.slow.PLUGIN.…``; from any thread."""
        sound = self.sound
        if sound is None:
            return {}
        now = sound.now()
        found: dict[str, float] = {}
        for slot in self.slots:
            board, name = slot.board, f"host.slow.{slot.identifier}"
            found[f"{name}.age"] = slot.age(now)
            found[f"{name}.lag"] = board["lag"]
            found[f"{name}.cost"] = board["cost"]
            found[f"{name}.drops"] = board["drops"]
            found[f"{name}.restarts"] = float(slot.restarts)
            found[f"{name}.running"] = float(slot.state == "ready")
        return found

    def status(self) -> dict[str, Any]:
        """The lane itself, as plain data."""
        return {"cores": self.cores, "dropped": self.dropped, "running": self.running}
