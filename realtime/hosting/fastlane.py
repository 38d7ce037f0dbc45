"""The fast lane: one thread that takes sound in, runs the causal plugins tick by tick, and feeds the bus.

The way of a sample: ``source.read`` → channel map → resampler to 48 kHz → ticks of 5 ms → front end → plugins →
bus, and the observations of beat trackers → transports, which commit beats to the bus. The same code runs on
the wall clock (``run``) and as fast as it can (``pump`` on a source that is not live), with equal results: no
decision here depends on wall-clock time or on how the sound was cut into blocks.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.audio.channels import ChannelMap
from realtime.audio.clock import StreamClock
from realtime.audio.repair import repair
from realtime.audio.resample import StreamResampler
from realtime.audio.source import Block, Source
from realtime.audio.tape import Tape
from realtime.bus import Bus
from realtime.clockstate import Glance
from realtime.errors import PluginError, UserError
from realtime.follower import TransportEvent
from realtime.hosting.frontend import FrontEnd
from realtime.hosting.plugin import ENGINE_RATE, TICK, AudioInput, Feature, InputSpec
from realtime.hosting.ratestream import MOST_AHEAD
from realtime.hosting.slot import Slot
from realtime.hosting.slowlane import SlowLane
from realtime.musical import Beat, BeatObservation
from realtime.transport import Transport

F32 = npt.NDArray[np.float32]

TICK_SECONDS = TICK / ENGINE_RATE
SHORT_GAP = 0.5
"""Gaps up to so many seconds are filled with silence; longer ones are jumped and the plugins told."""

_MOST_COMMANDS = 256
_VALUES_EVERY = 4
"""Ticks between two updates of the transport's values on the bus (20 ms)."""

_GLANCE = tuple(f"transport.{field}" for field in Glance._fields)

DEADLINE = 0.01
"""Seconds after its sound was there within which a block is to be done: the hop of most plugins. ``missed`` counts
blocks that were done later, for whatever reason; ``late`` those that took longer than they last. Neither loses any
sound: that is counted by the source as ``lost``."""


