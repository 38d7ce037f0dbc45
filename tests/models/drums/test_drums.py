from __future__ import annotations

import numpy as np
import pytest

from models.drums.features import CLASSES
from models.drums.plugin import Drums
from models.dsp.offline import drive, prepared
from models.training.synth import drums as synth

RATE = 24_000
PATTERN = ("kick", "hihat", "snare", "hihat")


def groove(seconds: float = 8.0, level: float = 0.5, seed: int = 3) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Kick, hat, snare, hat in eighths at 110 BPM, over a faint noise; and what was struck when."""
    rng = np.random.default_rng(seed)
    sounds = {"kick": synth.kick(rng, RATE), "snare": synth.snare(rng, RATE)}
    sounds["hihat"] = 0.5 * synth.metal(rng, RATE, 0.04, 6000.0)
    x = 0.0005 * rng.standard_normal(int(seconds * RATE))
    hits = [(t, PATTERN[k % 4]) for k, t in enumerate(np.arange(0.5, seconds - 0.5, 30 / 110))]
    for t, label in hits:
        start, wave = round(t * RATE), sounds[label]
        part = wave[: len(x) - start]
        x[start : start + len(part)] += level * part
    return np.clip(x, -1, 1), hits


def told(x: np.ndarray, output: str, **parameters: float) -> list[tuple[float, float, str | None]]:
    """Time, emission and label of one output's events."""
    found = drive(prepared(Drums, **parameters), x)
    return [(f.time, emitted, f.label) for emitted, f in found if f.output == output]


def found_share(hits: list[float], times: list[float], window: float = 0.025) -> float:
    return float(np.mean([any(abs(t - h) <= window for t in times) for h in hits]))


@pytest.mark.parametrize("level", [0.7, 0.07])
def test_every_hit_is_told_soon_at_any_level(level: float) -> None:
    x, hits = groove(level=level)
    onsets = told(x, "onset")
    truth = [t for t, _ in hits]
    assert found_share(truth, [t for t, _, _ in onsets]) > 0.9
    assert len(onsets) < 1.2 * len(hits)
    late = [min(e - h for h in truth if e > h) for _, e, _ in onsets]
    assert np.median(late) < 0.018


def test_kick_snare_and_hat_are_found_and_the_surest_class_is_right() -> None:
    for label in ("kick", "snare", "hihat"):
        found, surest = [], []
        for kit in range(1, 4):
            x, hits = groove(seed=kit)
            events = drive(prepared(Drums), x)
            times = [f.time for _, f in events if f.output == "hit" and f.label == label]
            curves = [(e, np.array(f.value)[1:]) for e, f in events if f.output == "activation"]
            for hit in (t for t, name in hits if name == label):
                found.append(any(abs(t - hit) <= 0.025 for t in times))
                near = np.max([c for e, c in curves if 0.01 < e - hit < 0.03], axis=0)
                surest.append(CLASSES[int(near.argmax())] == label)
        assert np.mean(found) > 0.8
        assert np.mean(surest) > 0.7


def test_labels_and_strengths_are_as_declared() -> None:
    found = drive(prepared(Drums), groove()[0])
    hits = [f for _, f in found if f.output == "hit"]
    assert hits
    assert {f.label for f in hits} <= set(CLASSES)
    assert all(isinstance(f.value, float) and 0 <= f.value <= 1 for f in hits)
    vectors = [f.value for _, f in found if f.output == "activation"]
    assert all(isinstance(v, tuple) and len(v) == 1 + len(CLASSES) for v in vectors)


@pytest.mark.parametrize(
    "x",
    [np.zeros(3 * RATE), np.full(3 * RATE, 1e-40), np.full(3 * RATE, 0.9)],
    ids=["silence", "denormals", "direct current"],
)
def test_nothing_happens_in_stillness(x: np.ndarray) -> None:
    events = [e for e in told(x, "onset") + told(x, "hit") if e[1] > 0.1]
    assert not events


def test_a_steady_chord_is_not_a_drum() -> None:
    t = np.arange(6 * RATE) / RATE
    x = sum(0.1 * np.sin(2 * np.pi * f * t + 0.3 * np.sin(2 * np.pi * 5 * t)) for f in (220, 277.2, 329.6))
    assert len([e for e in told(np.asarray(x), "onset") if e[1] > 0.3]) <= 1


def test_sensitivity_finds_more_or_fewer() -> None:
    x = groove(level=0.2)[0] + 0.01 * np.random.default_rng(5).standard_normal(8 * RATE)
    counts = [len(told(x, "hit", sensitivity=s)) for s in (0.05, 0.5, 0.95)]
    assert counts[0] < counts[2]
    assert counts[0] <= counts[1] <= counts[2]


def test_reset_is_exact() -> None:
    x = groove(3.0)[0]
    plugin = prepared(Drums)
    first = drive(plugin, x)
    plugin.reset()
    assert drive(plugin, x) == first
