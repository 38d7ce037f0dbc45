"""Run with ``pytest``: the plugin does what it should, and keeps to the contract."""

from pathlib import Path

import numpy as np

from realtime import Context
from realtime.hosting.check import check_plugin
from realtime.hosting.registry import find

HERE = Path(__file__).resolve().parent


def test_it_tells_loud_from_soft() -> None:
    plugin = find(str(HERE / "plugin.py"))()
    plugin.prepare(Context({"threshold": -25.0}))
    blocks = [np.full(240, amplitude, np.float32) for amplitude in [0.001] * 20 + [0.5] * 20 + [0.001] * 80]
    said = [f for k, block in enumerate(blocks) for f in plugin.process(block, 0.01 * (k + 1)) or ()]
    assert [f.value for f in said if f.output == "loud"] == [1.0, 0.0]


def test_it_keeps_to_the_contract() -> None:
    report = check_plugin(find(str(HERE / "plugin.py")))
    assert report.ok, report.failures
