"""Accents of the spectrum that the host shares are those that the tracker makes of the sound itself."""

from __future__ import annotations

import numpy as np

from models.beat.plugin import Beat
from models.beat.rhythm import Accents
from realtime.hosting.frontend import FrontEnd
from realtime.hosting.plugin import TICK


def test_the_hosts_spectra_give_the_same_accents() -> None:
    rng = np.random.default_rng(1)
    sound = 0.1 * rng.standard_normal((96_000, 1)).astype(np.float32)
    sound[::9_600] += 0.8
    front = FrontEnd()
    feed = front.feed(Beat.descriptor.input)
    assert feed.levels is not None
    alone, shared = Accents(), Accents()
    rises = []
    for at in range(0, len(sound), TICK):
        front.append(sound[at : at + TICK])
        front.step()
        while feed.due():
            block, _ = feed.take()
            rises.append(alone.step(block))
            np.testing.assert_allclose(shared.step(block, feed.levels(feed.taken)), rises[-1], atol=1e-4)
    assert len(rises) > 45
    assert np.max(rises) > 1
