"""Run with ``pytest``: the plugin does what it should, and keeps to the contract."""

from pathlib import Path

import numpy as np

from realtime import Context
from realtime.hosting.check import check_plugin
from realtime.hosting.registry import find

HERE = Path(__file__).resolve().parent


def test_it_tells_calm_from_lively() -> None:
    plugin = find(str(HERE / "plugin.py"))()
    plugin.prepare(Context({"lively": 0.3}))
    tone = np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000).astype(np.float32)
    beats = tone * (np.arange(32_000) % 8_000 < 1_600)
    moods = [f.label for block in (tone, beats) for f in plugin.process(block, 2.0) or () if f.output == "mood"]
    assert moods == ["calm", "lively"]


def test_it_keeps_to_the_contract() -> None:
    report = check_plugin(find(str(HERE / "plugin.py")))
    assert report.ok, report.failures
