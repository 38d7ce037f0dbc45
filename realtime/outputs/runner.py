"""The outputs' thread: keeps every output's deadlines, hands on events and values, contains what fails."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from fractions import Fraction
from typing import Any, Protocol

from realtime.bus import Bus, Event, Reader, Value
from realtime.errors import UserError
from realtime.outputs.mapping import Routed, understands
from realtime.outputs.output import GridPoint, Host, OutputPort, OutputSettings
from realtime.outputs.precise import FINE, ask_for_priority, sleep_until
from realtime.outputs.scheduler import Cursor, FrameClock
from realtime.outputs.slot import OutputSlot
from realtime.preset import TransportSettings
from realtime.timeline import Timeline

LONGEST_WAIT = 0.01
"""Seconds after which deadlines are looked at again even if nothing happens: they may have moved."""
STRIKES = 8
"""Failures in a row after which an output is switched off."""
ANSWER_WITHIN = 2.0


class Clockwork(Protocol):
    """What is needed of a transport: the timeline as it is known now."""

    @property
    def timeline(self) -> Timeline: ...


class Router(Protocol):
    """What is needed of :class:`realtime.outputs.mapping.Mapper`."""

    @property
    def grids(self) -> tuple[Fraction, ...]: ...
    def on_events(self, events: Sequence[Event]) -> list[Routed]: ...
    def on_values(self, values: Mapping[str, Value], now: float) -> list[Routed]: ...
    def on_grid(self, point: GridPoint) -> list[Routed]: ...


class Runner:
    """Runs all outputs on one thread.

    Parameters
    ----------
    bus : Bus
    transport : Clockwork
    clock : FrameClock
    host : Host
        For status only; outputs are given theirs when they are made.
    router : Router
        The routes.
    settings : TransportSettings
    latency : float
        Seconds by which sound is late in the stream (input latency): deadlines are that much earlier.
    now : callable
        Monotonic seconds; another clock together with :meth:`step` for tests.

    Notes
    -----
    `add`, `remove`, `offset`, `enable`, `test` and `panic` may be called from any thread. Everything an output
    does, apart from ``__init__`` and ``open``, happens on the outputs' thread.
    """

    VALUES_RATE = 100.0

    def __init__(
        self,
        bus: Bus,
        transport: Clockwork,
        clock: FrameClock,
        host: Host,
        router: Router,
        settings: TransportSettings,
        *,
        latency: float = 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus, self._transport, self._clock, self._host = bus, transport, clock, host
        self._router = router
        self._send_unlocked = settings.send_unlocked
        self.latency = latency
        self._now = now
        self._reader: Reader = bus.reader()
        self._slots: list[OutputSlot] = []
        self._route_cursors = [Cursor(step) for step in router.grids]
        self._next_routes = 0.0
        self._orders: deque[tuple[Callable[[], Any], Future[Any]]] = deque(maxlen=256)
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._was_running = False
        self._finished = False
        self.priority = ""
        self.unopened: dict[str, dict[str, Any]] = {}

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Start the outputs' thread."""
        if self._thread is None:
            self._ending.clear()
            self._finished = False
            self._thread = threading.Thread(target=self._run, name="outputs")
            self._thread.start()

    def stop(self) -> None:
        """Let outputs finish (held notes, clock stop), close them, end the thread. May be called twice."""
        self._ending.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        if self._thread is None:
            self._finish()
        self._thread = None

    def _run(self) -> None:
        granted, self.priority = ask_for_priority()
        if not granted:
            at = self._clock.stream_seconds(self._now())
            self._bus.publish(at, at, "host", "message", None, f"outputs: {self.priority}")
        try:
            while not self._ending.is_set():
                due = self.step()
                now = self._now()
                coarse = min(due - FINE, now + LONGEST_WAIT) - now
                if coarse > 0.0:
                    self._reader.wait(coarse)
                elif due > now:
                    sleep_until(due)
        finally:
            self._finish()

    def _finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        for slot in self._slots:
            with contextlib.suppress(Exception):
                slot.port.on_stop()
            with contextlib.suppress(Exception):
                slot.port.close()
        while self._orders:
            self._orders.popleft()[1].cancel()

    # ------------------------------------------------------------------ one round

    def step(self) -> float:
        """Do all that is due now; returns the instant of the next deadline (infinity if there is none)."""
        while self._orders:
            order, future = self._orders.popleft()
            _fulfil(order, future)
        self._grids()
        events = self._reader.poll()
        if events:
            for slot in self._slots:
                self._guard(slot, slot.port.on_events, events)
            self._deliver(self._router.on_events(events))
        soonest = self._values()
        return min(soonest, self._grids())

    def _grids(self) -> float:
        timeline = self._transport.timeline
        if not self._clock.running or not (timeline.locked or self._send_unlocked):
            if self._was_running:
                self._halt()
            return math.inf
        self._was_running = True
        soonest = math.inf
        for slot in self._slots:
            if not slot.enabled:
                continue
            slot.set_delay(self.latency)
            for cursor in slot.cursors:
                points, due = cursor.due(self._now(), timeline, self._clock)
                for point in points:
                    self._guard(slot, slot.port.on_grid, point)
                soonest = min(soonest, due)
        for cursor in self._route_cursors:
            cursor.delay = -self.latency
            points, due = cursor.due(self._now(), timeline, self._clock)
            for point in points:
                self._deliver(self._router.on_grid(point))
            soonest = min(soonest, due)
        return soonest

    def _halt(self) -> None:
        """The clock is not locked any more: outputs stop, and begin anew with the next lock."""
        self._was_running = False
        for slot in self._slots:
            for cursor in slot.cursors:
                cursor.restart()
            self._guard(slot, slot.port.on_stop)
        for cursor in self._route_cursors:
            cursor.restart()

    def _values(self) -> float:
        now = self._now()
        values: dict[str, Value] | None = None
        soonest = math.inf
        for slot in self._slots:
            rate = slot.port.values_rate
            if rate <= 0.0 or not slot.enabled:
                continue
            if now >= slot.next_values:
                values = self._bus.values() if values is None else values
                slot.next_values = max(slot.next_values + 1.0 / rate, now)
                self._guard(slot, slot.port.on_values, values)
            soonest = min(soonest, slot.next_values)
        if now >= self._next_routes:
            self._next_routes = max(self._next_routes + 1.0 / self.VALUES_RATE, now)
            self._deliver(self._router.on_values(self._bus.values() if values is None else values, now))
        return min(soonest, self._next_routes)

    def _deliver(self, routed: Sequence[Routed]) -> None:
        for names, message in routed:
            for slot in self._slots:
                if slot.name in names or (not names and understands(slot.port.settings.kind, message.address)):
                    self._guard(slot, slot.port.send, message)

    def _guard(self, slot: OutputSlot, call: Callable[..., None], *arguments: Any) -> None:
        """Call an output; what it raises is counted and shown, and it rests for a growing while."""
        now = self._now()
        if not slot.ready(now):
            slot.port.status.dropped += slot.enabled
            return
        try:
            call(*arguments)
        except Exception as e:
            slot.strikes += 1
            slot.paused_until = now + min(5.0, 0.05 * 2.0**slot.strikes)
            status = slot.port.status
            status.errors += 1
            status.message = f"{e.__class__.__name__}: {e}"
            text = f"output '{slot.name}': {status.message}"
            if slot.strikes >= STRIKES:
                slot.enabled = False
                text += "; switched off after repeated failures"
                status.message += " (switched off)"
            if slot.strikes in (1, STRIKES):
                at = self._clock.stream_seconds(now)
                self._bus.publish(at, at, "host", "message", None, text)
        else:
            slot.strikes = 0

    # ------------------------------------------------------------------ orders from other threads

    def add(self, port: OutputPort) -> None:
        """Open an output in the calling thread and run it. Raises ``UserError`` if it cannot be opened."""
        try:
            port.open()
        except BaseException:
            port.close()
            raise
        self._order(lambda: self._slots.append(OutputSlot(port)))
        self.unopened.pop(port.settings.name or port.settings.kind, None)

    def reroute(self, router: Router, settings: TransportSettings) -> None:
        """Use other routes, and another rule for the time before the clock is locked, from now on."""

        def reroute() -> None:
            self._router = router
            self._route_cursors = [Cursor(step) for step in router.grids]
            self._send_unlocked = settings.send_unlocked

        self._order(reroute)

    def remove(self, name: str) -> None:
        """Stop and close an output; or forget one that could not be opened."""
        if self.unopened.pop(name, None) is not None:
            return

        def remove() -> None:
            slot = self._find(name)
            self._slots.remove(slot)
            self._guard(slot, slot.port.on_stop)
            slot.port.close()

        self._order(remove)

    def offset(self, name: str, ms: float) -> None:
        """Set an output's signed offset; positive leaves later."""

        def offset() -> None:
            port = self._find(name).port
            port.settings = port.settings.model_copy(update={"offset_ms": ms})

        self._order(offset)

    def enable(self, name: str, on: bool) -> None:
        """Switch an output on or off; it stays open."""

        def enable() -> None:
            slot = self._find(name)
            if slot.enabled and not on:
                self._guard(slot, slot.port.on_stop)
            for cursor in slot.cursors:
                cursor.restart()
            slot.enabled, slot.strikes, slot.paused_until = on, 0, 0.0
            slot.port.settings = slot.port.settings.model_copy(update={"enabled": on})

        self._order(enable)

    def test(self, name: str) -> None:
        """Let an output send one beat now, locked or not."""

        def test() -> None:
            slot = self._find(name)
            now = self._now()
            time = self._clock.stream_seconds(now)
            step = min(slot.port.grids, default=Fraction(1), key=lambda s: abs(s - 1))
            point = GridPoint(Fraction(1), Fraction(step), time, 1, 4, 1, 1, 120.0, False, now)
            self._guard(slot, slot.port.on_test, point)

        self._order(test)

    def learn(self, name: str, action: str) -> None:
        """Bind an action to the key or knob that is touched next on a MIDI input ("" = give up waiting)."""
        learn = getattr(self._find(name).port, "learn", None)
        if learn is None:
            raise UserError(f"output '{name}' has no keys or knobs to learn; a 'midi-in' has")
        learn(action)

    def panic(self) -> None:
        """Every output lets go of what it holds and stops; the clock starts it again at the next point."""

        def panic() -> None:
            for slot in self._slots:
                self._guard(slot, slot.port.on_stop)

        self._order(panic)

    def settings(self) -> list[dict[str, Any]]:
        """Settings of all outputs as they stand, as a preset has them; those that could not be opened, too."""
        return [*(slot.settings() for slot in [*self._slots]), *self.unopened.values()]

    def keep(self, settings: OutputSettings) -> None:
        """Keep the settings of an output that could not be opened, so that a saved preset still has it."""
        name = settings.name or settings.kind
        self.unopened[name] = settings.model_dump(exclude_defaults=True) | {"kind": settings.kind, "name": name}

    def status(self) -> list[dict[str, Any]]:
        """What a person sees of each output, as plain data."""
        ours = {"missed_events": self._reader.missed, "priority": self.priority}
        return [slot.describe() | ours for slot in [*self._slots]]

    def _find(self, name: str) -> OutputSlot:
        for slot in self._slots:
            if slot.name == name:
                return slot
        names = ", ".join(s.name for s in self._slots)
        raise UserError(f"there is no output '{name}'" + (f" ({names})" if names else "; none is open"))

    def _order(self, order: Callable[[], Any]) -> None:
        thread = self._thread
        if thread is None or not thread.is_alive() or thread is threading.current_thread():
            order()
            return
        future: Future[Any] = Future()
        self._orders.append((order, future))
        try:
            future.result(ANSWER_WITHIN)
        except FutureTimeout:
            future.cancel()
            raise UserError("the outputs are too busy to answer; the command was given up") from None


def _fulfil(order: Callable[[], Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(order())
    except BaseException as e:
        future.set_exception(e)
