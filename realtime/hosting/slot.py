"""One hosted plugin: its calls, their cost, and the containment of its failures."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import numpy as np

from realtime.bus import plain
from realtime.errors import PluginError, UserError
from realtime.hosting.frontend import Feed
from realtime.hosting.plugin import Context, Descriptor, Feature, Plugin, PluginFactory
from realtime.musical import BeatObservation

MOST_FEATURES = 256
"""Features taken from one call; more are an error."""

MOST_VALUES = 65_536
"""Numbers in one feature."""

FARTHEST = 60.0
"""Seconds from now within which the time of a feature must lie."""

OVERRUN = 0.050
"""Seconds after which one call counts as an overrun."""

MOST_ERRORS = 6
"""Failures after which a plugin stays off until a person turns it on again."""

FORGIVEN_AFTER = 60.0
"""Stream seconds without failure after which earlier ones are forgotten."""

_HISTORY = 2048


class Cost:
    """What the calls of a plugin take; a fixed history, so it never grows."""

    def __init__(self) -> None:
        self._recent = [0.0] * _HISTORY
        self.calls = 0
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one call."""
        self._recent[self.calls % _HISTORY] = seconds
        self.calls += 1
        self.total += seconds

    @property
    def mean(self) -> float:
        """Of the recent calls, seconds; 0 before the first."""
        recent = self._recent[: min(self.calls, _HISTORY)]
        return sum(recent) / len(recent) if recent else 0.0

    def percentiles(self) -> tuple[float, float, float]:
        """p50, p99 and maximum of the recent calls, seconds."""
        recent = self._recent[: min(self.calls, _HISTORY)]
        if not recent:
            return 0.0, 0.0, 0.0
        p50, p99 = np.percentile(recent, (50, 99))
        return float(p50), float(p99), max(recent)

    def percentile(self, percent: float) -> float:
        """What so many of 100 recent calls did not exceed, seconds; 0 before the first."""
        recent = self._recent[: min(self.calls, _HISTORY)]
        return float(np.percentile(recent, percent)) if recent else 0.0


