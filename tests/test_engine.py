from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realtime import preset as presets
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.hosting.plugin import AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin
from realtime.musical import BeatObservation
from realtime.preset import parse
from tests.fixtures.sources import ArraySource
from tests.fixtures.waiting import until


class Steady(Plugin):
    """Claims a steady tempo with a beat at 0."""

    descriptor = Descriptor(
        "steady", "Steady", "", "tests", "MIT", "1", AudioInput(hop=480),
        (Output("observation", "observation"),), (Parameter("bpm", "Tempo", "BPM", 40, 240, 120),),
    )  # fmt: skip

    def prepare(self, context: Context) -> None:
        self.bpm = context.parameters["bpm"]

    def parameter(self, identifier: str, value: float) -> None:
        self.bpm = value

    def process(self, block: np.ndarray, time: float) -> list[Feature]:
        beats = time * self.bpm / 60
        seen = BeatObservation(time, self.bpm, beats % 1, int(beats) % 4 + 1, 4, 0.9, 0.9)
        return [Feature("observation", time, seen)]


class Level(Plugin):
    descriptor = Descriptor(
        "peak", "Peak", "", "tests", "MIT", "1", AudioInput(hop=480), (Output("now", "value"),),
        (Parameter("gain", "Gain", "", 0, 4, 1), Parameter("size", "Size", "", 1, 9, 1, live=False)),
    )  # fmt: skip
    made = 0

    def prepare(self, context: Context) -> None:
        type(self).made += 1
        self.gain = context.parameters["gain"]

    def parameter(self, identifier: str, value: float) -> None:
        self.gain = value

    def process(self, block: np.ndarray, time: float) -> list[Feature]:
        return [Feature("now", time, self.gain * float(np.abs(block).max()))]


PLUGINS = {"steady": Steady, "peak": Level}
BOTH = "[plugins.steady]\n[plugins.peak]\n"


class Endless(ArraySource):
    """A live source that never ends: silence with level 0.5, paced by the clock."""

    def __init__(self) -> None:
        super().__init__(np.full(480, 0.5), 48_000)
        self.live = True

    def read(self, most: int):  # type: ignore[no-untyped-def]
        import time

        from realtime.audio.source import Block

        now = time.monotonic()
        self._start = getattr(self, "_start", now)
        n = min(int((now - self._start) * 48_000) - self._at, most)
        self._at += n
        return Block(np.full((n, 1), 0.5, np.float32), self._at - n, 0, self._start + self._at / 48_000)


@pytest.fixture
def host():  # type: ignore[no-untyped-def]
    engines = []

    def start(text: str) -> Engine:
        engine = Engine(parse(text, "test.toml"), Endless(), plugins=PLUGINS)
        engine.start()
        engines.append(engine)
        return engine

    yield start
    for engine in engines:
        engine.stop()
        assert engine.join(10)


def test_a_running_host_locks_and_obeys(host) -> None:  # type: ignore[no-untyped-def]
    engine = host(BOTH)
    until(lambda: engine.value("transport.locked") and engine.value("transport.locked").value == 1.0)
    assert engine.value("transport.bpm").value == pytest.approx(120, abs=0.5)
    engine.call("transport.double")
    until(lambda: engine.value("transport.bpm").value == pytest.approx(240, abs=1))
    engine.call("plugin.set", {"plugin": "peak", "parameter": "gain", "value": 2})
    until(lambda: engine.value("peak.now").value == pytest.approx(1.0))
    assert engine.current_preset().plugins["peak"].parameters == {"gain": 2.0}
    engine.call("plugin.enable", {"plugin": "peak", "on": False})
    status = engine.status()
    assert [p["enabled"] for p in status["plugins"]] == [True, False]
    assert status["running"]
    assert engine.call("ping") == "pong"


