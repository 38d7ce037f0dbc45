from __future__ import annotations

import numpy as np
import pytest

from models.bands.plugin import Bands
from models.dsp.offline import drive, prepared

RATE = 48_000


def sine(frequency: float, seconds: float = 2.0, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)


def levels(x: np.ndarray, **parameters: float) -> dict[str, np.ndarray]:
    found = drive(prepared(Bands, **parameters), x)
    return {n: np.array([f.value for _, f in found if f.output == n]) for n in ("low", "mid", "high")}


@pytest.mark.parametrize(("frequency", "band"), [(60, "low"), (600, "mid"), (6000, "high")])
def test_a_tone_shows_in_its_band_only(frequency: float, band: str) -> None:
    found = levels(sine(frequency), auto=0)
    assert found[band][-1] > 0.95
    assert all(found[n][-1] < 0.25 for n in found if n != band)


def test_fixed_ceiling_is_a_meter() -> None:
    found = levels(sine(600, level=10 ** (-24 / 20)), auto=0, ceiling=-6, range=36)
    assert found["mid"][-1] == pytest.approx(0.5, abs=0.02)


def test_automatic_ceiling_follows_quiet_music() -> None:
    assert levels(sine(600, 30.0, level=0.01))["mid"][-1] > 0.95


def test_release_time() -> None:
    x = np.concatenate([sine(600, 1.0), np.zeros(RATE)])
    mid = levels(x, release_ms=100)["mid"]
    after = mid[100:] / mid[99]
    assert after[10 + 1] == pytest.approx(np.exp(-1), abs=0.1)
    assert after[-1] < 0.01


def test_crossover_moves_live() -> None:
    plugin = prepared(Bands)
    drive(plugin, sine(200))
    plugin.parameter("low_hz", 400.0)
    found = [f.value for _, f in drive(plugin, sine(200)) if f.output == "low"]
    assert found[-1] > 0.9


@pytest.mark.parametrize("x", [np.zeros(RATE), np.full(RATE, 1e-40), np.ones(RATE), sine(100, level=1.0)])
def test_odd_sound_stays_in_range(x: np.ndarray) -> None:
    for values in levels(x).values():
        assert ((values >= 0) & (values <= 1)).all()


def test_silence_is_zero() -> None:
    assert not any(v.any() for v in levels(np.zeros(RATE)).values())


def test_reset_is_exact() -> None:
    plugin = prepared(Bands)
    x = np.random.default_rng(0).standard_normal(RATE) * 0.1
    first = drive(plugin, x)
    plugin.reset()
    assert drive(plugin, x) == first
