"""How clearly the network hears the beats that are sent, and whether it hears music at all.

In speech and noise the filter follows something, too.
"""

from __future__ import annotations

import math

from models.beat.confidence import log_odds

_START, _BEATS = 0.2, 3.0
"""What is taken for heard before there is anything, and for how many beats that counts."""
_MEMORY = 8.0
"""Beats over which the mean goes."""
_BEFORE, _AFTER = 2, 6
"""Frames before and after a beat is sent in which the network's answer to it may lie."""
_LATELY = 2.0
"""Seconds over which what it says of music is averaged."""
_SURE = 8.0
"""Most that the log odds of music count for."""


class Support:
    """Mean of the network's answers at the last beats. Owned by the decoder's thread.

    Attributes
    ----------
    value : float
        0–1; music with a pulse has .25 and more, speech and noise .15.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nothing heard."""
        self.value = _START
        self._count = _BEATS
        self._lately = [0.0] * _BEFORE
        self._peak, self._left = 0.0, 0

    def hear(self, beat: float, coasting: bool) -> None:
        """Take a frame's probability of a beat; while it coasts, beats are not expected to be heard."""
        self._lately = [*self._lately[1:], beat]
        if self._left:
            self._peak = max(self._peak, beat)
            self._left -= 1
            if not self._left and not coasting:
                self._count = min(self._count + 1.0, _MEMORY)
                self.value += (self._peak - self.value) / self._count

    def sent(self) -> None:
        """A beat is being sent in this frame."""
        self._peak, self._left = max(self._lately), _AFTER


class Music:
    """Whether there is music, as the network has said lately. Owned by the decoder's thread.

    Attributes
    ----------
    value : float
        Mean of the log odds over the last two seconds; 0 while nothing is known.
    """

    def __init__(self, rate: float) -> None:
        self._new = 1.0 - math.exp(-1.0 / (_LATELY * rate))
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
        self.value += self._new * (log_odds(probability, _SURE) - self.value)
