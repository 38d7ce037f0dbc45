"""Beats on the rows of modules: at the tempo that networks found, where the patterns say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models.beat import hindsight, rows
from tests.models.beat.test_hindsight import planted

ROW = 0.12


def grid(length: int, patterns: int) -> npt.NDArray[np.float64]:
    number = np.tile(np.arange(length), patterns)
    return np.column_stack([ROW * np.arange(len(number)), number, np.full(len(number), length)])


@pytest.mark.parametrize(("step", "late"), [(4, 0.0), (4, 0.24), (8, 0.0), (3, 0.0)])
def test_beats_lie_on_rows_at_the_tempo_found_even_if_these_lay_between(step: int, late: float) -> None:
    known = grid(48 if step == 3 else 64, 6)
    found = np.arange(0.0, known[-1, 0], step * ROW) + late
    logits, _ = planted(found, int(known[-1, 0] * 50))
    beats = rows.beats(known, found, logits[0])
    assert beats is not None
    assert beats[:, 0] == pytest.approx(np.arange(0.0, known[-1, 0] + 1e-6, step * ROW))
    assert (np.flatnonzero(beats[:, 1] == 1) % 4 == 0).all()
    assert (beats[:, 2] == 4).all()


def test_a_tempo_that_no_count_of_rows_gives_is_none() -> None:
    known = grid(64, 6)
    found = np.arange(0.0, known[-1, 0], 0.4)
    logits, _ = planted(found, int(known[-1, 0] * 50))
    assert rows.beats(known, found, logits[0]) is None


def test_patterns_that_leave_the_metre_open_number_no_beats() -> None:
    known = grid(48, 8)
    found = np.arange(0.0, known[-1, 0], 4 * ROW)
    logits, _ = planted(found, int(known[-1, 0] * 50))
    beats = rows.beats(known, found, logits[0])
    assert beats is not None
    assert (beats[:, 1:] == 0).all()


def test_rows_label_all_of_it_unless_the_networks_deny_them() -> None:
    known = grid(64, 8)
    frames = int(known[-1, 0] * 50)
    found = np.arange(0.0, known[-1, 0], 4 * ROW)
    logits, _ = planted(found, frames)
    labels = hindsight.counted(known, found, logits[0], (0.0, frames / 50))
    assert labels is not None
    assert labels.valid == [(0.0, frames / 50)]
    assert labels.straight
    against, _ = planted(found + 0.24, frames)
    assert hindsight.counted(known, found, against[0], (0.0, frames / 50)) is None
    assert hindsight.counted(known, found[:20], logits[0], (0.0, frames / 50)) is None
