"""What a rendered clip or piece says about the tags, step by step: targets, and where to ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.tags.labels import FAMILIES, FRAME, LEARNT, STEMS

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

MEMORY = 8
"""Steps for which a source counts as sounding after it was loud: a drum between two strokes still plays."""
RELEASE = 6
"""Steps after that in which nothing is asked: tails and reverberation."""
PRESENT_DB, ABSENT_DB = -20.0, -34.0
"""Against the whole: above is present, below is absent, between nothing is asked."""
LOUD_DB, QUIET_DB = -40.0, -55.0
"""The same against the whole clip's mean."""


def _recent(x: F64, steps: int) -> F64:
    padded = np.concatenate([np.full(steps, x.min()), x])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, steps + 1).max(axis=1))


def clip_truth(truth: dict[str, Any], steps: int) -> tuple[F32, F32]:
    """Targets and weights of a clip of ``models.tags.render``, shape ``(steps, 12)``."""
    target, weight = np.zeros((steps, len(LEARNT)), np.float32), np.ones((steps, len(LEARNT)), np.float32)
    levels = {n: _fit(np.array(v, float), steps) for n, v in truth["levels"].items()}
    if not levels:
        return target, weight
    loudest = _recent(10 * np.log10(sum(10 ** (v / 10) for v in levels.values()) + 1e-12), MEMORY)
    music = np.zeros(steps, bool)
    for name in STEMS:
        if name not in levels or name == "other":
            continue
        recent = _recent(levels[name], MEMORY)
        present = (recent > loudest + PRESENT_DB) & (recent > LOUD_DB)
        absent = (recent < loudest + ABSENT_DB) | (recent < QUIET_DB)
        before = _recent(present.astype(float), RELEASE) > 0
        k = LEARNT.index(name)
        target[:, k] = present
        weight[:, k] = present | (absent & ~before)
        if name in FAMILIES:
            music |= present
    k = LEARNT.index("music")
    instruments = [weight[:, LEARNT.index(f)] for f in FAMILIES if f in levels]
    target[:, k] = music
    unclear = (np.min(instruments, axis=0) == 0) if instruments else np.zeros(steps, bool)
    weight[:, k] = music | ~unclear
    sung = target[:, LEARNT.index("singing")] > 0
    weight[sung & ~music, k] = 0  # whether song without instruments is music is not for us to say
    return target, weight


def piece_truth(truth: dict[str, Any], times: F64, loud: npt.NDArray[np.bool_]) -> tuple[F32, F32]:
    """Targets and weights of a piece of ``models.training.render``: music, drums, no talk, no applause.

    Which instruments play is not in it, and its vocal part may be any instrument, so nothing is asked about those.

    Parameters
    ----------
    times : ndarray
        Ends of the steps, seconds.
    loud : ndarray of bool
        Steps in which anything can be heard.
    """
    target = np.zeros((len(times), len(LEARNT)), np.float32)
    weight = np.zeros_like(target)
    for name in ("speech", "singing", "applause"):
        weight[:, LEARNT.index(name)] = 1
    for a, z in truth["vocals"]:
        inside = (times > a) & (times < z + 1)
        for name in ("speech", "singing"):
            weight[inside, LEARNT.index(name)] = 0
    target[:, LEARNT.index("music")] = loud
    weight[:, LEARNT.index("music")] = loud
    hits = np.array([t for t, _, v in truth["drums"] if v > 0.15])
    since = times - hits[np.searchsorted(hits, times) - 1] if len(hits) else np.full(len(times), np.inf)
    since = np.where(since < 0, np.inf, since)
    k = LEARNT.index("drums")
    target[:, k] = (since < MEMORY * FRAME) & loud
    weight[:, k] = ((since < MEMORY * FRAME) & loud) | (since > (MEMORY + RELEASE) * FRAME)
    return target, weight


def _fit(x: F64, steps: int) -> F64:
    return np.concatenate([x, np.full(max(0, steps - len(x)), x[-1])])[:steps]
