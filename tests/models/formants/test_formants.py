"""Formants of synthesised vowels, by Praat itself."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.signal import lfilter

from models.dsp.offline import drive, prepared
from models.formants.plugin import Formants
from realtime.errors import NotFetched

RATE = 16_000
VOWELS = {
    "a": (730, 1090, 2440, 3400, 4400),
    "i": (270, 2290, 3010, 3500, 4400),
    "u": (300, 870, 2240, 3300, 4400),
}


def vowel(resonances: tuple[int, ...], seconds: float = 0.6, pitch: float = 100.0) -> np.ndarray:
    """Pulses that fall by 6 dB an octave, as at the lips, through resonators of 60 to 120 Hz of width."""
    n = int(seconds * RATE)
    sound = lfilter([1.0], [1.0, -0.98], np.diff(np.floor(np.arange(n + 1) * pitch / RATE)))
    for k, hz in enumerate(resonances):
        radius = np.exp(-np.pi * (60 + 20 * k) / RATE)
        sound = lfilter([1.0], [1, -2 * radius * np.cos(2 * np.pi * hz / RATE), radius**2], sound)
    return 0.1 * sound / np.std(sound)


def medians(sound: np.ndarray, **parameters: float) -> list[float]:
    found = [f for e, f in drive(prepared(Formants, **parameters), sound) if e > 0.1]
    return [float(np.median([f.value for f in found if f.output == f"f{k}"])) for k in range(1, 6)]


@pytest.mark.parametrize("name", VOWELS)
def test_vowels_have_their_resonances(name: str) -> None:
    found = medians(vowel(VOWELS[name]), ceiling=5000.0)
    assert found[:2] == pytest.approx(VOWELS[name][:2], rel=0.1)


def test_results_are_stamped_with_the_middle_of_the_window() -> None:
    sound = np.concatenate([vowel(VOWELS["a"]), vowel(VOWELS["i"])])
    f1 = [f for _, f in drive(prepared(Formants, ceiling=5000.0), sound) if f.output == "f1"]
    jump = next(f.time for f in f1 if f.time > 0.1 and f.value < 500)
    assert jump == pytest.approx(0.6, abs=0.03)


def test_quiet_and_odd_sound_has_none_or_finite_ones() -> None:
    assert medians(np.zeros(RATE // 2)) == [0.0] * 5
    assert medians(vowel(VOWELS["a"]) * 1e-4) == [0.0] * 5
    for odd in (np.ones(RATE // 2), np.full(RATE // 2, 1e-42), 100 * np.sign(np.sin(np.arange(RATE // 2)))):
        values = [f.value for _, f in drive(prepared(Formants, gate=-100.0), odd)]
        assert np.isfinite(values).all()
        assert all(0 <= v <= 8000 for v in values)


def test_a_missing_package_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    with pytest.raises(NotFetched, match=r"pip install 'sidechain\[formants\]'"):
        prepared(Formants)
