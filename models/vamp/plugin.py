"""Any Vamp plugin, live: what it says about the sound, as events, values, vectors and labels.

Vamp plugins are given every sample once, in blocks of their own size; the slow lane may leave windows out. So
each window is far longer than its hop: what came since the last call is cut out of it and handed on in order.
Only where more is missing than a window holds does the plugin begin anew.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import numpy as np

from models.vamp import places
from models.vamp.instance import Instance, Library, VampFeature
from realtime.errors import UserError
from realtime.hosting.plugin import (
    ENGINE_RATE,
    Array,
    AudioInput,
    Context,
    Descriptor,
    Feature,
    Output,
    Plugin,
    Text,
)

MOST_CONTINUOUS = 96
"""Results of dense outputs in one call: where a backlog brings more, the newest."""

_HOP, _WINDOW = ENGINE_RATE // 20, 2 * ENGINE_RATE
_SCAN_SECONDS = 20.0
_ANY = float("inf")


class Vamp(Plugin):
    """One plugin of one Vamp library, named by ``key``."""

    descriptor = Descriptor(
        identifier="vamp",
        name="Vamp plugin",
        description="Hosts a plugin of an installed Vamp library; 'sidechain plugins vamp' lists them",
        maker="Sidechain; the library's own authors",
        license="MIT; the library's own licence",
        version="1.0.0",
        input=AudioInput(ENGINE_RATE, channels=1, hop=_HOP, window=_WINDOW),
        lane="slow",
        latency=0.05,
        outputs=(
            Output(
                "event", "event", "", -_ANY, _ANY, description="results with a time of their own; value, label"
            ),
            Output("value", "value", "", -_ANY, _ANY, description="first number of the newest result"),
            Output(
                "vector", "vector", "", -_ANY, _ANY, size=0, description="all numbers, where there are several"
            ),
            Output("label", "label", description="label of the newest result that has one"),
        ),
        texts=(
            Text("key", "Vamp plugin", description="library:plugin, e.g. vamp-example-plugins:percussiononsets"),
            Text("output", "Output", description="of the Vamp plugin; its first if empty"),
            Text("settings", "Parameters", description="of the Vamp plugin: a list of 'name = number'"),
            Text("program", "Program", description="of the Vamp plugin, where it has any"),
        ),
    )

    _instance: Instance | None = None
    _end: float | None  # stream time of the last block; None = nothing heard
    _filled: int
    _skip: int
    _done: int

    def prepare(self, context: Context) -> None:
        """Load the library; raises ``UserError`` with what is wrong in the settings."""
        key = context.texts.get("key", "")
        if not key.strip():
            raise UserError("vamp: no key; set [plugins.vamp] key = 'library:plugin' ('sidechain plugins vamp')")
        library, plugin = places.split(key)
        self._pointer = Library(places.place(library)).find(plugin)
        self._settings = _numbers(context.texts.get("settings", ""))
        self._program = context.texts.get("program", "").strip()
        spec = self.descriptor.input
        assert isinstance(spec, AudioInput)
        self._rate, self._wanted = spec.sample_rate, spec.channels
        self._hop = spec.hop
        self._begin()
        assert self._instance is not None
        names = [o.identifier for o in self._instance.outputs]
        output = context.texts.get("output", "").strip() or names[0]
        if output not in names:
            raise UserError(f"vamp: plugin '{plugin}' has no output '{output}'; it has {', '.join(names)}")
        self._output = names.index(output)
        self._sparse = self._instance.outputs[self._output].sparse
        # What has not made a whole block yet, and the longest window behind it.
        self._held = np.zeros(
            (self._instance.channels, self._instance.block + self._instance.step + spec.length), np.float32
        )

    def process(self, block: Array, time: float) -> list[Feature]:
        """Hand on what is new in the window."""
        sound = block if block.ndim == 2 else block[None]
        new = self._hop if self._end is None else round((time - self._end) * self._rate)
        if new > sound.shape[-1]:
            self.reset()
            new = self._hop
        if self._end is None:
            self._origin = time - new / self._rate
        self._end = time
        return self._told(self._push(sound[:, sound.shape[-1] - new :]) if new > 0 else [])

    def _push(self, new: Array) -> list[VampFeature]:
        """Take new samples; what the plugin says of the blocks that are whole now."""
        instance, held = self._instance, self._held
        assert instance is not None
        if new.shape[0] > instance.channels:
            new = new.mean(axis=0, keepdims=True)
        skip = min(self._skip, new.shape[-1])
        self._skip -= skip
        new = new[:, skip:]
        held[:, self._filled : self._filled + new.shape[-1]] = new  # one channel is given to both of a pair
        self._filled += new.shape[-1]
        found: list[VampFeature] = []
        at = 0
        while self._filled - at >= instance.block:
            found += instance.process(held[:, at : at + instance.block], self._done / self._rate)
            self._done += instance.step
            at += instance.step
        if at > self._filled:  # a step longer than the block: samples that nobody wants
            self._skip, at = at - self._filled, self._filled
        held[:, : self._filled - at] = held[:, at : self._filled].copy()
        self._filled -= at
        return found

    def _told(self, said: list[VampFeature]) -> list[Feature]:
        # A library that divides by silence says so in NaN: no result, and no reason to turn it off.
        said = [f for f in said if f.output == self._output and all(map(math.isfinite, f.values))]
        if self._sparse:
            events = [
                Feature("event", self._origin + f.time, f.values[0] if f.values else None, f.label or None)
                for f in said
            ]
        else:
            events = []
        continuous: list[Feature] = []
        for f in said[-MOST_CONTINUOUS // 3 :]:
            time = self._origin + f.time
            if f.values:
                continuous.append(Feature("value", time, f.values[0]))
            if len(f.values) > 1:
                continuous.append(Feature("vector", time, f.values))
            if f.label:
                continuous.append(Feature("label", time, None, f.label))
        return events + continuous

    def _begin(self) -> None:
        """A new instance of the library's plugin: its own reset is not trusted to forget everything."""
        self.close()
        self._instance = Instance(self._pointer, self._rate, self._settings, self._program, self._wanted)
        self._filled = self._skip = self._done = 0
        self._end = None
        self._origin = 0.0

    def skipped(self, samples: int) -> None:
        """Nothing: the times of the windows tell what is missing."""

    def reset(self) -> None:
        self._begin()

    def close(self) -> None:
        if self._instance is not None:
            self._instance.close()
            self._instance = None

    @classmethod
    def installed(cls) -> list[tuple[str, str]]:
        """Keys of the Vamp plugins on this machine, with a few words. Each library is read in a process of its
        own: one that crashes is listed with that."""
        found: list[tuple[str, str]] = []
        for name, path in places.libraries().items():
            try:
                done = subprocess.run(
                    [sys.executable, "-m", "models.vamp.scan", str(path)],
                    capture_output=True, timeout=_SCAN_SECONDS, check=False, text=True,
                )  # fmt: skip
                rows: Any = json.loads(done.stdout) if done.returncode == 0 else None
            except (subprocess.TimeoutExpired, ValueError):
                rows = None
            if rows is None:
                found.append((name, f"{path}: cannot be read (its code fails or hangs)"))
            else:
                found += [(f"{name}:{r['plugin']}", _words(r)) for r in rows]
        return found


def _words(row: dict[str, Any]) -> str:
    of = [f"{len(row['parameters'])} parameters" if row["parameters"] else "", row["maker"], row["copyright"]]
    return ", ".join([row["name"], *(w for w in of if w)])


def _numbers(lines: str) -> dict[str, float]:
    """``name = number``, one a line; raises ``UserError``."""
    found = {}
    for line in lines.splitlines():
        if not line.strip():
            continue
        name, equals, value = line.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise UserError(f"vamp: settings: '{line.strip()}' must be 'name = number'")
    return found
