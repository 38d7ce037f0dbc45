"""A host with slow plugins for tests: endless paced sound, and waiting for what it says."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from realtime.audio.source import Block, Source
from realtime.bus import Event
from realtime.engine import Engine
from realtime.hosting.plugin import Plugin
from realtime.preset import PluginSettings, Preset
from tests.fixtures.waiting import until


class Hum(Source):
    """A tone without end at 48 kHz, as fast as a sound card would bring it."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.name, self.sample_rate, self.channels, self.live = "hum", 48_000, channels, False
        tone = 0.5 * np.sin(2 * np.pi * 100 * np.arange(48_000) / 48_000)
        self._tone = np.repeat(tone.astype(np.float32)[:, None], channels, axis=1)
        self._at = 0

    def open(self) -> None:
        self._begun = time.monotonic()

    def read(self, most: int) -> Block | None:
        due = int((time.monotonic() - self._begun) * self.sample_rate)
        place = self._at % len(self._tone)
        n = max(0, min(most, due - self._at, len(self._tone) - place))
        block = Block(self._tone[place : place + n], self._at, 0, 0.0)
        self._at += n
        return block

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def close(self) -> None:
        pass


class SlowHost:
    """A running engine and all that it has said."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._events: list[Event] = []

    def events(self, name: str = "", text: str = "") -> list[Event]:
        """Events so far of that name ``plugin.output`` whose label contains `text`."""
        self._events += self.engine.events()
        return [e for e in self._events if name in ("", e.name) and text in (e.label or "")]

    def wait_for(self, name: str, text: str = "", count: int = 1, seconds: float = 60.0) -> Event:
        """The `count`-th such event, waited for."""
        until(lambda: len(self.events(name, text)) >= count, seconds)
        return self.events(name, text)[count - 1]

    def plugin(self, identifier: str) -> dict[str, Any]:
        """A plugin's part of the status."""
        return next(p for p in self.engine.status()["plugins"] if p["identifier"] == identifier)

    def wait_ready(self, *identifiers: str) -> None:
        """Until these plugins run."""
        until(lambda: all(self.plugin(i)["state"] == "ready" for i in identifiers), 60.0)

    def call(self, method: str, **params: Any) -> Any:
        """Run a command."""
        return self.engine.call(method, params)


@contextmanager
def slow_host(
    *kinds: type[Plugin], source: Source | None = None, settings: Mapping[str, dict[str, Any]] | None = None
) -> Iterator[SlowHost]:
    """A host with these plugins, running; ended afterwards."""
    plugins = {k.descriptor.identifier: k for k in kinds}
    chosen = {n: PluginSettings.model_validate((settings or {}).get(n, {})) for n in plugins}
    engine = Engine(Preset(name="test", plugins=chosen), source or Hum(), plugins=plugins, outputs=False)
    engine.start()
    try:
        yield SlowHost(engine)
    finally:
        engine.stop()
        assert engine.join(30.0)
