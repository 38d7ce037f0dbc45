"""Each way to break the contract is found, and named; a good plugin passes."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from realtime.errors import UserError
from realtime.hosting.check import check_plugin
from realtime.hosting.kinds import CombinePlugin, EventPlugin, InsertPlugin
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin

OUTPUTS = (Output("level", "value"), Output("loud", "event"))
PARAMETERS = (Parameter("gain", "Gain", "", 0.0, 1.0, 1.0),)


class Good(Plugin):
    """Mean level, smoothed, and when it is loud."""

    descriptor = Descriptor(
        "good", "Good", "A level", "me", "MIT", "1", AudioInput(24_000, 1, 1200), OUTPUTS, PARAMETERS
    )

    def prepare(self, context: Context) -> None:
        self.gain = context.parameters["gain"]
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self.gain = value

    def reset(self) -> None:
        self.level, self.loud = 0.0, False

    def process(self, block: Array, time: float) -> list[Feature]:
        self.level = 0.5 * self.level + 0.5 * self.gain * min(1.0, float(np.abs(block).mean()))
        found = [Feature("level", time, self.level)]
        if (self.level > 0.05) != self.loud:
            self.loud = not self.loud
            found.append(Feature("loud", time, float(self.loud)))
        return found


class ForgetsNothing(Good):
    def reset(self) -> None:
        if not hasattr(self, "level"):
            super().reset()


class Poisoned(Good):
    """Its reset multiplies by 0, which leaves NaN."""

    def process(self, block: Array, time: float) -> list[Feature]:
        self.level = 0.5 * self.level + 0.5 * float(np.minimum(1.0, np.abs(block).mean()))
        return [Feature("level", time, self.level)]

    def reset(self) -> None:
        self.level, self.loud = getattr(self, "level", 0.0) * 0.0, False


class Shares(Good):
    """State in the class."""

    memory: ClassVar[list[float]] = [0.0]

    def process(self, block: Array, time: float) -> list[Feature]:
        self.memory[0] = 0.9 * self.memory[0] + 0.1 * float(block.max())
        return [Feature("level", time, min(1.0, max(0.0, self.memory[0])))]

    def reset(self) -> None:
        super().reset()
        self.memory[0] = 0.0


class Dices(Good):
    def process(self, block: Array, time: float) -> list[Feature]:
        return [Feature("level", time, float(np.random.default_rng().random()))]


class Hoards(Good):
    def reset(self) -> None:
        super().reset()
        self.all: list[float] = []

    def process(self, block: Array, time: float) -> list[Feature]:
        self.all += [time] * 8
        return super().process(block, time)


class KeepsBlocks(Good):
    def reset(self) -> None:
        super().reset()
        self.before: Array | None = None

    def process(self, block: Array, time: float) -> list[Feature]:
        level = 0.0 if self.before is None else min(1.0, float(np.abs(self.before).mean()))
        self.before = block
        return [Feature("level", time, level)]


class Writes(Good):
    def process(self, block: Array, time: float) -> list[Feature]:
        block *= 0.5
        return super().process(block, time)


class OutOfRange(Good):
    def process(self, block: Array, time: float) -> list[Feature]:
        return [Feature("level", time, 1.0 + float(np.abs(block).mean()))]


class Undeclared(Good):
    def process(self, block: Array, time: float) -> list[Feature]:
        return [Feature("lvl", time, 0.0)]


class Divides(Good):
    """Fails on silence."""

    def process(self, block: Array, time: float) -> list[Feature]:
        return [Feature("level", time, float(np.clip(1 / float(np.abs(block).sum()), 0, 1)))]


class NotFinite(Good):
    """Overflows on what is far too loud, and never recovers."""

    def process(self, block: Array, time: float) -> list[Feature]:
        with np.errstate(all="ignore"):
            self.level = float(
                np.float32(self.level) * np.float32(0.5) + np.exp(np.float32(30 * np.abs(block).max()))
            )
            return [Feature("level", time, float(np.float32(self.level) - np.float32(self.level)))]


class Slow(Good):
    descriptor = replace(Good.descriptor, input=AudioInput(24_000, 1, 120))

    def process(self, block: Array, now: float) -> list[Feature]:
        begun = time.thread_time()
        while time.thread_time() - begun < 0.004:
            pass
        return super().process(block, now)


class FailsAtAnEnd(Good):
    def process(self, block: Array, time: float) -> list[Feature]:
        return [Feature("level", time, min(1.0, 0.1 / self.gain))]


class Counts(Good):
    """Depends on how many instances there were."""

    made: ClassVar[list[int]] = [0]

    def prepare(self, context: Context) -> None:
        super().prepare(context)
        self.made[0] += 1
        self.offset = self.made[0] * 1e-4

    def process(self, block: Array, time: float) -> list[Feature]:
        return [Feature("level", time, self.offset)]


def test_a_good_plugin_passes() -> None:
    report = check_plugin(Good)
    assert report.ok, report.failures
    assert {v.state for v in report.verdicts} == {"pass"}
    assert {"causality", "block sizes", "reset", "isolation", "cost", "hostile sound"} <= {
        v.name for v in report.verdicts
    }


@pytest.mark.parametrize(
    ("kind", "check", "wanted"),
    [
        (ForgetsNothing, "reset", "not as new"),
        (Poisoned, "reset", "after NaN in the sound"),
        (Shares, "isolation", "another instance changes its results"),
        (Dices, "isolation", "random numbers"),
        (Counts, "isolation", "two new instances differ"),
        (Hoards, "memory", "bytes more with every call"),
        (KeepsBlocks, "blocks", "keeps a block"),
        (Writes, "outputs", "read-only"),
        (OutOfRange, "outputs", "declared is 0 to 1"),
        (Undeclared, "outputs", "'lvl', which is not declared"),
        (Divides, "hostile sound", "ZeroDivisionError"),
        (NotFinite, "hostile sound", "not finite"),
        (Slow, "cost", "use the slow lane"),
        (FailsAtAnEnd, "parameters", "'gain' at 0: ZeroDivisionError"),
    ],
)
def test_every_fault_is_named(kind: type[Plugin], check: str, wanted: str) -> None:
    report = check_plugin(kind, seconds=0.05 if kind is Slow else 1.0)
    assert not report.ok
    verdict = report.verdict(check)
    assert verdict.state == "fail", report.verdicts
    assert wanted in verdict.detail
    assert "\n" not in verdict.detail


def test_a_plugin_that_cannot_be_prepared() -> None:
    class Broken(Good):
        def prepare(self, context: Context) -> None:
            raise RuntimeError("no\nmodel")

    report = check_plugin(Broken)
    assert report.verdict("prepares").state == "fail"
    assert "RuntimeError: no model (test_check.py:" in report.verdict("prepares").detail

    class Missing(Good):
        def prepare(self, context: Context) -> None:
            raise UserError("model.onnx is missing")

    with pytest.raises(UserError, match="is missing"):
        check_plugin(Missing)


def test_a_window_plugin_of_the_slow_lane() -> None:
    class Window(Good):
        descriptor = Descriptor(
            "window", "Window", "A level", "me", "MIT", "1", AudioInput(16_000, 1, 8000, 16_000), OUTPUTS,
            PARAMETERS, lane="slow",
        )  # fmt: skip

    report = check_plugin(Window)
    assert report.ok, report.failures
    assert report.verdict("block sizes").state == "pass"


def test_the_other_kinds() -> None:
    mono = AudioInput(24_000, 1, 1200)

    class Gain(InsertPlugin):
        descriptor = Descriptor(
            "gain", "G", "", "me", "MIT", "1", mono, (Output("audio", "audio"),), kind="insert"
        )

        def render(self, block: Array, time: float) -> Array:
            return np.asarray(block * 0.5, np.float32)

    class Short(Gain):
        def render(self, block: Array, time: float) -> Array:
            return block[:-1]

    class Hit(EventPlugin):
        descriptor = Descriptor(
            "hit", "H", "", "me", "MIT", "1", mono, (Output("peak", "value", maximum=16.0),), kind="event",
            sources=("onset.*",),
        )  # fmt: skip

        def on_event(self, happening: Any, block: Array, time: float) -> list[Feature]:
            assert happening.name == "onset.onset"
            return [Feature("peak", time, float(np.abs(block).max()))]

    class Mix(CombinePlugin):
        descriptor = Descriptor("mix", "M", "", "me", "MIT", "1", mono, (Output("x", "value"),), kind="combine")

    for good in (Gain, Hit, Mix):
        report = check_plugin(good, seconds=2.0)
        assert report.ok, report.failures
    assert check_plugin(Mix).verdict("behaviour").state == "skip"
    assert "sound of shape" in check_plugin(Short, seconds=2.0).verdict("outputs").detail
