"""What the network shall answer: at which frames a hit shows, of which class, how strong.

Frames end every 10 ms. That something was struck at ``t`` shows in the frames that end from ``t + 5`` to ``t +
25 ms``, two of them; what was struck from ``t + 8`` to ``t + 28 ms``, when more of it lies in the windows. The
frames next to these are not judged, so an answer may come earlier where the sound allows it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.drums.features import FPS, LABELS

F32 = npt.NDArray[np.float32]
ANY, CLASS = (0.005, 0.025), (0.008, 0.028)
"""Seconds from a hit to the ends of the frames in which it shows."""
MARGIN = 0.010
ANY_DELAY, CLASS_DELAY = 0.007, 0.013
"""Seconds by which what is told trails the hit in the middle; taken off the times that the plugin tells."""
OUTPUTS = 1 + len(LABELS) + len(LABELS) + 1
"""Any hit, each class, strength of each class, whether anything but drums sounds."""
QUIET = 0.08
"""Velocity below which a hit is not judged: it may be inaudible."""


class Targets(NamedTuple):
    """Per frame: ``hit`` and ``weight`` ``(frames, 7)`` (any, then classes), ``strength`` ``(frames, 6)``,
    ``band``.

    ``band (frames, 1)``: 1 with an accompaniment, 0 without, negative where that is not judged.
    """

    hit: F32
    weight: F32
    strength: F32
    band: F32


def build(hits: list[tuple[float, str, float]], start: int, frames: int, band: float = -1.0) -> Targets:
    """Targets of `frames` frames from frame number `start`; frame ``k`` ends at ``(k + 1) / FPS``.

    Parameters
    ----------
    hits : list of (seconds, label, velocity 0–1)
    band : float
        See :class:`Targets`; the same in all frames.
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
    return Targets(hit, weight, strength, np.full((frames, 1), band, np.float32))


def _frames(t: float, low: float, high: float, start: int, frames: int) -> npt.NDArray[np.int64]:
    """Those of `frames` frames from `start` whose end lies in ``[t + low, t + high)``."""
    first, last = (int(np.ceil((t + d) * FPS - 1e-6)) - 1 - start for d in (low, high))
    return np.arange(max(first, 0), min(last, frames))
