from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.clock import StreamClock
from realtime.audio.source import Block
from realtime.bus import Bus, Event, Value
from realtime.hosting.fastlane import FastLane
from realtime.hosting.plugin import (
    ENGINE_RATE,
    AudioInput,
    Context,
    Descriptor,
    Feature,
    LogMelSpec,
    Output,
    Plugin,
)
from realtime.hosting.slot import Slot
from realtime.musical import BeatObservation
from realtime.preset import TransportSettings
from realtime.transport import Transport
from tests.fixtures.sources import ArraySource


class Loudness(Plugin):
    """RMS of each 10 ms at 24 kHz, and an event when it rises above 0.1."""

    descriptor = Descriptor(
        "loud", "Loud", "", "tests", "MIT", "1",
        AudioInput(24_000, 1, 240), (Output("rms", "value"), Output("on", "event")),
    )  # fmt: skip

    def prepare(self, context: Context) -> None:
        self.reset()

    def process(self, block: np.ndarray, time: float) -> Iterable[Feature]:
        rms = float(np.sqrt(np.mean(block**2)))
        yield Feature("rms", time, rms)
        if rms > 0.1 and not self.on:
            yield Feature("on", time, rms)
        self.on = rms > 0.1

    def reset(self) -> None:
        self.on = False


class Mel(Plugin):
    descriptor = Descriptor(
        "mel", "Mel", "", "tests", "MIT", "1", LogMelSpec(), (Output("sum", "value"),)
    )  # fmt: skip

    def process(self, block: np.ndarray, time: float) -> Iterable[Feature]:
        return [Feature("sum", time, float(block.sum()))]


class Metronome(Plugin):
    """Claims a steady 120 BPM with a beat at 0."""

    descriptor = Descriptor(
        "metro", "Metronome", "", "tests", "MIT", "1",
        AudioInput(ENGINE_RATE, 1, 480), (Output("observation", "observation"),),
    )  # fmt: skip

    def process(self, block: np.ndarray, time: float) -> Iterable[Feature]:
        beats = time * 2
        place = int(beats) % 4 + 1
        return [Feature("observation", time, BeatObservation(time, 120.0, beats % 1, place, 4, 0.95, 0.95))]


