"""Utterances: where a voice is, whole, whatever the pieces in which the sound comes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from models.whisper.gate import LONGEST, RATE, Gate, Utterance
from tests.models.whisper.talk import spoken

VALUES = {"threshold": 0.5, "hold_ms": 400.0, "shortest": 0.3, "longest": 12.0}


def heard(x: np.ndarray, pieces: tuple[int, ...] = (12_000,), **values: float) -> list[Utterance]:
    gate, found, at, k = Gate(VALUES | values), [], 0, 0
    while at < len(x):
        piece = x[at : at + pieces[k % len(pieces)]]
        found += gate.feed(piece, at / RATE)
        at, k = at + len(piece), k + 1
    return found


@pytest.fixture(scope="module")
def two() -> np.ndarray:
    return spoken(11.0, (1.5, 3.5), (7.0, 8.5))


def test_each_stretch_of_voice_is_an_utterance(two: np.ndarray) -> None:
    first, second = heard(two)
    assert 1.0 < first.start < 1.6
    assert 3.4 < first.end < 5.0
    assert 6.5 < second.start < 7.1
    assert 8.4 < second.end < 10.0
    for u in (first, second):
        at = round(u.start * RATE)
        assert np.array_equal(u.sound, two[at : at + len(u.sound)])


def test_the_pieces_change_nothing(two: np.ndarray) -> None:
    whole = heard(two)
    for pieces in ((240,), (48_000, 240, 2400), (len(two),)):
        other = heard(two, pieces)
        assert [u.start for u in other] == pytest.approx([u.start for u in whole])
        assert all(np.array_equal(a.sound, b.sound) for a, b in zip(whole, other, strict=True))


def test_a_long_one_is_cut_and_nothing_is_lost() -> None:
    x = spoken(14.0, (1.0, 12.0))
    parts = heard(x, longest=4.0)
    assert len(parts) >= 3
    assert all(len(u.sound) <= 4.0 * RATE for u in parts)
    for a, b in pairwise(parts):
        assert b.start == pytest.approx(a.end)
    one = heard(x)
    assert parts[0].start == pytest.approx(one[0].start)
    assert parts[-1].end == pytest.approx(one[-1].end)


def test_a_short_one_is_left_out(two: np.ndarray) -> None:
    length = [u.end - u.start for u in heard(two)]
    assert length[1] < length[0]
    assert len(heard(two, shortest=length[1] + 0.1)) == 1


def test_noise_and_silence_are_no_utterances() -> None:
    noise = 0.02 * np.random.default_rng(0).standard_normal(5 * RATE).astype(np.float32)
    assert heard(np.concatenate([np.zeros(2 * RATE, np.float32), noise]), shortest=0.6) == []


def test_afterwards_it_is_as_new(two: np.ndarray) -> None:
    gate = Gate(VALUES)
    gate.feed(two[: 3 * RATE], 0.0)
    gate.reset()
    again = gate.feed(two, 100.0)
    assert [u.start - 100.0 for u in again] == pytest.approx([u.start for u in heard(two)], abs=1e-6)


def test_its_values_change_while_it_runs(two: np.ndarray) -> None:
    gate = Gate(VALUES)
    gate.set("shortest", 20.0)
    assert gate.feed(two, 0.0) == []
    gate.reset()
    gate.set("shortest", 0.3)
    gate.set("hold_ms", 2000.0)
    assert gate.feed(two, 0.0)[0].end > heard(two)[0].end


def test_voice_without_end_takes_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(VALUES | {"longest": LONGEST})
    gate._active = True
    monkeypatch.setattr(gate._voice, "process", lambda block, now: [])
    size = gate._held.size
    noise = 0.1 * np.random.default_rng(0).standard_normal(100 * RATE).astype(np.float32)
    parts = gate.feed(noise, 0.0)
    assert gate._held.size == size
    assert 3 <= len(parts) <= 6
    kept = np.concatenate([*(u.sound for u in parts), gate._held[: gate._count]])
    assert np.array_equal(kept, noise)
