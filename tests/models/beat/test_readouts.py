from __future__ import annotations

import numpy as np

from models.beat.readouts import read_all, readouts
from models.beat.tracker import Tracker
from tests.models.beat.test_plugin import clicks


def test_every_read_out_finds_a_plain_beat_and_tells_it_when_it_says():
    found = read_all(clicks(14), Tracker())
    assert set(found) == set(readouts())
    for name, rows in found.items():
        late = rows[rows[:, 0] > 6]
        assert len(late) >= 7, name
        off = (late[:, 0] - 0.25) % 0.5
        assert np.median(np.minimum(off, 0.5 - off)) < 0.03, name
        told = late[:, 2] - late[:, 0]
        if "predicted" in name or name == "shipped":
            assert np.all(told == 0), name
        elif name.startswith("lag"):
            lag = float(name.split()[1]) / 1000
            assert np.all((told >= lag) & (told < lag + 0.2)), name
        else:
            assert np.all((told > 0.0) & (told < 0.2)), name