class Log:
    """A tap that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.values: list[tuple[str, Value]] = []

    def event(self, event: Event) -> None:
        self.events.append(event)

    def value(self, name: str, value: Value) -> None:
        self.values.append((name, value))


def run(source: ArraySource, *kinds: type[Plugin]) -> tuple[Log, FastLane]:
    log = Log()
    slots = [Slot(k, {}) for k in kinds]
    for slot in slots:
        slot.prepare()
    transports = {
        s.identifier: Transport(TransportSettings())
        for s in slots
        if any(o.kind == "observation" for o in s.descriptor.outputs)
    }
    lane = FastLane(source, slots, transports, next(iter(transports), ""), Bus(tap=log), StreamClock(ENGINE_RATE))
    lane.open()
    lane.run()
    return log, lane


def bursts(seconds: float, rate: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    t = np.arange(int(seconds * rate)) / rate
    return (rng.uniform(-0.5, 0.5, len(t)) * (t % 0.5 < 0.1)).astype(np.float32)


@given(
    sizes=st.lists(st.integers(1, 4096), min_size=1, max_size=5), rate=st.sampled_from([22_050, 44_100, 48_000])
)
@settings(max_examples=12, deadline=None)
def test_results_do_not_depend_on_block_sizes(sizes: list[int], rate: int) -> None:
    sound = bursts(1.2, rate)
    a, _ = run(ArraySource(sound, rate, [441]), Loudness, Mel)
    b, _ = run(ArraySource(sound, rate, sizes), Loudness, Mel)
    assert a.events == b.events
    assert a.values == b.values
    assert len(a.events) == 3


@pytest.mark.parametrize("rate", [16_000, 44_100, 96_000])
def test_the_past_does_not_change_when_the_sound_goes_on(rate: int) -> None:
    sound = bursts(2.0, rate)
    whole, _ = run(ArraySource(sound, rate), Loudness, Mel, Metronome)
    part, lane = run(ArraySource(sound[: int(1.1 * rate)], rate), Loudness, Mel, Metronome)
    until = lane.now
    assert part.events == [e for e in whole.events if e.emitted <= until]
    assert part.values == whole.values[: len(part.values)]


def test_events_happen_when_the_sound_did() -> None:
    log, _ = run(ArraySource(bursts(2.0, 44_100), 44_100), Loudness)
    for k, event in enumerate(log.events):
        assert event.time == pytest.approx(0.5 * k, abs=0.011)
        assert event.emitted >= event.time


def test_beats_are_committed_ahead_at_the_right_instants() -> None:
    log, _ = run(ArraySource(np.zeros(48_000 * 4), 48_000), Metronome)
    beats = [e for e in log.events if e.name == "metro.beat"]
    assert len(beats) >= 7
    for e in beats:
        assert e.time * 2 == pytest.approx(round(e.time * 2), abs=0.004)
        assert e.value == round(e.time * 2) % 4 + 1
        assert e.emitted <= e.time
    assert [e.output for e in log.events if e.plugin == "transport"] == ["locked"]


def test_a_short_gap_becomes_silence_and_a_long_one_a_jump() -> None:
    sound = bursts(4.0, 48_000)
    log, lane = run(ArraySource(sound, 48_000, [480], {48_000: 4_800, 96_000: 96_000}), Loudness)
    gaps = [e.value for e in log.events if e.name == "host.gap"]
    assert gaps == [0.1, 2.0]
    assert lane.now == pytest.approx(6.1, abs=0.006)
    times = [e.time for e in log.events if e.name == "loud.on"]
    expected = [0.0, 0.5, 1.1, 1.6, 4.1, 4.6, 5.1, 5.6]
    assert times == pytest.approx(expected, abs=0.011)


@pytest.mark.parametrize("rubbish", [np.nan, np.inf, -np.inf, 1e30, 1e-42])
def test_broken_samples_are_repaired_and_do_not_reach_plugins(rubbish: float) -> None:
    sound = bursts(1.0, 48_000)
    sound[1000:1010] = rubbish
    sound[20_000:30_000] = 1e-42
    log, lane = run(ArraySource(sound, 48_000), Loudness, Mel)
    assert all(np.isfinite(v.value) for _, v in log.values if v.value is not None)
    assert lane.repaired == (0 if rubbish == 1e-42 else 1)


class Hopeless(Loudness):
    def process(self, block: np.ndarray, time: float) -> Iterable[Feature]:
        raise RuntimeError("no")


def test_a_failing_plugin_leaves_the_others_alone() -> None:
    class Bad(Hopeless):
        descriptor = Descriptor(
            "bad", "", "", "", "", "1", AudioInput(24_000, 1, 240), (Output("rms", "value"),)
        )  # fmt: skip

    sound = bursts(1.0, 48_000)
    alone, _ = run(ArraySource(sound, 48_000), Loudness)
    beside, _ = run(ArraySource(sound, 48_000), Bad, Loudness)
    assert [e[1:] for e in alone.events] == [e[1:] for e in beside.events if e.plugin == "loud"]
    errors = [e for e in beside.events if e.name == "host.plugin_error"]
    assert errors
    assert "bad" in (errors[0].label or "")


class Moody(Plugin):
    """Counts its hops; fails once, at the seventh after each reset until the second."""

    descriptor = Descriptor(
        "moody", "Moody", "", "tests", "MIT", "1",
        AudioInput(24_000, 1, 240), (Output("count", "value"), Output("tenth", "event")),
    )  # fmt: skip

    def prepare(self, context: Context) -> None:
        self.resets = -1
        self.reset()

    def process(self, block: np.ndarray, time: float) -> Iterable[Feature]:
        self.count += 1
        if self.count == 7 and self.resets < 2:
            raise ValueError("not today")
        yield Feature("count", time, float(self.count))
        if self.count % 10 == 0:
            yield Feature("tenth", time, float(self.count))

    def reset(self) -> None:
        self.count = 0
        self.resets += 1


@given(sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=4))
@settings(max_examples=12, deadline=None)
def test_failures_and_their_pauses_do_not_depend_on_block_sizes(sizes: list[int]) -> None:
    sound = bursts(2.5, 48_000)
    a, _ = run(ArraySource(sound, 48_000, [240]), Moody, Loudness, Metronome)
    b, _ = run(ArraySource(sound, 48_000, sizes), Moody, Loudness, Metronome)
    assert a.events == b.events
    assert a.values == b.values
    failures = [e.time for e in a.events if e.name == "host.plugin_error"]
    assert len(failures) == 2
    assert [e for e in a.events if e.name == "moody.tenth" and e.time > failures[-1]]


def test_blocks_done_too_late_are_counted_apart_from_slow_ones() -> None:
    class Live(ArraySource):
        def __init__(self, ages: list[float]) -> None:
            super().__init__(np.zeros(480 * len(ages)), 48_000)
            self.ages, self.live = iter(ages), True

        def read(self, most: int) -> Block | None:
            block = super().read(most)
            return block and block._replace(host_time=time.monotonic() - next(self.ages))

    lane = FastLane(Live([-60.0, 0.5, -60.0, 0.5]), [], {}, "", Bus(), StreamClock(ENGINE_RATE))
    lane.open()
    lane.run()
    assert lane.blocks == 4
    assert lane.missed == 2
