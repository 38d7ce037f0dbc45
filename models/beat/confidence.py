"""How far a beat is to be believed, as a probability."""

from __future__ import annotations

import math

CALIBRATION = (0.03, 0.165, 0.45)
"""Constant, weight of the belief's log odds, weight of the logarithm of the beats that the pulse has lasted;
fitted by ``python -m models.beat.calibrate``."""


def confidence(share: float, beats: int) -> float:
    """Probability that a beat now falls on a true one.

    Parameters
    ----------
    share : float
        The belief's part in the pulse that is followed; by itself far too sure.
    beats : int
        For how many beats that pulse has been followed.
    """
    x = min(max(share, 1e-5), 1.0 - 1e-5)
    constant, odds, lasted = CALIBRATION
    return 1.0 / (1.0 + math.exp(-constant - odds * math.log(x / (1.0 - x)) - lasted * math.log1p(beats)))
