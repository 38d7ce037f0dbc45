"""From beat times to what every frame of the network shall answer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.beat.features import FPS, LABEL_DELAY

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

TEMPO_BINS = 48
TEMPO_LOW, TEMPO_HIGH = 40.0, 280.0
PHASE_BINS = 16
METRES = (2, 3, 4, 5, 6, 7)
WIDTH = 0.030
"""Half base in s of the triangle that a beat is widened to: attacks are not points, and frames are 20 ms apart,
so the share between two frames tells where between them the beat lies."""
IGNORE = -100


class Targets(NamedTuple):
    """Truth per frame, arrays of length ``frames``.

    Attributes
    ----------
    beat : float, 0–1
    downbeat : float, 0 or 1, meant only where `at_beat`
    at_beat : float, weight of the downbeat's loss
    tempo : float, BPM; 0 where it does not apply
    phase : int, sixteenth of the bar; -100 where unknown
    metre : int, index into ``METRES``; -100 where unknown
    weight : float, 0 where nothing may be trained on
    """

    beat: F32
    downbeat: F32
    at_beat: F32
    tempo: F32
    phase: I64
    metre: I64
    weight: F32


def frame_times(frames: int, first: float = 0.0) -> F64:
    """Instant in the sound that each frame answers for, s (its end less the label delay)."""
    return first + (np.arange(frames) + 1) / FPS - LABEL_DELAY


def tempo_position(bpm: F32) -> F32:
    """Where a tempo lies on the axis of the tempo head, in bins."""
    ratio = np.log(np.maximum(bpm, 1.0) / TEMPO_LOW) / np.log(TEMPO_HIGH / TEMPO_LOW)
    return (np.clip(ratio, 0.0, 1.0) * (TEMPO_BINS - 1)).astype(np.float32)


def build(times: F64, beats: F64, valid: F64) -> Targets:
    """Targets at the instants `times`.

    Parameters
    ----------
    times : ndarray, shape (frames,)
        As from :func:`frame_times`, in the time of `beats`.
    beats : ndarray, shape (n, 3)
        Time, beat in bar (0 unknown), beats per bar.
    valid : ndarray, shape (m, 2)
        Spans that may be trained on.
    """
    n = len(times)
    weight = np.zeros(n, np.float32)
    for start, end in valid:
        weight[(times >= start) & (times <= end)] = 1.0
    beat, downbeat, at_beat = (np.zeros(n, np.float32) for _ in range(3))
    tempo = np.zeros(n, np.float32)
    phase, metre = np.full(n, IGNORE, np.int64), np.full(n, IGNORE, np.int64)
    if len(beats) < 2:
        return Targets(beat, downbeat, at_beat, tempo, phase, metre, weight)
    at = beats[:, 0]
    after = np.clip(np.searchsorted(at, times), 1, len(at) - 1)
    near = np.where(np.abs(times - at[after - 1]) <= np.abs(at[after] - times), after - 1, after)
    beat = np.maximum(0.0, 1.0 - np.abs(times - at[near]) / WIDTH).astype(np.float32)
    numbered = beats[near, 1] > 0
    downbeat = (beats[near, 1] == 1).astype(np.float32)
    at_beat = np.where(numbered, beat, 0.0).astype(np.float32)
    gap = at[after] - at[after - 1]
    inside = (times >= at[0]) & (times <= at[-1]) & (gap < 2.0) & (gap > 0.15)
    tempo = np.where(inside, 60.0 / np.maximum(gap, 0.1), 0.0).astype(np.float32)
    number, per_bar = beats[after - 1, 1], beats[after - 1, 2]
    known = inside & (number > 0) & (per_bar > 0)
    position = (number - 1 + (times - at[after - 1]) / gap) / np.maximum(per_bar, 1)
    phase[known] = (np.floor(position * PHASE_BINS).astype(np.int64) % PHASE_BINS)[known]
    for k, m in enumerate(METRES):
        metre[known & (per_bar == m)] = k
    return Targets(beat, downbeat, at_beat, tempo, phase, metre, weight)


def bar_bins(metres: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """``(bins, beats)``: how much each bin of the bar says for each beat; a uniform bar gives 0.75 each."""
    out = []
    for metre in metres:
        for k in range(metre):
            distance = np.abs((np.arange(PHASE_BINS) - k * PHASE_BINS / metre + 8) % PHASE_BINS - 8)
            out.append(np.clip(2.0 - distance, 0.0, 1.0) * 4.0)
    return np.array(out).T
