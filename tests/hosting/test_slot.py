from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np
import pytest

from realtime.errors import PluginError, UserError
from realtime.hosting.frontend import FrontEnd
from realtime.hosting.plugin import TICK, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin
from realtime.hosting.slot import MOST_ERRORS, MOST_FEATURES, Slot


def describe(identifier: str = "probe") -> Descriptor:
    return Descriptor(
        identifier,
        "Probe",
        "",
        "tests",
        "MIT",
        "1",
        AudioInput(hop=TICK),
        (Output("x", "value"), Output("hit", "event"), Output("vec", "vector", size=3)),
        (Parameter("gain", "Gain", "", 0, 2, 1),),
    )


class Scripted(Plugin):
    """Returns or raises what a test has put into `script`."""

    descriptor = describe()
    script: list[object] = []

    def prepare(self, context: Context) -> None:
        self.resets = 0
        self.calls = 0

    def process(self, block: np.ndarray, time: float) -> Iterable[Feature] | None:
        self.calls += 1
        step = self.script[min(self.calls - 1, len(self.script) - 1)]
        if isinstance(step, Exception):
            raise step
        return step  # type: ignore[return-value]

    def reset(self) -> None:
        self.resets += 1


class Bench:
    """A slot with a front end, driven tick by tick."""

    def __init__(self, *script: object) -> None:
        self.slot = Slot(type("Probe", (Scripted,), {"script": list(script)}), {"gain": 1.0})
        self.slot.prepare()
        self.front = FrontEnd()
        self.slot.feed = self.front.feed(self.slot.descriptor.input)
        self.now = 0.0

    def tick(self) -> list:
        self.front.push(np.zeros((TICK, 1), np.float32))
        self.now += 0.005
        return self.slot.run(self.now) if self.slot.ready(self.now) else []


def test_results_arrive_as_plain_numbers() -> None:
    bench = Bench([Feature("x", 0.0, np.float32(0.5)), Feature("vec", 0.0, np.arange(3.0))])
    x, vec = bench.tick()
    assert x.value == 0.5
    assert vec.value == (0.0, 1.0, 2.0)


@pytest.mark.parametrize(
    "rubbish",
    [
        [Feature("nothing", 0.0, 1.0)],
        [Feature("x", 0.0, math.nan)],
        [Feature("x", math.inf, 1.0)],
        [Feature("x", 1e9, 1.0)],
        [Feature("x", 0.0, "loud")],
        [Feature("vec", 0.0, [0.0, math.inf])],
        [Feature("hit", 0.0, 1.0, 7)],  # type: ignore[arg-type]
        [3.0],
        42,
        [Feature("x", 0.0, 1.0)] * (MOST_FEATURES + 1),
        RuntimeError("broken"),
        MemoryError(),
    ],
)
def test_rubbish_is_contained_and_counted(rubbish: object) -> None:
    bench = Bench(rubbish, [Feature("x", 0.0, 1.0)])
    with pytest.raises(PluginError, match=r"probe.*pauses"):
        bench.tick()
    assert bench.slot.errors == 1
    assert bench.slot.error
    assert bench.slot.status()["error"] == bench.slot.error


def test_a_failing_plugin_pauses_then_comes_back_fresh() -> None:
    bench = Bench(RuntimeError("once"), [Feature("x", 0.0, 1.0)])
    with pytest.raises(PluginError):
        bench.tick()
    paused = 0
    while not (results := bench.tick()):
        paused += 1
    assert paused == pytest.approx(100, abs=2)
    assert len(results) == 1
    assert bench.slot._plugin.resets == 1  # type: ignore[union-attr]


def test_a_plugin_that_always_fails_is_turned_off_until_somebody_turns_it_on() -> None:
    bench = Bench(RuntimeError("always"))
    failures = 0
    for _ in range(20_000):
        try:
            bench.tick()
        except PluginError:
            failures += 1
    assert failures == MOST_ERRORS
    assert not bench.slot.enabled
    bench.slot.turn(True)
    with pytest.raises(PluginError):
        bench.tick()


def test_failures_outside_process_are_contained() -> None:
    class Fragile(Scripted):
        script = [None]

        def reset(self) -> None:
            raise RuntimeError("reset failed")

    slot = Slot(Fragile, {})
    slot.prepare()
    slot.reset()
    slot.skipped(100)
    assert slot.errors == 2
    assert "reset failed" in slot.error


def test_a_plugin_that_cannot_prepare_is_named() -> None:
    class Unready(Scripted):
        def prepare(self, context: Context) -> None:
            raise FileNotFoundError("weights.bin")

    with pytest.raises(UserError, match=r"plugin 'probe' cannot be prepared: .*weights\.bin"):
        Slot(Unready, {}).prepare()


def test_the_load_is_that_of_the_mean_call_though_most_do_nothing() -> None:
    bench = Bench([])
    spent, at = itertools.cycle([0.0, 0.0, 0.0, 0.004]), itertools.count()
    now = 0.0

    def clock() -> float:
        nonlocal now
        if next(at) % 2:  # the second of a call's two looks
            now += next(spent)
        return now

    bench.slot.clock = clock
    for _ in range(40):
        bench.tick()
    assert bench.slot.load == pytest.approx(0.001 / bench.slot.hop_seconds)
