"""Musical time: what a tracker reports, what the transport publishes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LockState = Literal["searching", "locked", "coasting", "held"]


@dataclass(frozen=True, slots=True)
class BeatObservation:
    """A tracker's belief about the pulse at one instant; the transport follows it.

    Attributes
    ----------
    time : float
        Stream seconds at which `phase` holds (usually the end of the analysed sound, delays compensated).
    tempo : float
        BPM, the tracker's own estimate.
    phase : float
        Beat phase in [0, 1): 0 on the beat.
    beat_in_bar : int
        Position of the current beat (the one that `phase` counts from), 1 = downbeat; 0 = unknown.
    beats_per_bar : int
        Metre; 0 = unknown.
    confidence : float
        Calibrated probability in [0, 1] that tempo and phase are right.
    downbeat_confidence : float
        The same for the bar position.
    relocated : bool
        The tracker has let go of its old pulse and locked on another (a cut): the transport may jump.
    evidence : bool
        Whether there is sound with a pulse at all now (False in silence and beatless breakdowns).
    """

    time: float
    tempo: float
    phase: float
    beat_in_bar: int = 0
    beats_per_bar: int = 0
    confidence: float = 0.0
    downbeat_confidence: float = 0.0
    relocated: bool = False
    evidence: bool = True


@dataclass(frozen=True, slots=True)
class Beat:
    """A beat that the transport has committed to.

    Attributes
    ----------
    time : float
        Stream seconds of the beat.
    emitted : float
        Stream seconds at which it was committed; never later than `time` plus one tick.
    number : int
        Counts 1, 2, 3 … over the whole run; a hole is left only by lost sound, with ``transport.relocated``.
    beat_in_bar, beats_per_bar : int
        1 = downbeat; metre.
    bar, phrase : int
        Running bar and phrase numbers from 1.
    tempo : float
        BPM at the beat.
    """

    time: float
    emitted: float
    number: int
    beat_in_bar: int
    beats_per_bar: int
    bar: int
    phrase: int
    tempo: float
