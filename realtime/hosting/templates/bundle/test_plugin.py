"""Run with ``pytest``: the bundle does what it should, and keeps to the contract."""

from pathlib import Path

import numpy as np

from realtime import Context
from realtime.hosting.check import check_plugin
from realtime.hosting.registry import find

HERE = Path(__file__).resolve().parent


def test_it_says_when_more_goes_on_and_where() -> None:
    plugin = find(str(HERE))()
    plugin.prepare(Context())
    quiet, high = np.zeros(48, np.float32), np.zeros(48, np.float32)
    high[32:] = 3.0
    said = [
        f
        for k, frame in enumerate([quiet] * 300 + [high] * 10)
        for f in plugin.process(frame, 0.01 * (k + 1)) or ()
    ]
    assert [f.value for f in said if f.output == "busy"] == [1.0]
    assert [f.label for f in said if f.output == "where"][-1] == "high"


def test_it_keeps_to_the_contract() -> None:
    report = check_plugin(find(str(HERE)))
    assert report.ok, report.failures
