from __future__ import annotations

import numpy as np
import pytest

from models.drums.features import BANDS, BLOCK, HOP, RATE, SIZE, Features, frequencies
from models.dsp.flux import FLUX_SPEC
from realtime.hosting.spectral import frames


def test_live_frames_are_those_of_training():
    sound = 0.1 * np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
    made, live = Features().clip(sound), Features()
    padded = np.concatenate([np.zeros(BLOCK - HOP, np.float32), sound])
    assert made.shape == (RATE // HOP, SIZE)
    for k in range(len(made)):
        assert np.allclose(live.frame(padded[k * HOP : k * HOP + BLOCK]), made[k], atol=1e-6)


def test_short_spectra_are_the_shared_one():
    sound = 0.1 * np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
    found = np.log10(1 + 1000 * Features().clip(sound)[:, : 2 * BANDS].reshape(-1, BANDS))
    assert np.allclose(found, frames(sound, FLUX_SPEC), atol=1e-5)


def test_shared_levels_stand_for_the_short_spectra():
    block = 0.1 * np.random.default_rng(3).standard_normal(BLOCK).astype(np.float32)
    own = Features().frame(block)
    levels = FLUX_SPEC.gamma * own[: 2 * BANDS].reshape(2, BANDS)
    assert np.allclose(Features().frame(block, levels), own, rtol=1e-5, atol=1e-9)


def test_many_recordings_at_once_are_each_alone():
    sound = 0.1 * np.random.default_rng(2).standard_normal((2, RATE)).astype(np.float32)
    assert np.array_equal(Features().clip(sound)[1], Features().clip(sound[1]))


@pytest.mark.parametrize("place", [2, 10, 25])
def test_bass_is_told_apart_by_frequency(place):
    tone = np.sin(2 * np.pi * frequencies()[place] * np.arange(RATE) / RATE)
    low = Features().clip(tone)[-1, 2 * BANDS :]
    assert int(low.argmax()) == place
    assert low[place] == pytest.approx(1, abs=0.15)


def test_treble_does_not_fold_into_the_bass():
    for hertz in (2600.0, 3100.0, 6050.0, 9000.0):
        tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)
        assert Features().clip(tone)[20:, 2 * BANDS :].max() < 0.01
