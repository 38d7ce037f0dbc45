"""What a style is: tempo convention, metre, drum and bass patterns, how it is arranged."""

from __future__ import annotations

from dataclasses import dataclass

LEVEL = {"X": 0.97, "x": 0.8, "o": 0.55, "g": 0.28}
Drums = dict[str, str]


@dataclass(frozen=True)
class Style:
    """
    One style. The tempo range states the convention of the beat (tactus): labels are at that level.

    Attributes
    ----------
    tempo : (float, float)
        Beats per minute, drawn log-uniformly.
    metre : int
        Beats per bar.
    compound : bool
        Beats divide in three (6/8, 12/8, shuffles written out).
    drums : tuple of dict
        Patterns; keys are drum voices, values strings that span whole bars. ``X x o g`` are levels,
        ``?`` sounds in some bars only, ``.`` rests, ``|`` separates bars of a longer pattern.
    bass : tuple of str
        Patterns of scale codes: ``R`` root, ``8`` octave, ``5`` fifth, ``3`` third, ``7`` seventh,
        ``r`` random chord tone, ``a`` approach to the next root, ``-`` hold, ``.`` rest; or a generator's
        name ("synco", "walk", "sub", "kick").
    comp : tuple of str
        Chord rhythm: ``x`` hit, ``-`` hold, ``.`` rest; or "arp", "pad".
    plan : str
        Key of `models.training.compose.structure.PLANS`.
    """

    name: str
    tempo: tuple[float, float]
    drums: tuple[Drums, ...]
    bass: tuple[str, ...] = ("synco", "R-------5-------")
    comp: tuple[str, ...] = ("pad", "x-------x-------")
    metre: int = 4
    compound: bool = False
    swing: tuple[float, float] = (0.0, 0.0)
    human: float = 0.003
    drift: float = 0.0
    electronic: float = 0.8
    plan: str = "club"
    minor: float = 0.6
    lead: float = 0.5
    vocal: float = 0.35
    weight: float = 1.0
    fast_chords: float = 0.15
