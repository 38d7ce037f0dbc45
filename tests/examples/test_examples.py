"""The examples work as they stand, found and hosted as a user's plugins are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.dsp.offline import drive
from realtime.hosting.check import check_plugin
from realtime.hosting.plugin import Context, Plugin
from realtime.hosting.registry import discover

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def found(identifier: str) -> Plugin:
    """An example, found in its folder as in a user's plugin folder, and prepared with its defaults."""
    entry = discover({identifier}, EXAMPLES)[identifier]
    assert entry.factory is not None, entry.error
    plugin = entry.factory()
    plugin.prepare(Context({p.identifier: p.default for p in plugin.descriptor.parameters}))
    return plugin


def test_silence_begins_and_ends() -> None:
    rate = 48_000
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)
    x = np.concatenate([tone, np.zeros(5 * rate), tone])
    plugin = found("silence")
    events = [(round(f.time, 1), f.value) for _, f in drive(plugin, x)]
    assert events == [(4.0, 1.0), (7.0, 0.0)]
    plugin.reset()
    plugin.parameter("after", 10.0)
    assert not drive(plugin, x)


def test_silence_has_about_thirty_lines() -> None:
    lines = (EXAMPLES / "silence.py").read_text().splitlines()
    code = [line for line in lines if line.strip() and not line.strip().startswith(('"""', "#"))]
    assert len(code) <= 32


def test_centroid_of_tones() -> None:
    rate = 24_000
    t = np.arange(2 * rate) / rate
    x = np.concatenate([0.3 * np.sin(2 * np.pi * 1000 * t), 0.3 * np.sin(2 * np.pi * 6000 * t)])
    results = [f for _, f in drive(found("spectral-centroid"), x)]
    hz = [f.value for f in results if f.output == "hz"]
    assert hz[150] == pytest.approx(1000, rel=0.03)
    assert hz[-1] == pytest.approx(6000, rel=0.03)
    assert [f.value for f in results if f.output == "bright"] == [1.0]
    slow = [f.value for f in results if f.output == "slow"]
    assert 1000 < slow[250] < 6000


def test_the_script_builds_the_model_that_lies_there(tmp_path: Path) -> None:
    script = EXAMPLES / "spectral_centroid" / "build.py"
    copy = tmp_path / "build.py"
    copy.write_bytes(script.read_bytes())
    subprocess.run([sys.executable, str(copy)], check=True, timeout=60)
    import onnx

    built, stored = onnx.load(tmp_path / "model.onnx"), onnx.load(script.with_name("model.onnx"))
    assert built.graph == stored.graph


@pytest.mark.parametrize(
    "identifier", sorted(discover(folder=EXAMPLES).keys() - discover(folder=Path("nowhere")).keys())
)
def test_every_example_keeps_to_the_contract(identifier: str) -> None:
    entry = discover({identifier}, EXAMPLES)[identifier]
    assert entry.factory is not None, entry.error
    report = check_plugin(entry.factory, seconds=2.0)
    assert report.ok, report.failures
