"""The scope: what a display draws is what sounds."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from models.scope.plugin import BANDS, COLUMNS, FLOOR, HOP, RATE, REPEAT, WINDOW, Scope, centres
from realtime.hosting.plugin import Context, Feature


def scope(tilt: float = 0.0) -> Scope:
    made = Scope()
    made.prepare(Context({"tilt": tilt}))
    return made


def run(plugin: Scope, sound: np.ndarray) -> list[Feature]:
    padded = np.concatenate([np.zeros(WINDOW - HOP), sound]).astype(np.float32)
    found: list[Feature] = []
    for k in range(len(sound) // HOP):
        found += plugin.process(padded[k * HOP : k * HOP + WINDOW], (k + 1) * HOP / RATE) or []
    return found


def unpack(feature: Feature) -> tuple[int, np.ndarray]:
    raw = base64.b64decode(str(feature.label))
    return int.from_bytes(raw[:4], "little"), np.frombuffer(raw, np.int8, offset=4)


def sine(hz: float, level: float = 1.0, seconds: float = 0.4) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)


@pytest.mark.parametrize("hz", [60.0, 440.0, 1000.0, 9000.0])
def test_a_sine_peaks_in_its_band_at_its_level(hz: float) -> None:
    last = [f for f in run(scope(), sine(hz, 0.5)) if f.output == "spectrum"][-1]
    frame = unpack(last)[1].reshape(REPEAT, BANDS)[-1].astype(float)
    best = int(frame.argmax())
    assert abs(np.log2(centres()[best] / hz)) < 0.35
    assert abs(frame[best] + 6.0) < 3.0
    far = np.abs(np.log2(centres() / hz)) > 1.5
    assert frame[far].max() < -45.0


def test_the_outline_holds_every_peak() -> None:
    sound = np.zeros(RATE // 5)
    sound[3000] = 0.7
    sound[7001] = -0.9
    seen: dict[int, np.ndarray] = {}
    for feature in run(scope(), sound):
        if feature.output == "waveform":
            newest, values = unpack(feature)
            for k, hop in enumerate(values.reshape(REPEAT, COLUMNS, 2) / 127):
                seen[newest - REPEAT + 1 + k] = hop
    whole = np.concatenate([seen[k] for k in sorted(seen) if k > 0])
    assert whole[3000 // 240, 1] == pytest.approx(0.7, abs=0.005)
    assert whole[7001 // 240, 0] == pytest.approx(-0.9, abs=0.005)
    assert np.count_nonzero(whole) == 2


def test_results_overlap_so_that_a_late_display_misses_nothing() -> None:
    found = [unpack(f)[0] for f in run(scope(), np.zeros(RATE)) if f.output == "waveform"]
    assert np.diff(found).max() * 3 <= REPEAT


def test_silence_is_the_floor_and_reset_forgets() -> None:
    plugin = scope()
    run(plugin, sine(500.0))
    plugin.reset()
    spectra = [f for f in run(plugin, np.zeros(RATE // 10)) if f.output == "spectrum"]
    assert set(unpack(spectra[-1])[1].tolist()) == {FLOOR}
