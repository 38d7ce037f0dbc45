"""The bundled piece and its truth belong together."""

from __future__ import annotations

import itertools

import pytest

from realtime.audio.demo import DemoSource, demo_truth


def test_the_demo_is_there_and_its_truth_fits() -> None:
    source = DemoSource(paced=False)
    source.open()
    truth = demo_truth()
    assert source.name == "demo"
    assert 60 <= source.duration <= 120
    assert all(0 <= beat <= source.duration for beat in truth.beats)
    assert all(b > a for a, b in itertools.pairwise(truth.beats))
    assert len(truth.positions) == len(truth.beats) > 100
    assert set(truth.positions) >= {1, 2, 3, 4}
    assert truth.bpm_at(truth.beats[5] + 0.01) == pytest.approx(60 / (truth.beats[6] - truth.beats[5]))
    assert truth.bpm_at(1e6) > 0
    assert truth.bpm_at(-1) > 0
    source.close()
