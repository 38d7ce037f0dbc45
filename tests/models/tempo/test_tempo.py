"""The untrained tracker on click tracks with known truth, in gaps, and on odd sound."""

from __future__ import annotations

import numpy as np
import pytest

from models.dsp.offline import drive, prepared
from models.tempo.plugin import Tempo
from realtime.musical import BeatObservation

RATE = 24_000


def drums(bpm: float, seconds: float, jitter: float = 0.0, noise: float = 0.0, start: float = 0.3) -> np.ndarray:
    """Kick and snare in turn, hats on the half beats."""
    rng = np.random.default_rng(5)
    x = noise * rng.standard_normal(int(seconds * RATE))
    t = np.arange(int(0.12 * RATE)) / RATE
    kick = np.sin(2 * np.pi * (50 * t - 40 * np.exp(-t / 0.02) * 0.02)) * np.exp(-t / 0.05)
    snare = 0.4 * rng.standard_normal(len(t)) * np.exp(-t / 0.04)
    hat = np.diff(rng.standard_normal(len(t) + 1)) * 0.1 * np.exp(-t / 0.01)
    for i in range(int((seconds - start) * bpm / 60 * 2)):
        at = int((start + i * 30 / bpm + jitter * rng.standard_normal() * 30 / bpm) * RATE)
        hit = hat if i % 2 else (kick if i % 4 == 0 else snare)
        n = min(len(hit), len(x) - at)
        if at >= 0 and n > 0:
            x[at : at + n] += hit[:n]
    return 0.5 * x


def observed(x: np.ndarray, **parameters: float) -> list[BeatObservation]:
    return [f.value for _, f in drive(prepared(Tempo, **parameters), x)]


def error(o: BeatObservation, bpm: float, start: float = 0.3) -> float:
    """Phase error in seconds."""
    beats = (o.time - start) * bpm / 60
    return ((o.phase - beats + 0.5) % 1.0 - 0.5) * 60 / bpm


@pytest.mark.parametrize("bpm", [65, 80, 90, 110, 125, 140, 160, 175])
def test_locks_and_follows(bpm: float) -> None:
    found = observed(drums(bpm, 16.0, noise=0.02))
    late = [o for o in found if o.time > 8]
    assert np.median([o.tempo for o in late]) == pytest.approx(bpm, rel=0.01)
    assert max(abs(error(o, bpm)) for o in late) < 0.04
    assert abs(np.median([error(o, bpm) for o in late])) < 0.01
    assert min(o.confidence for o in late) > 0.6


def test_observations_come_often_and_say_when() -> None:
    x = drums(120, 4.0)
    found = drive(prepared(Tempo), x)
    assert len(found) >= 40
    assert all(f.value.time == f.time == emitted for emitted, f in found)


def test_ten_percent_jitter() -> None:
    late = [o for o in observed(drums(110, 25.0, jitter=0.05, noise=0.02)) if o.time > 10]
    assert np.mean([abs(o.tempo / 110 - 1) < 0.04 for o in late]) > 0.9
    assert np.mean([abs(error(o, 110)) < 0.07 for o in late]) > 0.9


def test_locks_within_six_seconds() -> None:
    found = observed(drums(128, 8.0))
    first = next(o.time for o in found if o.confidence > 0.5 and abs(o.tempo / 128 - 1) < 0.03)
    assert first < 6.0


def test_keeps_time_in_a_gap() -> None:
    x = drums(125, 24.0)
    x[int(12 * RATE) : int(20 * RATE)] = 0
    gap = [o for o in observed(x) if 15 < o.time < 20]
    assert not any(o.evidence for o in gap)
    assert max(abs(error(o, 125)) for o in gap) < 0.1


def test_follows_a_cut_to_another_tempo_and_says_so() -> None:
    x = np.concatenate([drums(110, 15.0), drums(140, 15.0)])
    found = observed(x)
    assert found[-1].tempo == pytest.approx(140, rel=0.02)
    assert abs(error(found[-1], 140, 15.3)) < 0.03
    assert any(o.relocated for o in found if o.time > 15)
    assert not any(o.relocated for o in found if 6 < o.time < 15)


@pytest.mark.parametrize(
    "x",
    [np.zeros(4 * RATE), np.full(4 * RATE, 1e-40), np.full(4 * RATE, 0.9)],
    ids=["silence", "denormals", "direct current"],
)
def test_no_pulse_no_confidence(x: np.ndarray) -> None:
    found = observed(x)
    assert not any(o.confidence > 0.5 for o in found)
    assert not found[-1].evidence


def test_noise_is_not_believed() -> None:
    noise = np.random.default_rng(7).standard_normal(20 * RATE) * 0.2
    assert np.mean([o.confidence > 0.7 for o in observed(noise)]) < 0.1


def test_level_does_not_matter() -> None:
    loud, quiet = (observed(drums(120, 10.0) * g) for g in (1.0, 0.01))
    assert quiet[-1].tempo == pytest.approx(loud[-1].tempo, rel=0.005)


def test_caution_lowers_confidence() -> None:
    x = drums(120, 6.0)
    assert observed(x, caution=3.0)[-1].confidence < observed(x)[-1].confidence


def test_reset_is_exact() -> None:
    x = drums(120, 5.0)
    plugin = prepared(Tempo)
    first = drive(plugin, x)
    plugin.reset()
    assert drive(plugin, x) == first