@pytest.mark.parametrize(
    ("method", "params", "wanted"),
    [
        ("transport.tapp", {}, "did you mean 'transport.tap'"),
        ("transport.nudge", {}, "parameter 'ms' is missing"),
        ("transport.nudge", {"ms": "a lot"}, "'ms' must be a float"),
        ("transport.nudge", {"ms": 1, "mss": 2}, "unknown parameter 'mss'"),
        ("plugin.set", {"plugin": "peek", "parameter": "gain", "value": 1}, "did you mean 'peak'"),
        ("plugin.set", {"plugin": "peak", "parameter": "gain", "value": 9}, "between 0 and 4"),
        ("plugin.set", {"plugin": "peak", "parameter": "size", "value": 2}, "next start only"),
        ("preset.save", {"name": "../evil"}, "letters, digits"),
        ("preset.load", {"name": "nothing-like-it"}, "unknown preset"),
        ("output.offset", {"name": "x", "ms": 5000}, "between -1000 and 1000"),
        ("output.remove", {"name": "x"}, "no output 'x'"),
        ("output.add", {"settings": {"kind": "osk"}}, "did you mean 'osc'"),
    ],
)
def test_wrong_commands_are_one_clear_line(host, method: str, params: dict, wanted: str) -> None:  # type: ignore
    engine = host(BOTH)
    with pytest.raises(UserError) as caught:
        engine.call(method, params)
    assert wanted in str(caught.value)
    assert "\n" not in str(caught.value)
    assert engine.running


def test_switching_the_preset_keeps_the_clock_and_what_is_the_same(
    host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("SIDECHAIN_CONFIG", str(tmp_path))
    presets.save(
        parse("[plugins.steady]\n[plugins.peak]\ngain = 3.0\n[transport]\nphrase_bars = 1\n", "b.toml"),
        presets.user_folder() / "b.toml",
    )
    presets.save(parse("[plugins.steady]\n[plugins.peak]\nsize = 4\n", "c.toml"), presets.user_folder() / "c.toml")
    presets.save(parse("[plugins.nothing]\n", "d.toml"), presets.user_folder() / "d.toml")
    engine = host(BOTH)
    until(lambda: (engine.value("transport.beat") or (0, 0))[1] >= 1)
    events = engine.subscribe()
    slot, made = engine.slots[1], Level.made
    engine.call("preset.load", {"name": "b"})
    assert engine.slots[1] is slot
    until(lambda: engine.value("peak.now").value == pytest.approx(1.5))
    until(lambda: engine.value("transport.phrase").value == engine.value("transport.bar").value)
    engine.call("preset.load", {"name": "c"})
    assert engine.slots[1] is not slot
    assert Level.made == made + 1
    with pytest.raises(UserError, match="unknown plugin 'nothing'"):
        engine.call("preset.load", {"name": "d"})
    assert engine.status()["preset"] == "c"
    seen: list[float] = []

    def two_more() -> bool:
        seen.extend(e.time for e in events.poll() if e.name == "steady.beat")
        return len(seen) >= 2

    until(two_more)
    assert np.diff(seen) == pytest.approx(0.5, abs=0.01)


def test_a_wrong_preset_leaves_nothing_open() -> None:
    source = Endless()
    engine = Engine(
        parse("[plugins.peak]\n[[outputs]]\nkind='osc'\nhost='no.such.host.invalid'\nport=9\n", "t"),
        source,
        plugins=PLUGINS,
    )
    with pytest.raises(UserError, match=r"no\.such\.host"):
        engine.start()
    assert source.closed
    assert not engine.running


def test_without_a_tracker_the_clock_runs_by_tapping(host) -> None:  # type: ignore[no-untyped-def]
    engine = host("[plugins.peak]\n")
    at = engine.stream_now()
    for k in range(5):
        engine.on_lane(lambda k=k: engine.transport.act("tap", {}, at + 0.5 * k))  # type: ignore[misc]
    until(lambda: engine.status()["transport"]["bpm"] == pytest.approx(120, abs=1))


def test_offline_runs_as_fast_as_it_goes_and_reports_progress() -> None:
    done: list[float] = []
    engine = Engine(parse(BOTH, "t"), ArraySource(np.zeros(48_000 * 3), 48_000), plugins=PLUGINS)
    engine.run_offline(done.append)
    assert done == pytest.approx([1.0, 2.0, 3.0], abs=0.02)
    assert sum(e.name == "steady.beat" for e in engine.events()) >= 5
