"""One running host: built from a preset and a source, run, watched, steered.

The engine runs in the caller's own process (embedding, tests, ``analyze``) or in a child under
:mod:`realtime.supervisor`; it is the same code. It knows no concrete plugin and no user interface.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from realtime.audio.clock import StreamClock
from realtime.audio.source import Source
from realtime.bus import Bus, Event, Reader, Tap, Value
from realtime.commands import Commands
from realtime.errors import DeviceLost, UserError
from realtime.hosting.fastlane import FastLane
from realtime.hosting.plugin import ENGINE_RATE, PluginFactory
from realtime.hosting.slow.slot import SlowSlot
from realtime.hosting.slowlane import SlowLane
from realtime.outputs.precise import FASTLANE_PRIORITY, SLOWLANE_PRIORITY, ask_for_priority
from realtime.outputs.registry import check_all, create
from realtime.outputs.routing import Routing
from realtime.outputs.runner import Runner
from realtime.playing import Playing, next_downbeat
from realtime.preset import Preset
from realtime.switching import bind, make_slots, make_transports, split
from realtime.transport import Transport

_HEALTH_EVERY = 0.25
_ANSWER_WITHIN = 2.0


class Engine:
    """A host. ``start`` or ``run_offline`` once, then ``stop`` and ``join``.

    Parameters
    ----------
    preset : Preset
    source : Source
        Not yet open.
    plugins : dict of str to PluginFactory, optional
        In place of the preset's names looked up in the registry (embedding, tests).
    tap : Tap, optional
        Handed every event and value at once (runs over files).
    outputs : bool
        Whether to open the preset's outputs and OSC in; False for ``analyze``.
    heartbeat : callable, optional
        See :class:`~realtime.hosting.fastlane.FastLane`.
    record : str
        FLAC file to record live sound to, from its first frame on; empty = none.
    recordings : str
        Folder in which ``audio.start`` may record sound; empty = nowhere.

    Raises
    ------
    UserError
        A plugin, parameter, device or output of the preset is wrong; nothing is left open.

    Notes
    -----
    ``call``, ``status``, ``values``, ``events`` and ``subscribe`` may be used from any thread.
    """

    def __init__(
        self,
        preset: Preset,
        source: Source,
        *,
        plugins: Mapping[str, PluginFactory] | None = None,
        tap: Tap | None = None,
        outputs: bool = True,
        heartbeat: Callable[[str], None] | None = None,
        record: str = "",
        recordings: str = "",
    ) -> None:
        self.preset = preset
        self.source = source
        self.recordings = recordings
        self._record = record
        self.bus = Bus(tap=tap)
        self.clock = StreamClock(ENGINE_RATE)
        self.plugins = plugins
        self.slots = make_slots(preset, plugins)
        self.transports, self.main = make_transports(preset, self.slots)
        self.slow = SlowLane(self.bus, heard=self._heard)
        self.lane = FastLane(
            source,
            split(self.slots)[0],
            self.transports,
            self.main,
            self.bus,
            self.clock,
            channels=preset.input.channels,
            gain_db=preset.input.gain_db,
            heartbeat=heartbeat,
        )
        self.playing = Playing(lambda: next_downbeat(self), self.lane.say)
        self.commands = Commands(self)
        self._events = self.bus.reader()
        self._started = 0.0
        self._thread: threading.Thread | None = None
        self._health: threading.Thread | None = None
        self._wanted = outputs
        self.routing = Routing(preset)
        self.runner = Runner(self.bus, self.transport, self.clock, self, self.routing, preset.transport)
        self.failure: BaseException | None = None

    @property
    def transport(self) -> Transport:
        """The main transport, the one with the operator's hand on it."""
        return self.transports[self.main]

    # -- life ---------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Prepare plugins, open the source and the outputs. Raises ``UserError`` and leaves nothing open."""
        try:
            bind(self.slots, self)
            for slot in self.slots:
                slot.prepare()
            if self._wanted:
                for settings in check_all(self.preset.outputs, f"preset {self.preset.name}"):
                    self.runner.add(create(settings, self))
            if split(self.slots)[1]:
                self.lane.side = self.slow
            self.lane.open()
            if self._record:
                self.lane.tape = self.lane.begin_tape(Path(self._record))
            self.runner.latency = self.preset.input.latency_ms / 1000
        except BaseException:
            self._release()
            self.source.close()
            for slot in self.slots:
                slot.close()
            raise

    def start(self) -> None:
        """Open everything and run on threads of its own."""
        self.open()
        self._started = time.monotonic()
        if self._wanted:
            self.runner.start()
        self._thread = threading.Thread(target=self._run, name="fastlane")
        self._health = threading.Thread(target=self._watch, name="health")
        self._thread.start()
        self._health.start()
        self.use_slow()

    def use_slow(self) -> None:
        """Have the slow lane run by the slots as they are; it is there only if there are any for it."""
        slow = split(self.slots)[1]
        if slow and self.lane.side is None:
            self.on_lane(lambda: self.lane.attach(self.slow))
        self.slow.replace(slow)
        if slow:
            self.slow.start()

    def run_offline(self, progress: Callable[[float], None] | None = None) -> None:
        """Open everything and process the whole source in the calling thread, as fast as it goes.

        Parameters
        ----------
        progress : callable, optional
            Called now and then with the stream seconds done.
        """
        self._wanted = False
        made = make_slots(self.preset, self.plugins, inline=True)
        self.lane.slots = self.slots = [s for s in made if s.descriptor.kind != "job"]
        if any(s.descriptor.kind == "event" for s in self.slots):
            self.lane.side = self.slow
        self.open()
        self.lane.run(progress)

    def stop(self) -> None:
        """Ask the host to end."""
        self.lane.stop()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until it has ended; False when `timeout` seconds have passed first."""
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                return False
        if self._health is not None:
            self._health.join(timeout)
        return True

    @property
    def running(self) -> bool:
        """Whether sound is being processed."""
        return self._thread is not None and self._thread.is_alive()

    # -- what a client sees -------------------------------------------------------------------------------

    def events(self) -> list[Event]:
        """New events since the last call (one consumer; others ``subscribe``)."""
        return self._events.poll()

    def subscribe(self) -> Reader:
        """A consumer's own place in the events, from now on."""
        return self.bus.reader()

    def values(self) -> dict[str, Value]:
        """The newest values."""
        return self.bus.values()

    def value(self, name: str) -> Value | None:
        """The newest value of one output."""
        return self.bus.value(name)

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Run a command; see docs/websocket.md for the list. Raises ``UserError``."""
        return self.commands.call(method, params or {})

    def on_lane(self, action: Callable[[], Any]) -> Any:
        """Run `action` on the fast lane's thread, between two blocks, and return what it returns.

        Raises
        ------
        UserError
            The lane did not come to it within 2 s; it has not been and will not be run.
        """
        if not self.running:
            return action()
        future = self.lane.do(action)
        try:
            return future.result(_ANSWER_WITHIN)
        except FutureTimeout:
            if not future.cancel():
                return future.result()
            raise UserError("the host is too busy to answer; the command was given up") from None

    def stream_now(self) -> float:
        """Stream seconds of the sound that is at the input this instant."""
        if self.source.live and self.running and self.clock.running:
            return self.clock.stream_seconds(time.monotonic())
        return self.lane.now

    def status(self) -> dict[str, Any]:
        """Everything a person may want to know, as plain JSON-able data."""
        lane, source, tape = self.lane, self.source, self.lane.tape
        seconds = max(lane.now, 1e-9)
        return {
            "version": _version(),
            "python": sys.version.split()[0],
            "preset": self.preset.name,
            "running": self.running,
            "uptime": time.monotonic() - self._started if self._started else 0.0,
            "input": {
                "name": source.name,
                "sample_rate": source.sample_rate,
                "channels": source.channels,
                "live": source.live,
                "latency_ms": 1000 * source.latency,
                "connected": source.status.connected,
                "lost": source.status.lost,
                "overruns": source.status.overruns,
                "reopened": source.status.reopened,
                "message": source.status.message,
            },
            "host": {
                "stream_seconds": lane.now,
                "load": lane.busy_seconds / seconds,
                "late": lane.late,
                "missed": lane.missed,
                "repaired": lane.repaired,
                "rate_ppm": self.clock.ppm if source.live else 0.0,
            },
            "transport": {"source": self.main, **self.transport.describe()},
            "plugins": [s.status() for s in self.slots],
            "slow": self.slow.status(),
            "outputs": self.runner.status(),
            "recording": tape.status() if tape is not None else None,
            "rules": self.routing.rules.status(),
        }

    def current_preset(self) -> Preset:
        """The preset as it stands, with what was changed while running."""
        preset, clock = self.preset, self.transport.settings
        by_hand = {name: getattr(clock, name) for name in ("low_bpm", "high_bpm", "beats_per_bar")}
        return preset.model_copy(
            update={
                "outputs": self.runner.settings(),
                "rules": self.routing.rules.settings(),
                "transport": preset.transport.model_copy(update=by_hand),
            }
        )

    # -- threads ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        # below the outputs, above all else: whoever is held up with the interpreter in hand holds up the outputs
        ask_for_priority(FASTLANE_PRIORITY)
        try:
            self.lane.run()
        except (UserError, DeviceLost) as e:  # the source broke off: said, and kept for whoever joins
            self.failure = e
            self.bus.publish(self.lane.now, self.lane.now, "host", "message", None, str(e))
        except BaseException as e:
            self.failure = e
            raise
        finally:
            self._release()

    def _watch(self) -> None:
        """Four times a second: the host's own values. Nothing here touches the fast lane."""
        ask_for_priority(SLOWLANE_PRIORITY)  # held up with the interpreter in hand, it would hold up the fast lane
        put = self.bus.set
        busy, was = 0.0, time.monotonic()
        while not self.lane.ended.wait(_HEALTH_EVERY):
            lane, now = self.lane, time.monotonic()
            at = lane.now
            put("host.load", at, (lane.busy_seconds - busy) / max(now - was, 1e-6))
            busy, was = lane.busy_seconds, now
            put("host.lost", at, float(self.source.status.lost))
            put("host.late", at, float(lane.late))
            put("host.uptime", at, now - self._started)
            put("host.latency_ms", at, 1000 * self.source.latency)
            for slot in self.slots:
                put(f"cost.{slot.identifier}", at, 1000 * slot.cost.percentiles()[1])
            for name, value in self.slow.values().items():
                put(name, at, value)

    def _heard(self, slot: SlowSlot, path: str) -> None:
        """A job has made sound."""
        if slot.to:
            self.playing.play(slot.to, path)

    def _release(self) -> None:
        self.runner.stop()
        self.slow.stop()
        self.playing.stop()
        if self.lane.tape is not None:
            self.lane.tape.stop()


def _version() -> str:
    try:
        return version("sidechain")
    except PackageNotFoundError:
        return "unknown"
