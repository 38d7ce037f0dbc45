"""How far a beat is to be believed, as a probability."""

from __future__ import annotations

import math

CALIBRATION = (2.6, 0.2, 0.18, 1.8, 0.5)
"""Constant, and weights of the belief's log odds, of the logarithm of the beats that the pulse has lasted, of that
of the support, and of the log odds of music. ``python -m models.beat.calibrate`` shows what they are worth;
CARD.md says how they were chosen."""
_MEMORY = 2.0
"""Seconds over which what the network says of music is averaged."""
_SURE = 8.0
"""Most that the log odds of music count for."""


def odds(probability: float, most: float) -> float:
    """Logarithm of the odds, within ``-most … most``."""
    least = 1.0 / (1.0 + math.exp(most))
    p = min(max(probability, least), 1.0 - least)
    return math.log(p / (1.0 - p))


class Music:
    """Whether there is music, as the network has said lately. Owned by the decoder's thread.

    Attributes
    ----------
    value : float
        Mean of the log odds over the last two seconds; 0 while nothing is known.
    """

    def __init__(self, rate: float) -> None:
        self._new = 1.0 - math.exp(-1.0 / (_MEMORY * rate))
        self.reset()

    def reset(self) -> None:
        """Nothing heard."""
        self.value = 0.0

    @property
    def probability(self) -> float:
        """The same as a probability."""
        return 1.0 / (1.0 + math.exp(-self.value))

    def hear(self, probability: float) -> None:
        """Take a frame's probability."""
        self.value += self._new * (odds(probability, _SURE) - self.value)


def evidence(share: float, beats: int, support: float, music: float) -> tuple[float, float, float, float, float]:
    """What the weights go with."""
    return 1.0, odds(share, 11.5), math.log1p(beats), math.log(max(support, 1e-2)), music


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
        Log odds that there is music at all (:class:`Music`).
    """
    weighed = sum(w * x for w, x in zip(CALIBRATION, evidence(share, beats, support, music)))
    return 1.0 / (1.0 + math.exp(-weighed))
