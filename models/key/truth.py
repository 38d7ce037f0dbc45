"""What a rendered piece says about key and chords, in the words of the network.

The renderer may have played a piece faster or slower, which moves its pitch; how much comes from the piece's
seed. Where that lands nearly between two semitones nobody can say which key it is, and nothing is asked.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from models.training import room
from models.training.compose.harmony import NAMES
from models.training.rng import stream

I64 = npt.NDArray[np.int64]
IGNORE = -100
NONE = 24
_UNSURE = (0.35, 0.65)
_QUALITY = {"maj": 0, "maj7": 0, "7": 0, "maj6": 0, "min": 12, "min7": 12, "min6": 12, "minmaj7": 12}
_HARMONIC = {"chords", "pad", "bass", "lead", "vocal"}


def shift(truth: dict[str, Any]) -> int | None:
    """Semitones by which the piece sounds higher than it was written; None where that is not clear."""
    if truth["source"] == "mix":
        return None
    semitones = 12 * math.log2(room.draw(stream(int(truth["seed"]), "render")).resample)
    return None if _UNSURE[0] < semitones % 1 < _UNSURE[1] else round(semitones)


def chord_index(label: str, up: int) -> int:
    """Class of a chord label such as ``A:min7``: majors, minors, none; IGNORE where it is neither."""
    if label == "N":
        return NONE
    root, _, quality = label.partition(":")
    return (NAMES.index(root) + up) % 12 + _QUALITY[quality] if quality in _QUALITY else IGNORE


def labels(truth: dict[str, Any], times: npt.NDArray[np.float64]) -> tuple[I64, I64]:
    """Chord and key class at each of `times`; IGNORE where there is nothing to say."""
    chords, keys = np.full(len(times), IGNORE), np.full(len(times), IGNORE)
    parts = set(truth["instruments"])
    if parts <= {"drums"}:
        return np.full(len(times), NONE), keys
    up = shift(truth)
    if up is None or not parts & _HARMONIC:
        return chords, keys
    for begin, end, label in truth["chords"]:
        chords[(times >= begin) & (times < end)] = chord_index(label, up)
    for begin, end, label in truth["key"]:
        keys[(times >= begin) & (times < end)] = chord_index(label, up)
    if not parts & {"chords", "pad"}:  # a melody or a bass line alone leaves the chord open
        chords[:] = IGNORE
    return chords, keys
