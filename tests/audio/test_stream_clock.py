"""The stream clock: right within a fraction of the jitter, with drift, late reads and interruptions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.clock import StreamClock


class Device:
    """A device that runs `ppm` fast and whose blocks are read late by random amounts."""

    def __init__(self, rate: int, ppm: float, block: int, jitter: float, seed: int, start: float = 1000.0) -> None:
        self.rate, self.block, self.jitter = rate, block, jitter
        self.true_rate = rate * (1 + ppm * 1e-6)
        self.start = start
        self.frames = 0
        self.random = np.random.default_rng(seed)

    def time(self, frame: float) -> float:
        return self.start + frame / self.true_rate

    def run(self, clock: StreamClock, seconds: float) -> list[float]:
        """Observe for `seconds`; the clock's error after each block."""
        errors = []
        for _ in range(int(seconds * self.rate / self.block)):
            self.frames += self.block
            late = self.random.exponential(self.jitter) if self.jitter else 0.0
            if self.jitter and self.random.random() < 0.005:
                late += 0.03
            clock.observe(self.frames, self.time(self.frames) + late)
            errors.append(clock.host_time(self.frames) - self.time(self.frames))
        return errors


@settings(max_examples=25, deadline=None)
@given(
    rate=st.sampled_from([16_000, 44_100, 48_000, 96_000]),
    ppm=st.floats(-200, 200),
    block=st.sampled_from([64, 128, 240, 512]),
    jitter=st.floats(0, 0.002),
    seed=st.integers(0, 10_000),
)
def test_follows_drift_under_jitter(rate: int, ppm: float, block: int, jitter: float, seed: int) -> None:
    clock = StreamClock(rate)
    device = Device(rate, ppm, block, jitter, seed)
    errors = np.array(device.run(clock, 20))
    settled = np.abs(errors[len(errors) // 4 :])
    expected_least = jitter * block / rate / 0.3 + 1e-4
    assert settled.max() < 10 * expected_least
    assert settled.max() < 3e-3
    assert abs(clock.ppm - ppm) < 60
    assert clock.restarts == 0


def test_without_jitter_it_is_exact() -> None:
    clock = StreamClock(48_000)
    device = Device(48_000, 0, 480, 0, 0)
    assert np.abs(device.run(clock, 5)).max() < 1e-9
    assert clock.ppm == pytest.approx(0, abs=1e-3)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e9))
def test_both_directions_agree(time: float, frame: float) -> None:
    clock = StreamClock(44_100)
    Device(44_100, 120, 256, 0, 0).run(clock, 3)
    assert clock.frame(clock.host_time(frame)) == pytest.approx(frame, abs=1e-2)
    assert clock.host_time(clock.frame(time)) == pytest.approx(time, abs=1e-6)
    assert clock.stream_seconds(time) == pytest.approx(clock.frame(time) / 44_100)
    assert clock.host_time_at(2.0) == clock.host_time(88_200)


@pytest.mark.parametrize("shift", [0.08, 0.5, 30.0, -0.1])
def test_an_interruption_starts_it_over(shift: float) -> None:
    clock = StreamClock(48_000)
    device = Device(48_000, 100, 128, 0.0005, 1)
    device.run(clock, 10)
    device.start += shift
    device.run(clock, 2)
    assert clock.restarts == 1
    assert np.abs(device.run(clock, 2)).max() < 2e-3


def test_one_very_late_read_changes_nothing() -> None:
    clock = StreamClock(48_000)
    device = Device(48_000, 0, 128, 0.0003, 2)
    device.run(clock, 5)
    before = clock.host_time(device.frames)
    clock.observe(device.frames + 128, device.time(device.frames + 128) + 1.5)
    assert clock.host_time(device.frames) == pytest.approx(before, abs=1e-4)


def test_frames_that_go_back_start_it_over() -> None:
    clock = StreamClock(48_000)
    device = Device(48_000, 0, 128, 0, 3)
    device.run(clock, 3)
    clock.observe(128, 2000.0)
    assert clock.host_time(128) == 2000.0


def test_before_the_first_frame_time_starts_at_zero() -> None:
    clock = StreamClock(48_000)
    assert not clock.running
    assert clock.stream_seconds(1.5) == 1.5
    assert clock.host_time(48_000) == 1.0


def test_restart_keeps_the_rate() -> None:
    clock = StreamClock(48_000)
    Device(48_000, 150, 128, 0, 4).run(clock, 10)
    clock.restart()
    clock.observe(0, 5.0)
    assert clock.host_time(0) == 5.0
    assert clock.ppm == pytest.approx(150, abs=10)
