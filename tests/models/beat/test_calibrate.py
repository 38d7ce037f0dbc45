from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.beat.calibrate import reliability
from models.beat.confidence import confidence
from models.beat.logistic import fit, probability


def test_the_fit_finds_the_constants_that_made_the_data_and_is_calibrated():
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(20_000), rng.normal(0, 2, 20_000), rng.uniform(0, 4, 20_000)])
    true = np.array([-0.5, 0.3, 0.6])
    y = (rng.random(len(x)) < probability(x, true)).astype(float)
    assert np.allclose(fit(x, y), true, atol=0.1)
    assert reliability(probability(x, true), y)[1] < 0.02
    assert reliability(np.full(len(y), 0.99), y)[1] > 0.1


pairs = st.tuples(st.floats(0, 1), st.integers(0, 10_000), st.floats(0, 1), st.floats(-8, 8))


@given(pairs, pairs)
def test_confidence_grows_with_the_belief_with_how_long_it_has_lasted_and_with_what_is_heard(one, other):
    less, more = zip(*map(sorted, zip(one, other)))
    assert 0 < confidence(*one) < 1
    assert confidence(*less) <= confidence(*more)
