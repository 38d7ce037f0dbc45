"""The most likely beats of whole recordings, with hindsight, from what networks answer.

The best path through beat times and tempi (Viterbi), with the transitions of F. Krebs, S. Böck and G. Widmer, "An
efficient state-space model for joint tempo and meter tracking" (2015), many recordings at once. The live tracker's
filter has no such hindsight; this is for labelling music that has no truth.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.beat.features import FPS, LABEL_DELAY
from models.beat.targets import TEMPO_BINS, WIDTH, tempo_position

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

FINE = 2
"""Ticks per frame."""
SPREAD = 60.0
BEAT_PRIOR = 0.1
TEMPO_WEIGHT = 0.02
"""Exponent per frame of the network's tempo."""
SLOWEST, FASTEST, TEMPI = 48.0, 260.0, 64
NEVER = -1e9


def bonus(logits: F32) -> F32:
    """What a beat at each tick adds over no beat, in nats, shape ``(..., frames * FINE)``.

    `logits` are of shape ``(..., frames)``; odds over the prior odds, weighed by the triangle of the target.
    """
    odds = logits - np.log(BEAT_PRIOR / (1 - BEAT_PRIOR))
    frames = odds.shape[-1]
    out = np.zeros((*odds.shape[:-1], frames * FINE), np.float32)
    for part in range(FINE):
        for k in (-1, 0, 1, 2):
            share = max(0.0, 1 - abs(k - part / FINE) / (FPS * WIDTH))
            out[..., part::FINE] += share * odds[..., np.clip(np.arange(frames) + k, 0, frames - 1)]
    return out


def beats(logits: F32, tempo: F32) -> list[F64]:
    """Times in s of the beats of every recording.

    Parameters
    ----------
    logits : ndarray, shape (batch, frames)
        Of a beat.
    tempo : ndarray, shape (batch, frames, 48)
        Log probabilities.
    """
    periods = np.unique(np.round(60 * FPS * FINE / np.geomspace(FASTEST, SLOWEST, TEMPI)).astype(np.int64))
    change = -SPREAD * np.abs(periods[:, None] / periods - 1)
    change -= np.log(np.exp(change).sum(1, keepdims=True))
    into = np.ascontiguousarray(change.T, np.float32)  # row: tempo after, column: before
    gain = bonus(logits)
    heard = _tempo_evidence(tempo, periods)
    batch, ticks = gain.shape
    columns = np.arange(len(periods))
    score = np.full((ticks, batch, len(periods)), NEVER, np.float32)
    before = np.full((ticks, batch, len(periods)), -1, np.int8)
    for t in range(ticks):
        source = t - periods
        old = np.maximum(source, 0)
        came = np.where((source >= 0)[:, None], score[old, :, columns], 0.0).T
        came += heard[t] - heard[old, :, columns].T
        total = came[:, None, :] + into
        best = total.argmax(2)
        score[t] = np.take_along_axis(total, best[..., None], 2)[..., 0] + gain[:, t, None]
        before[t] = np.where((source >= 0)[best], best, -1)
    return [_sharpened(_path(score[:, k], before[:, k], periods), logits[k]) for k in range(batch)]


def _tempo_evidence(tempo: F32, periods: npt.NDArray[np.int64]) -> F32:
    """Sum up to each tick of the log probabilities at the tempi of `periods`, shape ``(ticks, batch, tempi)``."""
    position = tempo_position((60 * FPS * FINE / periods).astype(np.float32))
    low = np.floor(position).astype(int).clip(0, TEMPO_BINS - 2)
    part = position - low
    told = TEMPO_WEIGHT / FINE * (tempo[:, :, low] * (1 - part) + tempo[:, :, low + 1] * part)
    summed: F32 = np.cumsum(np.repeat(told.transpose(1, 0, 2), FINE, 0), 0, dtype=np.float64).astype(np.float32)
    return summed


def _path(score: F32, before: npt.NDArray[np.int8], periods: npt.NDArray[np.int64]) -> F64:
    """Beats of the best path, in frames."""
    tail = min(int(periods[-1]), len(score))
    at, tempo = np.unravel_index(int(score[-tail:].argmax()), (tail, len(periods)))
    tick, j = len(score) - tail + int(at), int(tempo)
    found = [tick]
    while (i := int(before[tick, j])) >= 0:
        tick, j = tick - int(periods[i]), i
        found.append(tick)
    return np.array(found[::-1], float) / FINE


def _sharpened(frames: F64, logits: F32) -> F64:
    """Seconds of each beat: the centre of the activation around it, where there is one, less the label's delay."""
    p = 1 / (1 + np.exp(-logits.astype(float)))
    out = frames.copy()
    for k, centre in enumerate(frames):
        near = np.arange(max(0, int(centre) - 2), min(len(p), int(centre) + 4))
        near = near[np.abs(near - centre) <= 2]
        if p[near].max() > 0.1:
            out[k] = (p[near] * near).sum() / p[near].sum()
    return (out + 1) / FPS - LABEL_DELAY
