"""What a rendered piece says about its structure."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from models.structure.labels import EVENTS

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

IGNORE = -100
_PLACE = {"breakdown": 0, "build": 1, "verse": 2, "bridge": 2, "outro": 2, "drop": 3, "chorus": 3}
_SPARSE = 0.5
"""Kicks and snares a second below which an intro counts as a breakdown."""


def spans(truth: dict[str, Any]) -> list[tuple[float, float, int]]:
    """Start, end and state of every section."""
    rows = sorted((float(t), str(name)) for t, name in truth["sections"])
    ends = [t for t, _ in rows[1:]] + [float(truth["duration"])]
    hits = np.array([t for t, kind, _ in truth["drums"] if kind in ("kick", "snare")])
    out = []
    for (start, name), end in zip(rows, ends):
        if name == "intro":
            dense = (
                ((hits >= start) & (hits < end)).sum() / max(end - start, 1e-3) > _SPARSE if len(hits) else False
            )
            out.append((start, end, 2 if dense else 0))
        else:
            out.append((start, end, _PLACE[name]))
    return out


def events(truth: dict[str, Any]) -> list[tuple[float, str]]:
    """What happens when: ``drop`` is full force after a breakdown or build-up; ``change`` any new section.

    What a piece begins with is no event.
    """
    found = []
    rows = spans(truth)
    for (_, _, before), (start, _, now) in pairwise(rows):
        found.append((start, "change"))
        if now == 3 and before in (0, 1):
            found.append((start, "drop"))
        elif now == 0 and before != 0:
            found.append((start, "breakdown"))
        elif now == 1 and before != 1:
            found.append((start, "build"))
    return found


def states(truth: dict[str, Any], times: F64) -> I64:
    """State at each of `times`; IGNORE before the first section."""
    out = np.full(len(times), IGNORE)
    for start, end, state in spans(truth):
        out[(times >= start) & (times < end)] = state
    return out


def recent(truth: dict[str, Any], times: F64, window: float) -> npt.NDArray[np.float32]:
    """Whether each of :data:`EVENTS` happened within the last `window` seconds, shape ``(n, 4)``."""
    out = np.zeros((len(times), len(EVENTS)), np.float32)
    for t, name in events(truth):
        out[(times >= t) & (times < t + window), EVENTS.index(name)] = 1
    return out
