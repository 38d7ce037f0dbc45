"""Constants of the decoder."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.beat.statespace import FilterConfig


@dataclass(frozen=True)
class DecoderConfig:
    """How the belief is read.

    Attributes
    ----------
    filter : FilterConfig
    switch_tempo, switch_phase : float
        How many times as likely another tempo (phase) has to be before it takes over.
    reach : float
        Part of a beat around the strongest phase over which the mean is taken.
    renumber : float
        How many times as likely another bar position has to be before the count jumps.
    quiet, lively : float
        Below `quiet` (decaying maximum of the beat probability) the decoder coasts until it is above `lively`.
    certain : float
        From that maximum on, the absence of a beat counts in full.
    memory : float
        Seconds over which that maximum fades to a third.
    offset : float
        Seconds added to every predicted instant: what is left of the network's systematic error.
    relative, most : float
        Part of the answers at the last beats from which on another speaks for a beat, too; most that this may be.
    tempo_weight, phase_weight : float
        Exponents, per frame and per observation, of the network's tempo and position in the bar.
    accents : float
        Exponent, per step, of how the rises of the spectrum fit the pattern of a beat.
    patience : tuple of float
        `gain`, `grace` and `most` of :class:`~models.beat.inertia.Inertia`.
    opening : float
        How many times as likely as any other instant the first attack, of all or after a silence, is to be a
        downbeat.
    afresh : float
        How likely it is that music after a silence has nothing to do with what was before.
    late : float
        The same at the first attack of all, where beats were followed before it.
    """

    filter: FilterConfig = field(default_factory=FilterConfig)
    switch_tempo: float = 1.5
    switch_phase: float = 1.2
    reach: float = 0.15
    renumber: float = 2.5
    quiet: float = 0.12
    lively: float = 0.20
    certain: float = 0.4
    memory: float = 1.2
    offset: float = -0.003
    relative: float = 0.4
    most: float = 0.16
    tempo_weight: float = 0.02
    phase_weight: float = 0.3
    accents: float = 0.06
    patience: tuple[float, float, float] = (4.0, 24.0, 160.0)
    opening: float = 10.0
    afresh: float = 0.9
    late: float = 0.5
