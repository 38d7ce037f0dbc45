"""What a plugin costs: measured in a process of its own; what cannot be measured says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.bench import cost
from realtime.errors import UserError

SLEEPY = """
import time
from realtime.hosting.plugin import AudioInput, Descriptor, Feature, Output, Plugin

class Sleepy(Plugin):
    descriptor = Descriptor("sleepy", "s", "", "", "MIT", "1", AudioInput(48000, 1, 4800), (Output("a", "value"),),
                            lane="slow")
    def process(self, block, time_):
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass
        return [Feature("a", time_, 1.0)]
"""


def test_busy_time_is_what_is_measured(tmp_path: Path) -> None:
    (tmp_path / "sleepy.py").write_text(SLEEPY)
    found = cost.apart(str(tmp_path / "sleepy.py"), {}, seconds=6.0)
    assert found["call_ms"] == pytest.approx(20, rel=0.3)
    assert found["share"] == pytest.approx(0.2, rel=0.3)
    assert found["every_ms"] == 100.0


def test_without_weights_there_is_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_MODELS", str(tmp_path))
    assert "sidechain models get silero-vad" in cost.measure("silero", {}, seconds=4.0)["not"]


def test_one_that_reads_what_is_not_here_has_no_figure() -> None:
    assert "beast" in cost.measure("beat-activations", {}, seconds=4.0)["not"]


def test_one_that_fails_has_no_figure(tmp_path: Path) -> None:
    (tmp_path / "sleepy.py").write_text(SLEEPY.replace("return [", "raise ValueError('tired') ; return ["))
    assert "tired" in cost.measure(str(tmp_path / "sleepy.py"), {}, seconds=4.0)["not"]


def test_an_unknown_plugin_is_named() -> None:
    with pytest.raises(UserError, match="unknown plugin 'levle'; did you mean 'level'"):
        cost.main(["levle"])
