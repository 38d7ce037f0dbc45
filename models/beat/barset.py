"""Beats as the live decoder finds them, with what sounded during each: training data for the count of the bar.

The decoder's beats wander by some milliseconds, begin with whatever it takes for a pulse, and now and then one is
missing, too many or off: a network that has only seen perfect beats counts on where it should listen.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.beat import beatwise
from models.beat.barnet import CLASSES
from models.beat.bars import METRES
from models.beat.features import FPS, LONG
from models.training.dataset import Piece, cached_pieces, is_validation

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

VERSIONS = 4
"""Ways in which the beats of a piece are found; the first is nearly right throughout."""
_WANDER, _CONSTANT = 0.006, 0.008  # standard deviations in s: of each beat, of all
_TROUBLE = 1 / 40  # probability per beat that something goes wrong
_TRUE = 0.07  # s around a true beat within which it counts as found


def found(beats: F64, rng: np.random.Generator) -> F64:
    """
    Beats as they might be found live.

    Parameters
    ----------
    beats : ndarray, shape (n, 3)
        Time, beat in bar, beats per bar.

    Returns
    -------
    ndarray, shape (m, 3)
        The same of what is found; beat in bar 0 where no true beat is near.
    """
    true = beats[:, 0]
    start = 0 if rng.random() < 0.5 else int(rng.integers(0, max(1, len(true) // 2)))
    times = _rubbish(true[start] - float(rng.uniform(0.0, 2.5)), true[start], rng) if rng.random() < 0.6 else []
    k = start
    while k < len(true) - 1:
        if rng.random() >= _TROUBLE:
            times.append(true[k])
            k += 1
            continue
        length = int(rng.integers(1, 7))
        end = min(k + length, len(true) - 1)
        kind = rng.random()
        if kind < 0.3:  # some are missed
            end = min(k + min(length, 3), len(true) - 1)
        elif kind < 0.5:  # twice as many
            times += [t for a, b in zip(true[k:end], true[k + 1 : end + 1]) for t in (a, 0.5 * (a + b))]
        elif kind < 0.8:  # between the beats
            times += (0.5 * (true[k:end] + true[k + 1 : end + 1])).tolist()
        else:
            times += _rubbish(true[k], true[end], rng)
        k = end
    at = np.array(times, float)
    at += rng.normal(0, _CONSTANT) + rng.normal(0, _WANDER, len(at))
    at = at[at >= 0]
    keep = np.concatenate([[True], np.diff(at) > 0.12]) if len(at) else np.zeros(0, bool)
    return _numbered(at[keep], beats)


def _rubbish(start: float, end: float, rng: np.random.Generator) -> list[float]:
    """Beats at no particular place before `end`."""
    times, at = [], max(0.0, start)
    step = float(rng.uniform(0.25, 0.9))
    while at < end - 0.15:
        times.append(at)
        at += step * float(rng.uniform(0.8, 1.25))
    return times


def _numbered(times: F64, beats: F64) -> F64:
    true = beats[:, 0]
    after = np.clip(np.searchsorted(true, times), 1, len(true) - 1)
    near = np.where(np.abs(times - true[after - 1]) <= np.abs(true[after] - times), after - 1, after)
    out = np.column_stack([times, beats[near, 1:]])
    out[np.abs(true[near] - times) > _TRUE, 1] = 0.0
    return out


def rows(frames: npt.NDArray[np.floating], times: F64) -> F32:
    """What sounded during each beat but the last, shape ``(len(times) - 1, beatwise.SIZE)``."""
    last = np.zeros(LONG.bands, np.float32)
    out = np.zeros((max(0, len(times) - 1), beatwise.SIZE), np.float32)
    for k, (start, end) in enumerate(pairwise(times)):
        low = max(0, int((start - 0.2) * FPS))
        # nothing later than the end of the beat: the live counter is asked at that moment
        high = max(low, min(len(frames), int(end * FPS + 1e-6)))
        out[k] = beatwise.row(np.asarray(frames[low:high], np.float32), low, float(start), float(end), last)
        last = out[k, : LONG.bands]
    return out


@dataclass(frozen=True)
class Counted:
    """One way of finding the beats of a piece.

    Attributes
    ----------
    rows : ndarray of float16, shape (n, beatwise.SIZE)
    beats : ndarray, shape (n, 3)
        Time, beat in bar (0: none near), beats per bar.
    """

    rows: npt.NDArray[np.float16]
    beats: F64


def prepare(folder: Path, cache: Path, out: Path) -> None:
    """Write ``NAME.npz`` for every piece of a rendered folder whose features are in `cache`."""
    out.mkdir(parents=True, exist_ok=True)
    for piece, path in cached_pieces(folder, cache):
        target = out / f"{piece.name}.npz"
        if target.exists() or len(piece.beats) < 16:
            continue
        partial = target.with_suffix(".part")
        with partial.open("wb") as file:
            np.savez(file, **_versions(piece, np.load(path)))
        os.replace(partial, target)


def _versions(piece: Piece, frames: npt.NDArray[np.floating]) -> dict[str, Any]:
    rng = np.random.default_rng(int(piece.name) if piece.name.isdigit() else list(piece.name.encode()))
    saved: dict[str, Any] = {}
    for k in range(VERSIONS):
        if k:
            beats = found(piece.beats, rng)
        else:
            times = piece.beats[:, 0] + rng.normal(0, _CONSTANT) + rng.normal(0, _WANDER, len(piece.beats))
            beats = np.column_stack([np.maximum(times, 0.0), piece.beats[:, 1:]])
        saved[f"rows{k}"] = rows(frames, beats[:, 0]).astype(np.float16)
        saved[f"beats{k}"] = beats[:-1]
    return saved


def load(out: Path, held_out: bool) -> list[list[Counted]]:
    """The versions of every piece, those held out or all others."""
    pieces = []
    for path in sorted(out.glob("*.npz")):
        if is_validation(path.stem) == held_out:
            with np.load(path) as saved:
                pieces.append([Counted(saved[f"rows{k}"], saved[f"beats{k}"]) for k in range(VERSIONS)])
    return pieces


def targets(beats: F64) -> tuple[F32, F32]:
    """Probability of each class, shape ``(n, CLASSES)``, and weight of each beat.

    In a bar of two either half of a bar of four is right; other metres and unnumbered beats weigh nothing.
    """
    out, weight = np.zeros((len(beats), CLASSES), np.float32), np.zeros(len(beats), np.float32)
    three, four = 0, METRES[0]
    for k, (number, per_bar) in enumerate(beats[:, 1:3].astype(int).tolist()):
        if number < 1 or per_bar not in (2, 3, 4) or number > per_bar:
            continue
        weight[k] = 1.0 if per_bar > 2 else 0.7
        if per_bar == 2:
            out[k, [four + number - 1, four + number + 1]] = 0.5
        else:
            out[k, (three if per_bar == 3 else four) + number - 1] = 1.0
    return out, weight
