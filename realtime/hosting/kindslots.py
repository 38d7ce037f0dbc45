"""Slots of the further kinds of plugin: called after an event, with other plugins' results, or for a job.

They contain failures and count cost as every slot does. Combine and insert run in the fast lane. Event slots run
in the slow lane's worker, and in the fast lane where there is time for it (runs over files).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.audio.playback import Sink, open_sink
from realtime.bus import Bus, Event
from realtime.errors import PluginError, UserError
from realtime.hosting.kinds import (
    CombinePlugin,
    EventPlugin,
    Happening,
    InsertPlugin,
    JobControl,
    JobPlugin,
    Latest,
)
from realtime.hosting.plugin import AudioInput, Feature, Plugin, PluginFactory
from realtime.hosting.slot import OVERRUN, Slot

F32 = npt.NDArray[np.float32]

MOST_WAITING = 8
"""Events that may wait for an event plugin; the oldest gives way."""

MOST_SOUND = 600.0
"""Seconds of sound that a job may return."""

_new = tuple.__new__  # past the named tuple's slower own way

_CLASSES: dict[str, type[Plugin]] = {
    "event": EventPlugin,
    "combine": CombinePlugin,
    "insert": InsertPlugin,
    "job": JobPlugin,
}


def make_slot(
    factory: PluginFactory,
    parameters: dict[str, float],
    texts: Mapping[str, str] | None = None,
    sources: tuple[str, ...] = (),
) -> Slot:
    """The slot for a plugin's kind."""
    kind = factory.descriptor.kind
    classes: dict[str, type[Slot]] = {
        "event": EventCaller,
        "combine": CombineSlot,
        "insert": InsertSlot,
        "job": JobCaller,
    }
    slot = classes.get(kind, Slot)(factory, parameters, texts)
    if isinstance(slot, (EventCaller, CombineSlot)):
        slot.sources = sources or factory.descriptor.sources
    return slot


class _KindSlot(Slot):
    """What the slots here share."""

    alone = False

    def prepare(self) -> None:
        """Make and prepare the instance. Raises ``UserError``."""
        super().prepare()
        wanted = _CLASSES[self.descriptor.kind]
        if not isinstance(self._plugin, wanted):
            raise UserError(
                f"plugin '{self.identifier}' says that its kind is {self.descriptor.kind}, "
                f"but is not derived from {wanted.__name__}"
            )

    def _once(self, now: float, call: Callable[[], Iterable[Feature] | None], results: list[Feature]) -> None:
        """One contained, timed call; raises ``PluginError`` as ``run`` does."""
        start = self.clock()
        try:
            features = call()
            if features is not None:
                self._take(features, now, results)
        except Exception as e:  # anybody's code
            self.fail(now, e)
        spent = self.clock() - start
        self.cost.add(spent)
        if spent > OVERRUN and self.descriptor.lane == "fast":
            self.overruns += 1