class FastLane:
    """Owns the source, the front end, the slots and the transports. Everything runs on one thread.

    Parameters
    ----------
    source : Source
        Opened by ``open``, read and closed by the lane's thread.
    slots : list of Slot
        Prepared plugins.
    transports : dict of str to Transport
        One per plugin with an ``observation`` output; `main` names the one with the operator's hand on it.
    bus : Bus
    clock : StreamClock
        Maps engine frames to ``time.monotonic()``.
    channels : list of int
        Channels of the source to use, from 1; empty = all.
    gain_db : float
        Input gain.
    heartbeat : callable, optional
        Called with the identifier of the plugin about to run, or "" between ticks; must be trivial.
    """

    def __init__(
        self,
        source: Source,
        slots: list[Slot],
        transports: dict[str, Transport],
        main: str,
        bus: Bus,
        clock: StreamClock,
        *,
        channels: list[int] | None = None,
        gain_db: float = 0.0,
        heartbeat: Callable[[str], None] | None = None,
    ) -> None:
        self.source = source
        self.slots = slots
        self.transports = transports
        self.main = main
        self.bus = bus
        self.clock = clock
        self.now = 0.0
        self.ticks = 0
        self.blocks = 0
        self.late = 0
        self.missed = 0
        self.repaired = 0
        self.busy_seconds = 0.0
        self.ended = threading.Event()
        self.tape: Tape | None = None
        self.side: SlowLane | None = None
        self._heartbeat = heartbeat or _no_heartbeat
        self._stop = threading.Event()
        self._commands: deque[tuple[Callable[[], Any], Future[Any]]] = deque(maxlen=_MOST_COMMANDS)
        self._frontend = FrontEnd()
        self._channels = channels or []
        self._gain_db = gain_db
        self._base = 0
        self._made: dict[Slot, dict[int, list[Feature] | str | None]] = {}
        self._messages: deque[str] = deque(maxlen=64)

    # -- life ---------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the source and give every plugin its feed. Raises ``UserError``."""
        self.source.open()
        chosen = [] if self.source.chosen else self._channels
        self._map = ChannelMap(self.source.channels, chosen, self._gain_db, self.source.name)
        self._resampler = StreamResampler(self.source.sample_rate, ENGINE_RATE, self._map.channels)
        self._delay = self._resampler.delay
        self._pending = np.zeros((MOST_AHEAD * TICK, self._map.channels), np.float32)
        self._filled = 0
        self._frontend.restart(-self._delay)
        for slot in self.slots:
            slot.feed = self._frontend.feed(slot.descriptor.input)
        if self.side is not None:
            self.side.open(self._map.channels, -self._delay)

    def run(self, progress: Callable[[float], None] | None = None) -> None:
        """Read and process until the source ends or ``stop`` is called; then close everything.

        Parameters
        ----------
        progress : callable, optional
            Called with the stream seconds done, about once for each; for runs over files.
        """
        reported = 0.0
        most = max(TICK, self.source.sample_rate // (50 if self.source.live else 8))
        try:
            while not self._stop.is_set():
                self._obey()
                block = self.source.read(most)
                if block is None:
                    break
                if len(block.samples) or block.lost:
                    self.take(block)
                    if progress is not None and self.now >= reported + 1.0:
                        reported = self.now
                        progress(reported)
                else:
                    self._heartbeat("")
                    self.source.wait(0.002)
        finally:
            self._close()

    def stop(self) -> None:
        """Ask the lane to end; from any thread."""
        self._stop.set()

    def do(self, action: Callable[[], Any]) -> Future[Any]:
        """Run `action` on the lane's thread between two blocks; from any thread.

        Raises
        ------
        UserError
            Too many commands wait already, or the lane has ended.
        """
        if self.ended.is_set():
            raise UserError("the host has ended")
        if len(self._commands) >= _MOST_COMMANDS:
            raise UserError("too many commands at once; try again")
        future: Future[Any] = Future()
        self._commands.append((action, future))
        return future

    def begin_tape(self, path: Path) -> Tape:
        """A tape for this lane's sound, to be handed to it as ``tape``; raises ``UserError``."""
        return Tape(path, self.source.sample_rate, self._map.channels, begins=self.now, say=self.say)

    def attach(self, side: SlowLane) -> None:
        """Have plugins run beside this lane from now on; on the lane's thread, if it runs."""
        side.open(self._map.channels, self.now - self._delay)
        self.side = side

    def replace(self, slots: list[Slot], transports: dict[str, Transport], main: str) -> None:
        """Run other plugins and transports from the next tick on; on the lane's thread."""
        for slot in slots:
            if slot.feed is None:
                slot.feed = self._frontend.feed(slot.descriptor.input)
        self.slots, self.transports, self.main = slots, transports, main

    def say(self, text: str) -> None:
        """Have a message for the user published as ``host.message``; from any thread."""
        self._messages.append(text)

    # -- sound --------------------------------------------------------------------------------------------

    def take(self, block: Block) -> None:
        """Process one block of the source."""
        start = time.perf_counter()
        rate = self.source.sample_rate
        tape = self.tape
        if block.lost:
            self._gap(block.lost, rate)
            if tape is not None:
                tape.gap(block.lost)
        n = len(block.samples)
        if n:
            if tape is not None:
                tape.write(self._map.choose(block.samples))
            if self.source.live:
                frame = round((block.first + n) * ENGINE_RATE / rate)
                self.clock.observe(frame, block.host_time)
            self._append(self._resampler.process(self._map.apply(block.samples)))
        spent = time.perf_counter() - start
        self.blocks += 1
        self.busy_seconds += spent
        if spent > max(n / rate, TICK_SECONDS):
            self.late += 1
        if self.source.live and n and time.monotonic() - block.host_time > DEADLINE:
            self.missed += 1

    def _append(self, samples: F32) -> None:
        """Collect engine samples and process all full ticks, one after the other."""
        at = 0
        pending = self._pending
        while at < len(samples):
            n = min(len(pending) - self._filled, len(samples) - at)
            pending[self._filled : self._filled + n] = samples[at : at + n]
            self._filled += n
            at += n
            full = self._filled // TICK
            if full:
                heard = pending[: full * TICK]
                self.repaired += repair(heard, TICK)
                self._frontend.append(heard)
                if self.side is not None:
                    self.side.write(heard)
                self._filled -= len(heard)
                pending[: self._filled] = pending[len(heard) : len(heard) + self._filled]
                if full > 1:
                    self._run_ahead(full)
                for _ in range(full):
                    self._tick()
                self._made.clear()

    def _tick(self) -> None:
        self._frontend.step()
        self.ticks += 1
        self.now = now = self._base / ENGINE_RATE + self.ticks * TICK_SECONDS
        ahead = self._made
        for slot in self.slots:
            if ahead and slot in ahead:
                results = ahead[slot][self.ticks]
            else:
                feed = slot.feed
                if feed is None or feed.stream.ticks < feed.due_at:  # most of them in most ticks
                    continue
                results = self._results(slot, now)
            if isinstance(results, str):
                self.bus.publish(now, now, "host", "plugin_error", None, results)
            elif results:
                self._publish(slot, results, now)
        self._heartbeat("")
        for name, transport in self.transports.items():
            if beats := transport.advance(now):
                self._tell(name, beats)
            if events := transport.events():
                self._changed(name, events, now)
        if self.ticks % _VALUES_EVERY == 0:
            self._musical_values(now)
        if self.side is not None:
            self.side.deliver(now)
        while self._messages:
            self.bus.publish(now, now, "host", "message", None, self._messages.popleft())

    def _results(self, slot: Slot, now: float) -> list[Feature] | str | None:
        """What a plugin makes of this tick, if it is due; or why it failed."""
        if not slot.ready(now):
            return None
        self._heartbeat(slot.identifier)
        try:
            return slot.run(now)
        except PluginError as e:
            return str(e)

    def _run_ahead(self, full: int) -> None:
        """Have each plugin that listens to nothing but sound go through all ticks that lie ready, one plugin after
        the other: its code and weights stay in the processor's cache. Those that share a spectrum go together, for
        it is made once, in order. What comes out is told tick by tick."""
        begin = self._base / ENGINE_RATE
        together: dict[InputSpec | Slot, list[Slot]] = {}
        for slot in self.slots:
            if slot.alone and slot.feed is not None:
                spec = slot.descriptor.input
                together.setdefault(slot if isinstance(spec, AudioInput) else spec, []).append(slot)
                self._made[slot] = {}
        for group in together.values():
            assert group[0].feed is not None
            stream = group[0].feed.stream
            heard = stream.ticks
            for tick in range(self.ticks + 1, self.ticks + full + 1):
                stream.ticks += 1
                for slot in group:
                    self._made[slot][tick] = self._results(slot, begin + tick * TICK_SECONDS)
            stream.ticks = heard

    def _publish(self, slot: Slot, results: list[Feature], now: float) -> None:
        """Values to the bus first, then events, and observations to their transport."""
        for output, at, value, label in self.bus.take(slot.names, results):
            if isinstance(value, BeatObservation):
                self.transports[slot.identifier].observe(value)
                self.bus.set(f"{slot.identifier}.tempo", at, value.tempo)
                self.bus.set(f"{slot.identifier}.confidence", at, value.confidence)
            else:
                self.bus.publish(at, now, slot.identifier, output, value, label)

    def _tell(self, name: str, beats: list[Beat]) -> None:
        for beat in beats:
            self.bus.publish(beat.time, beat.emitted, name, "beat", float(beat.beat_in_bar))

    def _changed(self, name: str, events: list[TransportEvent], now: float) -> None:
        if name == self.main:
            for event in events:
                self.bus.publish(event.time, now, "transport", event.name, None, event.label or None)

    def _musical_values(self, now: float) -> None:
        transport = self.transports.get(self.main)
        if transport is None:
            return
        self.bus.put(_GLANCE, now, transport.glance())
        self.bus.set("transport.state", now, None, transport.lock)

    def _gap(self, lost: int, rate: int) -> None:
        """Sound is missing: a short gap becomes silence, a long one a jump in time."""
        frames = round(lost * ENGINE_RATE / rate)
        self.bus.publish(self.now, self.now, "host", "gap", lost / rate)
        if lost <= SHORT_GAP * rate:
            silence = np.zeros((lost, self._map.channels), np.float32)
            self._append(self._resampler.process(silence))
            return
        self._resampler.reset()
        self._base += frames + self.ticks * TICK + self._filled
        self._filled = 0
        self.ticks = 0
        self._frontend.restart(self._base / ENGINE_RATE - self._delay)
        if self.side is not None:
            self.side.jump(self._base / ENGINE_RATE - self._delay)
        for slot in self.slots:
            slot.skipped(frames)
            if slot.feed is not None:
                slot.feed.rewind()

    # -- the rest -----------------------------------------------------------------------------------------

    def _obey(self) -> None:
        """Run the commands that wait."""
        while self._commands:
            action, future = self._commands.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(action())
            except Exception as e:  # handed to whoever asked
                future.set_exception(e)

    def _close(self) -> None:
        self.ended.set()
        self.source.close()
        for slot in self.slots:
            slot.close()
        while self._commands:
            self._commands.popleft()[1].set_exception(UserError("the host has ended"))


def _no_heartbeat(plugin: str) -> None:
    del plugin
