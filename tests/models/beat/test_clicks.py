"""Click tracks are counted from their accent."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from models.beat.bench import track
from models.beat.clicks import Clicks
from models.beat.features import SAMPLE_RATE, Features
from models.beat.tracker import Tracker
from realtime.preset import TransportSettings

START = 0.7


def blip(hertz: float, level: float = 0.3) -> np.ndarray:
    t = np.arange(720) / SAMPLE_RATE
    return level * np.sin(2 * np.pi * hertz * t) * np.exp(-t / 0.008) * np.minimum(1, t / 0.001)


def clicks(bpm: float, metre: int, accent: np.ndarray, plain: np.ndarray, first: int = 1) -> np.ndarray:
    """Twelve seconds in a faint noise, whose first click is beat number `first`."""
    x = 0.001 * np.random.default_rng(1).standard_normal(12 * SAMPLE_RATE)
    for k, time in enumerate(np.arange(START, 11.9, 60 / bpm)):
        wave = accent if (k + first - 1) % metre == 0 else plain
        at = round(time * SAMPLE_RATE)
        x[at : at + len(wave)] += wave[: len(x) - at]
    return x.astype(np.float32)


@pytest.mark.parametrize(
    ("accent", "plain"),
    [(blip(1500), blip(1000)), (blip(700), blip(1400)), (blip(1200), blip(1200, 0.15))],
    ids=["higher", "lower", "louder"],
)
@pytest.mark.parametrize(("bpm", "metre", "first"), [(120, 4, 1), (133, 4, 3), (100, 3, 2)])
def test_the_accent_is_the_one(bpm, metre, first, accent, plain):
    found, _ = track(clicks(bpm, metre, accent, plain, first), Tracker(), TransportSettings())
    late = found[found[:, 0] > START + 4.5 * metre * 60 / bpm]
    assert len(late) >= 3
    true = (np.round((late[:, 0] - START) * bpm / 60).astype(int) + first - 1) % metre + 1
    assert late[:, 1].tolist() == true.tolist()


def told(sound: np.ndarray, times: np.ndarray) -> list[tuple[int, int] | None]:
    frames, ear = Features().clip(sound), Clicks()
    return [ear.beat(frames[: int(end * 50)], 0, start, end) for start, end in pairwise(times)]


def test_two_bars_are_enough_and_reset_forgets_them():
    times = np.arange(START, 11.9, 0.5)
    sound = clicks(120, 4, blip(1500), blip(1000))
    said = told(sound, times)
    assert said[:7] == [None] * 7
    assert said[7:12] == [(4, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    frames, ear = Features().clip(sound), Clicks()
    for start, end in pairwise(times[:12]):
        ear.beat(frames, 0, start, end)
    ear.reset()
    assert ear.beat(frames, 0, times[12], times[13]) is None


def test_nothing_is_said_of_clicks_without_accent_nor_of_what_has_bass():
    times = np.arange(START, 11.9, 0.5)
    assert set(told(clicks(120, 4, blip(1000), blip(1000)), times)) == {None}
    assert set(told(np.zeros(12 * SAMPLE_RATE, np.float32), times)) == {None}
    thump = np.concatenate([blip(1500), np.zeros(1680)]) + 0.5 * np.sin(
        2 * np.pi * 60 * np.arange(2400) / SAMPLE_RATE
    )
    assert set(told(clicks(120, 4, thump, blip(1000)), times)) == {None}
