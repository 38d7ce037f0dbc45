"""How far a beat is to be believed, as a probability."""

from __future__ import annotations

import math

CALIBRATION = (5.6, 0.2, 0.47, 4.67)
"""Constant, and weights of the belief's log odds, of the logarithm of the beats that the pulse has lasted, and of
that of the support. ``python -m models.beat.calibrate`` shows what they are worth; CARD.md says how they were
chosen."""


def evidence(share: float, beats: int, support: float) -> tuple[float, float, float, float]:
    """What the weights go with."""
    x = min(max(share, 1e-5), 1.0 - 1e-5)
    return 1.0, math.log(x / (1.0 - x)), math.log1p(beats), math.log(max(support, 1e-2))


def confidence(share: float, beats: int, support: float) -> float:
    """Probability that a beat now falls on a true one.

    Parameters
    ----------
    share : float
        The belief's part in the pulse that is followed; by itself far too sure.
    beats : int
        For how many beats that pulse has been followed.
    support : float
        How clearly its beats are heard, 0–1 (:class:`~models.beat.support.Support`).
    """
    weighed = sum(w * x for w, x in zip(CALIBRATION, evidence(share, beats, support)))
    return 1.0 / (1.0 + math.exp(-weighed))
