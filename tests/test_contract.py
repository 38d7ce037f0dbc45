"""The plugin contract, held against every plugin that is installed: causal, whatever the blocks and the rate;
fresh after a reset; no state shared; no harm from broken sound."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soundfile

from realtime.audio.demo import FOLDER
from realtime.audio.resample import StreamResampler
from realtime.bus import Event, Value
from realtime.engine import Engine
from realtime.hosting import registry
from realtime.hosting.frontend import FrontEnd
from realtime.hosting.plugin import ENGINE_RATE, TICK, Feature
from realtime.hosting.slot import Slot
from realtime.preset import PluginSettings, Preset
from tests.fixtures.sources import ArraySource

WANTING = {
    *("silero", "rnnoise", "crepe", "pesto", "swift-f0", "basic-pitch"),  # weights
    *("hub-tags", "hub-clap", "hub-embed", "hub-drumkit", "hub-speech", "hub-speaker"),
    *("pyin", "librosa-tempo", "whisper", "entities"),  # packages
    *("fingerprint", "similarity", "spot", "vamp", "effect"),  # an index, examples, a library, a chain
    *("caption", "demucs", "endpoint", "musicgen", "speech"),  # a request: they are jobs
}
"""Do nothing before they are given something; tested in their own folders, with tiny networks or stand-ins."""

NAMES = sorted(registry.discover().keys() - WANTING)
HEARING = [n for n in NAMES if registry.find(n).descriptor.kind != "combine"]
"""Those that take sound; what combines results is run by the engine alone."""


@pytest.fixture(scope="session")
def music() -> np.ndarray:
    """Eight seconds of the demo, with drums and voice, 44.1 or 48 kHz stereo brought to 48 kHz."""
    sound, rate = soundfile.read(FOLDER / "demo.ogg", start=0, stop=8 * 48_000, dtype="float32", always_2d=True)
    return StreamResampler(rate, ENGINE_RATE, sound.shape[1]).process(sound)[: 7 * ENGINE_RATE]


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []
        self.values: list[tuple[str, Value]] = []

    def event(self, event: Event) -> None:
        self.events.append(tuple(event)[1:])

    def value(self, name: str, value: Value) -> None:
        if not name.startswith("host."):
            self.values.append((name, value))


def analyse(sound: np.ndarray, rate: int, blocks: list[int], names: list[str] = NAMES) -> tuple[Log, Engine]:
    log = Log()
    preset = Preset(plugins={n: PluginSettings() for n in names})
    engine = Engine(preset, ArraySource(sound, rate, blocks), tap=log)
    engine.run_offline()
    return log, engine


def test_there_are_plugins_and_all_load() -> None:
    found = registry.discover()
    assert {"level", "bands", "onset", "tempo", "pitch", "voice", "beat"} <= set(found)
    assert [e.error for e in found.values() if e.error] == []


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000, 96_000])
def test_the_first_seconds_do_not_change_when_the_sound_goes_on_nor_with_the_blocks(
    music: np.ndarray, rate: int
) -> None:
    sound = StreamResampler(ENGINE_RATE, rate, 2).process(music[: 5 * ENGINE_RATE])
    whole, _ = analyse(sound, rate, [512])
    part, engine = analyse(sound[: int(3.6 * rate)], rate, [32, 4096, 1, 777, 240, 2048])
    until = engine.lane.now
    assert until == pytest.approx(3.6, abs=0.01)
    assert part.events == [e for e in whole.events if e[1] <= until]  # type: ignore[operator]
    assert part.values == whole.values[: len(part.values)]
    assert [p["errors"] for p in engine.status()["plugins"]] == [0] * len(NAMES)


def results(slot: Slot, sound: np.ndarray, start: float = 0.0) -> list[Feature]:
    """Run one prepared slot over `sound` with a front end of its own, stream time beginning at `start`."""
    front = FrontEnd()
    front.restart(start)
    slot.feed = front.feed(slot.descriptor.input)
    out = []
    for k in range(len(sound) // TICK):
        front.push(sound[k * TICK : (k + 1) * TICK])
        out += slot.run(start + (k + 1) * TICK / ENGINE_RATE)
    return out


def fresh(name: str) -> Slot:
    factory = registry.find(name)
    slot = Slot(factory, registry.resolve(factory.descriptor, {}))
    slot.prepare()
    return slot


@pytest.mark.parametrize("name", HEARING)
def test_a_reset_plugin_equals_a_new_one(name: str, music: np.ndarray) -> None:
    used = fresh(name)
    results(used, music[: 3 * ENGINE_RATE])
    used.reset()
    second = music[3 * ENGINE_RATE : 6 * ENGINE_RATE]
    assert results(used, second) == results(fresh(name), second)


@pytest.mark.parametrize("name", HEARING)
def test_two_instances_share_nothing(name: str, music: np.ndarray) -> None:
    a, b = fresh(name), fresh(name)
    alone = results(fresh(name), music[: 2 * ENGINE_RATE])
    fronts = [FrontEnd(), FrontEnd()]
    for slot, front in zip((a, b), fronts, strict=True):
        slot.feed = front.feed(slot.descriptor.input)
    got: list[Feature] = []
    other = music[::-1]
    for k in range(2 * ENGINE_RATE // TICK):
        now = (k + 1) * TICK / ENGINE_RATE
        fronts[0].push(music[k * TICK : (k + 1) * TICK])
        fronts[1].push(other[k * TICK : (k + 1) * TICK])
        got += a.run(now)
        b.run(now)
    assert got == alone


@pytest.mark.parametrize("name", NAMES)
def test_broken_sound_does_no_harm(name: str, music: np.ndarray) -> None:
    """NaN, Inf, denormals, DC, full scale, silence, and noise beyond full scale, then music again."""
    second = ENGINE_RATE // 2
    rng = np.random.default_rng(1)
    pieces = [
        np.full((second, 2), np.nan), np.full((second, 2), np.inf), np.full((second, 2), 1e-40),
        np.full((second, 2), 0.9), np.sign(rng.standard_normal((second, 2))), np.zeros((second, 2)),
        rng.standard_normal((second, 2)) * 1e6, music[: 2 * ENGINE_RATE],
    ]  # fmt: skip
    log, engine = analyse(np.concatenate(pieces), ENGINE_RATE, [480], [name])
    assert [p["errors"] for p in engine.status()["plugins"]] == [0]
    for _, value in log.values:
        numbers = value.value if isinstance(value.value, tuple) else (value.value or 0.0,)
        assert all(math.isfinite(v) for v in numbers)


@pytest.mark.parametrize("name", NAMES)
def test_a_gap_is_survived(name: str, music: np.ndarray) -> None:
    sound = music[: 4 * ENGINE_RATE]
    log = Log()
    source = ArraySource(sound, ENGINE_RATE, [480], {ENGINE_RATE: 960, 2 * ENGINE_RATE: 3 * ENGINE_RATE})
    engine = Engine(Preset(plugins={name: PluginSettings()}), source, tap=log)
    engine.run_offline()
    assert [p["errors"] for p in engine.status()["plugins"]] == [0]
    assert engine.lane.now == pytest.approx(7.02, abs=0.006)
    times = [v.time for n, v in log.values if n.startswith(f"{name}.")]
    assert all(t <= engine.lane.now for t in times)


def test_descriptors_say_what_a_person_needs() -> None:
    for name in NAMES:
        d = registry.find(name).descriptor
        assert d.name, name
        assert d.description, name
        assert d.maker, name
        assert d.license, name
        for p in d.parameters:
            assert p.name, (name, p.identifier)
