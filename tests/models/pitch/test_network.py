"""The network beside periodicity: voices over accompaniments, features, what happens without it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from models.dsp.offline import drive, prepared
from models.pitch import opinion
from models.pitch.features import BINS, LONGEST, OCTAVE, PITCHES, SIZE, Evidence
from models.pitch.periodicity import LOWEST
from models.pitch.plugin import Pitch
from realtime.errors import UserError
from realtime.hosting.inference import open_session

RATE = 16_000


def tone(hz: float, seconds: float, many: int = 6) -> np.ndarray:
    phase = 2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE
    x = sum(np.sin(k * phase + k) / k for k in range(1, many + 1) if k * hz < 7500)
    return np.asarray(x / np.std(x), np.float32)


def chord(root: float, seconds: float) -> np.ndarray:
    x = tone(root, seconds) + tone(root * 2 ** (4 / 12), seconds) + tone(root * 2 ** (7 / 12), seconds)
    return np.asarray(x / np.std(x), np.float32)


def pitches(x: np.ndarray, **parameters: float) -> tuple[np.ndarray, np.ndarray]:
    found = [(f.time, f.value) for _, f in drive(prepared(Pitch, **parameters), x) if f.output == "hz"]
    times, values = np.array(found).T
    return times, values


def right(x: np.ndarray, hz: float, **parameters: float) -> float:
    """Share of frames within half a semitone, from 0.3 s on."""
    times, values = pitches(x, **parameters)
    off = 1200 * np.log2(np.maximum(values[times > 0.3], 1.0) / hz)
    return float((np.abs(off) < 50).mean())


@pytest.mark.parametrize(("hz", "root"), [(311.1, 130.8), (440.0, 116.5), (587.3, 196.0), (196.0, 233.1)])
def test_a_voice_over_a_chord_as_loud_is_followed_with_the_network_alone_or_beside(hz: float, root: float) -> None:
    x = 0.1 * (tone(hz, 1.5) + chord(root, 1.5))
    assert right(x, hz, threshold=0.0) > 0.8
    assert right(x, hz, threshold=0.0, network=0.0) < 0.5


def test_features_move_with_pitch_and_not_with_level() -> None:
    def spectrum(hz: float, level: float) -> np.ndarray:
        return Evidence().frame((level * tone(hz, 0.2, 2)[-LONGEST:]).astype(np.float32), sounds=True).copy()

    low, high = spectrum(305.0, 0.1)[:BINS], spectrum(610.0, 0.1)[:BINS]
    assert low[:-OCTAVE].argmax() + OCTAVE == high.argmax()
    assert abs(LOWEST * 2 ** (low.argmax() / OCTAVE) / 305.0 - 1) < 0.02
    assert np.allclose(spectrum(300.0, 0.1), spectrum(300.0, 0.001), atol=2e-3)
    assert spectrum(300.0, 0.1).max() <= 1.01


def test_silence_has_no_features() -> None:
    evidence = Evidence()
    assert evidence.frame(tone(220.0, 0.2)[-LONGEST:], sounds=True).shape == (SIZE,)
    assert evidence.listen(np.zeros(LONGEST, np.float32)) == 0
    assert not evidence.frame(np.zeros(LONGEST, np.float32), sounds=False).any()


def test_without_onnxruntime_periodicity_decides_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    x = 0.2 * tone(247.0, 0.6)
    alone = drive(prepared(Pitch, network=0.0), x)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for name in ("models.pitch.opinion", "models.dsp.stepper", "realtime.hosting.inference"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert drive(prepared(Pitch), x) == alone


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(opinion, "WEIGHTS", tmp_path / "pitch.onnx")
    with pytest.raises(UserError, match=r"pitch\.onnx"):
        prepared(Pitch)


def test_the_network_can_be_switched_while_running() -> None:
    x = 0.2 * tone(330.0, 0.5)
    plugin = prepared(Pitch, network=0.0)
    drive(plugin, 0.2 * tone(200.0, 0.3))
    plugin.parameter("network", 0.5)
    values = [f.value for _, f in drive(plugin, x) if f.output == "hz"]
    assert np.abs(1200 * np.log2(np.array(values[20:]) / 330.0)).max() < 20


def test_the_network_tells_a_distribution_and_remembers() -> None:
    session = open_session(opinion.WEIGHTS)
    rng = np.random.default_rng(0)
    one = {i.name: [1, *i.shape[1:]] for i in session.get_inputs()}  # the batch comes first
    feed = {name: rng.random(shape).astype(np.float32) for name, shape in one.items()}
    pitch, voiced, *states = session.run(None, feed)
    assert pitch.shape == (1, PITCHES)
    assert np.exp(pitch).sum() == pytest.approx(1, abs=1e-4)
    assert 0 <= voiced.item() <= 1
    after = session.run(None, feed | dict(zip(list(feed)[1:], states, strict=True)))
    assert not np.array_equal(pitch, after[0])


def test_the_network_is_asked_at_every_second_hop(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, asked = prepared(Pitch), 0
    process = opinion.Opinion.process

    def counted(self: opinion.Opinion, frame: np.ndarray) -> None:
        nonlocal asked
        asked += 1
        process(self, frame)

    monkeypatch.setattr(opinion.Opinion, "process", counted)
    drive(plugin, np.concatenate([0.2 * tone(330.0, 0.2), np.zeros(1600), 0.2 * tone(330.0, 0.2)]))
    assert asked == 25