class EventCaller(_KindSlot):
    """An event plugin: a short queue of events whose sound is awaited, and the call with the sound.

    Attributes
    ----------
    sources : tuple of str
        Patterns of event names.
    """

    sources: tuple[str, ...] = ()

    def __init__(
        self, factory: PluginFactory, parameters: dict[str, float], texts: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(factory, parameters, texts)
        assert isinstance(self.descriptor.input, AudioInput)
        self.spec: AudioInput = self.descriptor.input
        self._waiting: deque[Happening] = deque(maxlen=MOST_WAITING)
        self._given: tuple[Happening, F32, float] | None = None

    def wants(self, event: Event) -> bool:
        """Whether it is called on such an event."""
        return event.plugin != self.identifier and matches(event.name, self.sources)

    def offer(self, name: str, time: float, value: Any, label: str | None) -> int:
        """Queue an event; returns how many gave way."""
        full = len(self._waiting) == MOST_WAITING
        self._waiting.append(Happening(name, time, tuple(value) if isinstance(value, list) else value, label))
        return int(full)

    def waiting(self) -> list[Happening]:
        """Events that wait, in the order in which they came."""
        return list(self._waiting)

    def give(self, happening: Happening, block: F32, end: float) -> None:
        """The sound for one of them: the next ``run`` calls the plugin with it."""
        self._waiting.remove(happening)
        self._given = happening, block, end

    def run(self, now: float) -> list[Feature]:
        """Call the plugin with what was given. Raises ``PluginError``."""
        results: list[Feature] = []
        if self._given is not None:
            plugin, (happening, block, end) = self._plugin, self._given
            self._given = None
            if self._rests(now):
                return results
            assert isinstance(plugin, EventPlugin)
            self._once(now, lambda: plugin.on_event(happening, block, end), results)
        return results

    def _rests(self, now: float) -> bool:
        """Whether it backs off after a failure."""
        if now < self._off_until:
            return True
        if self._failures and now - self._failed_at > 60.0:
            self._failures = 0
        return False


class CombineSlot(_KindSlot):
    """A combine plugin: hears nothing, reads the bus. ``attach`` it before it runs.

    Attributes
    ----------
    sources : tuple of str
        Patterns of names of results.
    """

    sources: tuple[str, ...] = ()

    def attach(self, bus: Bus) -> None:
        """The bus to read."""
        self._bus = bus
        self._reader = bus.reader()
        self._events: dict[str, Event] = {}
        self._known: dict[str, bool] = {}
        self._values: list[str] = []
        self._counted = (0, 0)

    def run(self, now: float) -> list[Feature]:
        """Call the plugin for each hop that is due. Raises ``PluginError``."""
        assert self.feed is not None
        plugin = self._plugin
        assert isinstance(plugin, CombinePlugin)
        results: list[Feature] = []
        feed = self.feed
        while feed.due():
            feed.skip()
            latest = self._latest(now)
            self._once(now, lambda given=latest: plugin.combine(given, now), results)  # type: ignore[misc]
        return results

    def _latest(self, now: float) -> dict[str, Latest]:
        bus = self._bus
        for event in self._reader.poll():
            if self._wanted(name := event.name):
                self._events[name] = event
        if bus.counted != self._counted:
            self._counted = bus.counted
            self._values = [name for name in bus.values() if self._wanted(name)]
        found = {n: _new(Latest, (e.time, e.value, e.label, now - e.time)) for n, e in self._events.items()}
        for name in self._values:
            newest = bus.value(name)
            if newest is not None:
                time, value, label = newest
                found[name] = _new(Latest, (time, value, label, now - time))
        return found

    def _wanted(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            own = name.startswith(self.identifier + ".")
            known = self._known[name] = not own and matches(name, self.sources)
        return known


class InsertSlot(_KindSlot):
    """An insert: what it renders goes to its sink.

    Attributes
    ----------
    sink : Sink or None
        None: the sound is made and thrown away (its results count all the same).
    to : str
        Device or file; empty = nowhere.
    offline : bool
        The run is over a file: only files are written to.
    say : callable or None
        Told in one line what the user should know about the sink.
    """

    sink: Sink | None = None
    to = ""
    offline = False
    say: Callable[[str], None] | None = None

    def prepare(self) -> None:
        """Make the instance and open the sink. Raises ``UserError``."""
        super().prepare()
        spec = self.descriptor.input
        assert isinstance(spec, AudioInput)
        if spec.length != spec.hop:
            raise UserError(f"plugin '{self.identifier}': an insert takes a hop, not a longer window")
        if self.to:
            self.sink = open_sink(self.to, spec.sample_rate, spec.channels, spec.hop, self.offline, self.say)

    def run(self, now: float) -> list[Feature]:
        """Render all hops that are due. Raises ``PluginError``."""
        assert self.feed is not None
        plugin = self._plugin
        assert isinstance(plugin, InsertPlugin)
        results: list[Feature] = []
        while (due := self.feed.next()) is not None:
            block, end = due
            self._once(now, lambda b=block, t=end: self._render(plugin, b, t), results)  # type: ignore[misc]
        if self._failures and now - self._failed_at > 60.0:
            self._failures = 0
        return results

    def _render(self, plugin: InsertPlugin, block: F32, end: float) -> Iterable[Feature] | None:
        made = plugin.render(block, end)
        sound, features = made if isinstance(made, tuple) else (made, None)
        if not isinstance(sound, np.ndarray) or sound.shape != block.shape:
            raise PluginError(f"returned sound of shape {np.shape(sound)}, not {block.shape}")
        if not np.isfinite(sound).all():
            raise PluginError("returned sound that is not finite")
        if self.sink is not None:
            frames = sound[:, None] if sound.ndim == 1 else sound.T
            self.sink.write(np.clip(frames, -1.0, 1.0).astype(np.float32, copy=False))
        return features

    def skipped(self, samples: int) -> None:
        """Sound is missing: silence stands for it."""
        super().skipped(samples)
        if self.sink is not None:
            self.sink.gap(round(samples * self.descriptor.input.sample_rate / 48_000))

    def close(self) -> None:
        """Release the instance and finish the sink."""
        super().close()
        if self.sink is not None:
            self.sink.stop()
            self.sink = None

    def status(self) -> dict[str, Any]:
        """What the user sees of it."""
        sink = self.sink
        return super().status() | {"sound": sink.status() if sink is not None else None}


class JobCaller(_KindSlot):
    """A job plugin in its worker: takes part in no lane, runs when asked to."""

    def ready(self, now: float) -> bool:
        """Never: jobs are started by ``job.start``."""
        return False

    def run_job(
        self,
        request: Mapping[str, str | float],
        block: F32,
        end: float,
        control: JobControl,
        now: float,
        place: Path,
    ) -> list[Feature]:
        """Run the plugin; sound that it returns is written to files at `place` + ``-OUTPUT.wav``.

        Raises
        ------
        UserError
            The request is wrong.
        PluginError
            It failed.
        """
        plugin = self._plugin
        assert isinstance(plugin, JobPlugin)
        results: list[Feature] = []
        refused: list[UserError] = []

        def call() -> Iterable[Feature] | None:
            try:
                features = plugin.run(request, block, end, control)
                return None if features is None else [self._kept(f, place) for f in features]
            except UserError as e:
                refused.append(e)
                return None

        self._once(now, call, results)
        if refused:
            raise refused[0]
        return results

    def _kept(self, feature: Feature, place: Path) -> Feature:
        """A feature as it is; of sound, its length and where it was written."""
        output = self.descriptor.output(feature.output) if isinstance(feature, Feature) else None
        if output is None or output.kind != "audio":
            return feature
        import soundfile

        sound = np.asarray(feature.value, np.float32)
        frames = sound.T if sound.ndim == 2 else sound[:, None]
        rate = round(output.rate)
        if frames.ndim != 2 or frames.shape[1] not in (1, 2) or not 1000 <= rate <= 384_000:
            raise PluginError(f"'{output.identifier}' is sound of shape {sound.shape} at {rate} Hz")
        if len(frames) > MOST_SOUND * rate or not np.isfinite(frames).all():
            raise PluginError(f"'{output.identifier}' is not finite, or longer than {MOST_SOUND:g} s")
        path = place.with_name(f"{place.name}-{output.identifier}.wav")
        soundfile.write(path, np.clip(frames, -1.0, 1.0), rate, subtype="PCM_24")
        return Feature(output.identifier, feature.time, len(frames) / rate, str(path))


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name ``plugin.output`` is one of `patterns`."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
