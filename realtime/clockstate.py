"""What is shown of the musical clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from realtime.musical import LockState


@dataclass(frozen=True, slots=True)
class TransportState:
    """What a display shows of the clock, taken at one instant (see :class:`~realtime.timeline.Timeline`)."""

    state: LockState
    locked: bool
    bpm: float
    confidence: float
    downbeat_confidence: float
    beat: int
    beat_phase: float
    bar_phase: float
    beat_in_bar: int
    beats_per_bar: int
    bar: int
    phrase: int
    multiplier: float
    tempo_locked: bool
    held: bool
    taps: int
    nudge_ms: float
    low_bpm: float
    high_bpm: float
    relocations: int
    rejected: int


class Glance(NamedTuple):
    """What changes all the time, for displays."""

    bpm: float
    beat_phase: float
    bar_phase: float
    beat_in_bar: int
    beats_per_bar: int
    beat: int
    bar: int
    phrase: int
    confidence: float
    locked: bool
