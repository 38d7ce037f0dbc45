"""What the network shall answer: at which frames a hit shows, of which class, how strong.

That something was struck at ``t`` shows in the frames that end from ``t + 7.5`` to ``t + 17.5 ms``; what was
struck shows from ``t + 12.5`` to ``t + 22.5 ms``, when more of it lies in the window: the first of these frames is
still within 20 ms of the hit. The frames next to these are not judged.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.drums.features import FPS, LABELS

F32 = npt.NDArray[np.float32]
ANY, CLASS = (0.0075, 0.0175), (0.0125, 0.0225)
"""Seconds from a hit to the ends of the frames in which it shows."""
MARGIN = 0.010
ANY_DELAY, CLASS_DELAY = 0.008, 0.013
"""Seconds by which what is told trails the hit in the middle; taken off the times that the plugin tells."""
OUTPUTS = 1 + len(LABELS) + len(LABELS)
"""Any hit, each class, strength of each class."""
QUIET = 0.08
"""Velocity below which a hit is not judged: it may be inaudible."""


class Targets(NamedTuple):
    """Per frame: ``hit`` and ``weight`` ``(frames, 7)`` (any, then classes), ``strength`` ``(frames, 6)``."""

    hit: F32
    weight: F32
    strength: F32


def build(hits: list[tuple[float, str, float]], start: int, frames: int) -> Targets:
    """Targets of `frames` frames from frame number `start`; frame ``k`` ends at ``(k + 1) / FPS``.

    Parameters
    ----------
    hits : list of (seconds, label, velocity 0–1)
    """
    hit = np.zeros((frames, 1 + len(LABELS)), np.float32)
    weight = np.ones_like(hit)
    strength = np.zeros((frames, len(LABELS)), np.float32)
    begin, end = start / FPS - 0.1, (start + frames) / FPS + 0.1
    near = [h for h in hits if begin < h[0] < end]
    for t, label, _ in near:
        for column, (low, high) in ((0, ANY), (1 + LABELS.index(label), CLASS)):
            weight[_frames(t, low - MARGIN, high + MARGIN, start, frames), column] = 0.0
    for t, label, velocity in near:
        if velocity >= QUIET:
            for column, (low, high) in ((0, ANY), (1 + LABELS.index(label), CLASS)):
                rows = _frames(t, low, high, start, frames)
                hit[rows, column] = 1.0
                weight[rows, column] = 1.0
            struck = strength[rows, column - 1]
            strength[rows, column - 1] = np.maximum(struck, velocity)
    return Targets(hit, weight, strength)


def _frames(t: float, low: float, high: float, start: int, frames: int) -> npt.NDArray[np.int64]:
    """Those of `frames` frames from `start` whose end lies in ``[t + low, t + high)``."""
    first, last = (int(np.ceil((t + d) * FPS - 1e-6)) - 1 - start for d in (low, high))
    return np.arange(max(first, 0), min(last, frames))
