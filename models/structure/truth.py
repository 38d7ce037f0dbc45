"""What a rendered piece says about its structure: from what plays (`playing.py`) to states and events."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.structure.labels import EVENTS

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

IGNORE = -100
BREAKDOWN, BUILD, GROOVE, DROP = range(4)
_HITS = 0.7
"""Hits per four beats from which kick or snare play: half of those of a half-time beat."""
_BASS = 0.12
"""Share of the time in which the bass sounds, from which it plays."""
_NEAR_TOP = 2.5
"""Full force may be softer than the loudest beat of the piece by so many dB."""
_RETURN = 4.0
"""What returns after a break may be softer by so many dB, if kick, snare and bass are back."""
_SILENT_RISE = 1 / 3
"""Part of a riser or an opening filter in which nothing is heard to rise yet; a roll is heard at once."""
SHORTEST = 4.0
"""Seconds below which a stretch is no section."""


class Row(NamedTuple):
    """A stretch in which the same parts play; see `playing.rows`."""

    start: float
    end: float
    name: str
    kick: bool
    snare: bool
    hats: bool
    bass: bool
    pitched: int
    force: float
    rises: bool

    @property
    def beat(self) -> bool:
        """Whether kick or snare play."""
        return self.kick or self.snare


def playing(truth: dict[str, Any]) -> list[Row]:
    """What plays when, of a piece of ``models.structure.render``."""
    found = sorted(truth["sections"], key=lambda row: float(row[0]))
    ends = [float(row[0]) for row in found[1:]] + [float(truth["duration"])]
    out = []
    for (start, name, kick, snare, hats, bass, pitched, force, rises), end in zip(found, ends):
        drums = (float(kick) >= _HITS, float(snare) >= _HITS, float(hats) >= _HITS)
        row = Row(float(start), end, name, *drums, bass >= _BASS, round(pitched), float(force), bool(rises))
        if row.rises and not row.snare:
            heard = row.start + (end - row.start) * _SILENT_RISE
            out.append(row._replace(end=heard, rises=False))
            row = row._replace(start=heard)
        out.append(row)
    return out


class _Whole(NamedTuple):
    """What a piece has when all of its beat plays; `top` is its force in dB."""

    kick: bool
    snare: bool
    bass: bool
    pitched: int
    top: float

    @classmethod
    def of(cls, rows: list[Row]) -> _Whole:
        steady = [r for r in rows if r.beat and not r.rises and r.end - r.start >= SHORTEST]
        kick, snare, bass = any(r.kick for r in steady), any(r.snare for r in steady), any(r.bass for r in steady)
        most = max((r.pitched for r in steady), default=0)
        top = max((r.force for r in steady), default=0.0)
        return cls(kick, snare, bass, min(most, max(1, most - 1)), top)

    def back(self, row: Row, softer: float) -> bool:
        """Whether kick, snare and bass play in `row`, not much softer than they ever do."""
        playing = row.kick >= self.kick and row.snare >= self.snare and row.bass >= self.bass
        return row.beat and playing and row.force >= self.top - softer

    def state(self, row: Row, rises: bool) -> int:
        """State of a row."""
        if self.back(row, _NEAR_TOP) and row.pitched >= self.pitched and (row.name != "build" or not rises):
            return DROP
        if rises:
            return BUILD
        return GROOVE if row.beat and (row.kick or row.bass) else BREAKDOWN


def spans(truth: dict[str, Any]) -> list[tuple[float, float, int]]:
    """Start, end and state of every stretch of one state, as `labels.py` defines them."""
    rows = playing(truth)
    whole = _Whole.of(rows)
    found: list[tuple[float, float, int]] = []
    for row in rows:
        state = whole.state(row, row.rises and row is not rows[-1])
        if found and found[-1][2] == state:
            found[-1] = (found[-1][0], row.end, state)
        else:
            found.append((row.start, row.end, state))
    out: list[tuple[float, float, int]] = []
    for start, end, state in found:
        if out and (end - start < SHORTEST or out[-1][2] == state):
            out[-1] = (out[-1][0], end, out[-1][2])
        else:
            out.append((start, end, state))
    return out


def events(truth: dict[str, Any]) -> list[tuple[float, str]]:
    """What happens when.

    ``drop``: after a breakdown or build-up kick, snare and bass are back, as far as the piece has them, at nearly
    the force they ever have. ``change``: a new section, so another state, or one that goes by another name or in
    which parts came or left, and that lasts. What a piece begins with is no event.
    """
    rows, states = playing(truth), spans(truth)
    whole = _Whole.of(rows)
    found = []
    for (_, _, before), (start, _, now) in pairwise(states):
        found.append((start, "change"))
        row = next(r for r in rows if r.start == start)
        if now in (DROP, GROOVE) and before in (BREAKDOWN, BUILD):
            if whole.back(row, _RETURN):
                found.append((start, "drop"))
        elif now == BREAKDOWN:
            found.append((start, "breakdown"))
        elif now == BUILD:
            found.append((start, "build"))
    marked = {t for t, _ in found}
    for a, b in pairwise(rows):
        same = (a.name, *a[3:8]) == (b.name, *b[3:8])
        if not same and b.start not in marked and b.end - b.start >= SHORTEST:
            found.append((b.start, "change"))
    return sorted(found)


def states(truth: dict[str, Any], times: F64) -> I64:
    """State at each of `times`; IGNORE before the first section."""
    out = np.full(len(times), IGNORE)
    for start, end, state in spans(truth):
        out[(times >= start) & (times < end)] = state
    return out


def recent(
    truth: dict[str, Any], times: F64, windows: Mapping[str, tuple[float, float]]
) -> npt.NDArray[np.float32]:
    """Whether each of :data:`EVENTS` happened so many seconds before each of `times`, shape ``(n, 4)``."""
    out = np.zeros((len(times), len(EVENTS)), np.float32)
    for t, name in events(truth):
        first, last = windows[name]
        out[(times >= t + first) & (times < t + last), EVENTS.index(name)] = 1
    return out
