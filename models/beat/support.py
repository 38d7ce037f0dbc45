"""How clearly the network hears the beats that are sent: in speech and noise the filter follows something, too."""

from __future__ import annotations

_START, _BEATS = 0.2, 3.0
"""What is taken for heard before there is anything, and for how many beats that counts."""
_MEMORY = 8.0
"""Beats over which the mean goes."""
_BEFORE, _AFTER = 2, 6
"""Frames before and after a beat is sent in which the network's answer to it may lie."""


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
