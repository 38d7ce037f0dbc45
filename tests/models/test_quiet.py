"""What a plugin makes of music does not depend on how far the input is turned up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import realtime.audio.demo
from models.beat.plugin import Beat
from models.beat.recordings import load_sound
from models.drums.plugin import Drums
from models.dsp.offline import drive, prepared
from models.key.plugin import Key
from models.structure.plugin import Structure
from realtime.hosting.plugin import Plugin
from realtime.musical import BeatObservation

RATE = 24_000


@pytest.fixture(scope="module")
def demo() -> np.ndarray:
    return load_sound(Path(realtime.audio.demo.__file__).with_name("demo") / "demo.ogg")[: 30 * RATE]


def told(kind: type[Plugin], sound: np.ndarray, output: str) -> list[tuple[float, object]]:
    return [(f.time, f.label or f.value) for _, f in drive(prepared(kind), sound) if f.output == output]


@pytest.mark.parametrize("gain_db", [-20, -40])
def test_hits_of_drums(demo: np.ndarray, gain_db: float):
    usual, quiet = (told(Drums, demo[: 20 * RATE] * np.float32(10 ** (g / 20)), "hit") for g in (0, gain_db))
    assert len(usual) > 60
    near = sum(any(abs(t - u) < 0.021 and name == kind for u, kind in quiet) for t, name in usual)
    assert near >= 0.9 * len(usual)
    assert len(quiet) <= 1.1 * len(usual)


def test_the_beat(demo: np.ndarray):
    phases = []
    for gain_db in (0, -40):
        found = [v for _, v in told(Beat, demo[: 12 * RATE] * np.float32(10 ** (gain_db / 20)), "pulse")]
        last = [v for v in found if isinstance(v, BeatObservation)][-1]
        phases.append((last.tempo, last.phase, last.confidence))
    assert phases[1][0] == pytest.approx(phases[0][0], rel=0.005)
    assert abs((phases[1][1] - phases[0][1] + 0.5) % 1 - 0.5) < 0.05
    assert phases[1][2] > 0.6


@pytest.mark.parametrize(("kind", "output"), [(Key, "camelot"), (Key, "chord"), (Structure, "section")])
def test_names(demo: np.ndarray, kind: type[Plugin], output: str):
    usual, quiet = ([v for _, v in told(kind, demo * np.float32(10 ** (g / 20)), output)][100:] for g in (0, -40))
    assert np.mean([a == b for a, b in zip(usual, quiet)]) > 0.8
