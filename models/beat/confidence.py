"""How far a beat is to be believed, as a probability."""

from __future__ import annotations

import math

CALIBRATION = (2.6, 0.2, 0.18, 1.8, 0.5)
"""Constant, and weights of the belief's log odds, of the logarithm of the beats that the pulse has lasted, of that
of the support, and of the log odds of music. ``python -m models.beat.calibrate`` shows what they are worth;
CARD.md says how they were chosen."""


def log_odds(probability: float, most: float) -> float:
    """Natural logarithm of the odds, within ``-most … most``."""
    least = 1.0 / (1.0 + math.exp(most))
    p = min(max(probability, least), 1.0 - least)
    return math.log(p / (1.0 - p))


def evidence(share: float, beats: int, support: float, music: float) -> tuple[float, float, float, float, float]:
    """What the weights go with."""
    return 1.0, log_odds(share, 11.5), math.log1p(beats), math.log(max(support, 1e-2)), music


def confidence(share: float, beats: int, support: float, music: float) -> float:
    """Probability that a beat now falls on a true one.

    Parameters
    ----------
    share : float
        The belief's part in the pulse that is followed; by itself far too sure.
    beats : int
        For how many beats that pulse has been followed.
    support : float
        How clearly its beats are heard, 0–1 (:class:`~models.beat.support.Support`).
    music : float
        Log odds that there is music at all (:class:`~models.beat.support.Music`).
    """
    weighed = sum(w * x for w, x in zip(CALIBRATION, evidence(share, beats, support, music)))
    return 1.0 / (1.0 + math.exp(-weighed))
