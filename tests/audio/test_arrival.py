"""Dropped frames are found by their number, and a busy computer is not mistaken for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.arrival import DropDetector

RATE = 48_000


def run(ppm: float, jitter: float, block: int, seed: int, dropped: int = 0, at: float = 6.0) -> tuple[int, float]:
    """Frames found in 10 s, and after which time."""
    random = np.random.default_rng(seed)
    detector = DropDetector(RATE)
    found, when = 0, 0.0
    for played in range(block, 10 * RATE, block):
        time = played / (RATE * (1 + ppm * 1e-6))
        counted = played + found - (dropped if time >= at else 0)
        late = random.exponential(jitter) + (0.2 if random.random() < 0.002 else 0.0)
        new = detector.observe(counted, 100 + time + late)
        if new:
            found, when = found + new, time
    return found, when


@settings(max_examples=20, deadline=None)
@given(
    ppm=st.floats(-200, 200),
    jitter=st.floats(0, 0.002),
    block=st.sampled_from([128, 480, 1024]),
    seed=st.integers(0, 1000),
)
def test_drift_and_late_reads_are_no_drops(ppm: float, jitter: float, block: int, seed: int) -> None:
    assert run(ppm, jitter, block, seed) == (0, 0.0)


@pytest.mark.parametrize("dropped", [2400, 24_000, 96_000])
def test_drops_are_counted(dropped: int) -> None:
    found, when = run(50, 0.0005, 128, 3, dropped)
    assert found == pytest.approx(dropped, abs=240)
    assert when < 8.5
