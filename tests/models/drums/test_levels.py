from __future__ import annotations

import numpy as np
import pytest

from models.drums.levels import against


def test_drums_a_tenth_as_loud_lie_twenty_decibels_below():
    drums, band = np.random.default_rng(1).standard_normal((2, 48_000))
    whole, groups = against(drums, 0.05 * drums + 0.5 * band)
    assert whole == pytest.approx(-20, abs=0.5)
    assert np.allclose(groups, -20, atol=2)