class Slot:
    """A plugin in the fast lane. All methods run on the lane's thread, but for ``status``.

    Parameters
    ----------
    factory : PluginFactory
    parameters : dict of str to float
        A checked value for every parameter.
    texts : mapping of str to str, optional
        A value for every text setting.

    Attributes
    ----------
    alone : bool
        Whether it listens to nothing but sound, so that it may run ahead of the others.
    names : dict of str to str
        Name on the bus of each output whose newest value wins; the others are events and observations.
    """

    alone = True

    def __init__(
        self, factory: PluginFactory, parameters: dict[str, float], texts: Mapping[str, str] | None = None
    ) -> None:
        self.descriptor: Descriptor = factory.descriptor
        self.identifier = self.descriptor.identifier
        self.key = self.identifier  # its name in the preset: a plugin from a path goes by that path
        self.parameters = dict(parameters)
        self.texts = dict(texts or {})
        self.cost = Cost()
        self.errors = 0
        self.overruns = 0
        self.error = ""
        self.enabled = True
        self.feed: Feed | None = None
        self._factory = factory
        self._plugin: Plugin | None = None
        outputs = self.descriptor.outputs
        self.names = {
            o.identifier: f"{self.identifier}.{o.identifier}"
            for o in outputs
            if o.kind not in ("event", "observation")
        }
        self._observations = {o.identifier for o in outputs if o.kind == "observation"}
        self._plain = {o.identifier for o in outputs} - self._observations
        self.clock = time.perf_counter  # what cost is measured by; benches put the time of the thread here
        self._failures = 0
        self._off_until = -math.inf
        self._failed_at = -math.inf
        spec = self.descriptor.input
        rate = spec.sample_rate
        self.hop_seconds = spec.hop / rate

    def prepare(self) -> None:
        """Make and prepare the instance.

        Raises
        ------
        UserError
            It failed; the message names the plugin and the reason.
        """
        try:
            plugin = self._factory()
            plugin.prepare(Context(parameters=dict(self.parameters), texts=dict(self.texts)))
        except UserError:
            raise
        except Exception as e:  # anybody's code
            reason = f"{e.__class__.__name__}: {e}"
            raise UserError(f"plugin '{self.identifier}' cannot be prepared: {reason}") from e
        self._plugin = plugin

    def ready(self, now: float) -> bool:
        """Whether it takes part now (on, and not backing off after a failure)."""
        feed = self.feed
        if feed is None or feed.stream.ticks < feed.due_at or not self.enabled or now < self._off_until:
            return False
        if self._off_until > -math.inf:
            self._off_until = -math.inf
            self.reset()
            feed.rewind()
        return True

    def run(self, now: float) -> list[Feature]:
        """Process all hops that are due.

        Returns
        -------
        list of Feature
            Checked, with plain numbers.

        Raises
        ------
        PluginError
            It failed; the failure is counted and the plugin backed off. The message is for the user.
        """
        assert self.feed is not None
        assert self._plugin is not None
        results: list[Feature] = []
        feed, clock, process = self.feed, self.clock, self._plugin.process
        stream, levels = feed.stream, feed.levels
        while stream.ticks >= feed.due_at:
            block, block_time = feed.take()
            start = clock()
            try:
                if levels is not None:
                    self._plugin.beside(levels(feed.taken))
                features = process(block, block_time)
                if features is not None:
                    self._take(features, now, results)
            except Exception as e:  # anybody's code
                self.fail(now, e)
            spent = clock() - start
            self.cost.add(spent)
            if spent > OVERRUN:
                self.overruns += 1
        if self._failures and now - self._failed_at > FORGIVEN_AFTER:
            self._failures = 0
        return results

    def set(self, identifier: str, value: float) -> None:
        """Change a live parameter (already checked)."""
        self.parameters[identifier] = value
        if self._plugin is not None:
            self._guard(self._plugin.parameter, identifier, value)

    def set_text(self, identifier: str, value: str) -> None:
        """Change a live text setting."""
        self.texts[identifier] = value
        if self._plugin is not None:
            self._guard(self._plugin.text, identifier, value)

    def reset(self) -> None:
        """Forget the sound."""
        if self._plugin is not None:
            self._guard(self._plugin.reset)

    def skipped(self, samples: int) -> None:
        """Tell of missing sound."""
        if self._plugin is not None:
            self._guard(self._plugin.skipped, samples)

    def turn(self, on: bool) -> None:
        """Turn it on (failures forgiven, state fresh) or off."""
        if on and not self.enabled:
            self._failures, self._off_until = 0, -math.inf
            self.reset()
            if self.feed is not None:
                self.feed.rewind()
        self.enabled = on

    def close(self) -> None:
        """Release the instance."""
        if self._plugin is not None:
            self._guard(self._plugin.close)
            self._plugin = None

    def status(self) -> dict[str, Any]:
        """What the user sees of it; from any thread."""
        p50, p99, worst = self.cost.percentiles()
        d = self.descriptor
        return {
            "identifier": d.identifier,
            "name": d.name,
            "enabled": self.enabled,
            "lane": d.lane,
            "kind": d.kind,
            "hop_ms": 1000 * self.hop_seconds,
            "latency_ms": 1000 * self.latency,
            "cost_p50_ms": 1000 * p50,
            "cost_p99_ms": 1000 * p99,
            "cost_max_ms": 1000 * worst,
            "load": self.load,
            "calls": self.cost.calls,
            "errors": self.errors,
            "overruns": self.overruns,
            "error": self.error,
            "parameters": dict(self.parameters),
            "texts": dict(self.texts),
        }

    @property
    def load(self) -> float:
        """Share of a core that it takes: by the mean call, for many do most of their work in every few."""
        return self.cost.mean / self.hop_seconds

    @property
    def latency(self) -> float:
        """Seconds from a sound to a result: front end, hop, plugin."""
        front = self.feed.stream.delay if self.feed is not None else 0.0
        return front + self.hop_seconds + self.descriptor.latency

    def _take(self, features: Iterable[Feature], now: float, results: list[Feature]) -> None:
        """Check features and append them to `results`; raises whatever is wrong with them."""
        most = len(results) + MOST_FEATURES
        plain = self._plain
        if type(features) is not list or len(features) > MOST_FEATURES:
            features = islice(features, MOST_FEATURES + 1)
        for feature in features:
            if type(feature) is Feature:  # the usual case first: finite numbers, about now
                name, at, value, label = feature
                if (
                    name in plain
                    and type(at) is float
                    and (value - value == 0.0 if type(value) is float else value is None or _are_plain(value))
                    and (label is None or type(label) is str)
                    and -FARTHEST < at - now < FARTHEST
                ):
                    results.append(feature)
                    continue
            results.append(self._checked(feature, now))
        if len(results) > most:
            raise PluginError(f"more than {MOST_FEATURES} features in one call")

    def _checked(self, feature: Feature, now: float) -> Feature:
        if not isinstance(feature, Feature):
            raise PluginError(f"returned {type(feature).__name__}, not Feature")
        name, at, value, label = feature
        if name not in self._plain and name not in self._observations:
            raise PluginError(f"returned a feature for an undeclared output '{name}'")
        at = float(at)
        if not abs(at - now) < FARTHEST:
            raise PluginError(f"'{name}' has time {at}, more than a minute from now ({now:.3f})")
        if label is not None and not isinstance(label, str):
            raise PluginError(f"'{name}' has a label of type {type(label).__name__}")
        if name in self._observations:
            if not isinstance(value, BeatObservation):
                raise PluginError(f"'{name}' must be a BeatObservation")
            if not math.isfinite(value.time + value.tempo + value.phase + value.confidence):
                raise PluginError(f"'{name}' is not finite")
            return Feature(name, at, value, label)
        value = plain(value)
        numbers = value if isinstance(value, tuple) else () if value is None else (value,)
        if not all(map(math.isfinite, numbers)):
            raise PluginError(f"'{name}' is not finite")
        if len(numbers) > MOST_VALUES:
            raise PluginError(f"'{name}' has {len(numbers)} values")
        return Feature(name, at, value, label)

    def fail(self, now: float, error: Exception) -> None:
        """Count a failure and back off; raises ``PluginError`` with the line for the user."""
        self.errors += 1
        self._failures += 1
        self._failed_at = now
        text = str(error) if isinstance(error, PluginError) else f"{error.__class__.__name__}: {error}"
        self.error = text[:500]
        if self._failures >= MOST_ERRORS:
            self.enabled = False
            action = "is off after repeated failures; turn it on again when mended"
        else:
            pause = 0.5 * 2 ** (self._failures - 1)
            self._off_until = now + pause
            action = f"pauses for {pause:g} s"
        raise PluginError(f"plugin '{self.identifier}' {action}: {self.error}") from error

    def _guard(self, call: Any, *arguments: Any) -> None:
        """Run a call that is not ``process``; a failure is counted, the sound goes on."""
        try:
            call(*arguments)
        except Exception as e:  # anybody's code
            self.errors += 1
            self.error = f"{call.__name__}: {e.__class__.__name__}: {e}"[:500]


def _are_plain(values: object) -> bool:
    """Whether this is a tuple, not too long, of finite floats."""
    if type(values) is not tuple or len(values) > MOST_VALUES or {*map(type, values)} - {float}:
        return False
    total = sum(values)
    return bool(total - total == 0.0)  # a sum that overflows is looked at more closely
