"""Slow beats that stand alone, as those of a metronome do.

In music something always sounds between slow beats, so that what is felt as the beat may well be twice as fast;
the network has learnt to say so, and says it of a lone click of 50 BPM, too. Once beats have stood closer together
though, lone ones are a breakdown, in which nobody halves the tempo.
"""

from __future__ import annotations

SLOW = 62.5
"""BPM from which on down this is asked."""
_CLEAR, _OVER = 0.2, 0.1
"""Answer with which a beat begins, and that it has to fall below before another can."""
_GAPS, _EVEN = 4, 1.15
"""Gaps that have to be alike, and how far the longest may exceed the shortest."""
_MUSIC = 8
"""Shorter gaps after which it is no metronome."""


class Lone:
    """Whether beats are slow, even, and have nothing at all between them, nor ever had much.

    Owned by the decoder's thread.

    Parameters
    ----------
    rate : float
        Frames per second.

    Attributes
    ----------
    value : bool
        Whether it is so now.
    """

    def __init__(self, rate: float) -> None:
        self._least = rate * 60.0 / SLOW
        self.reset()

    def reset(self) -> None:
        """Nothing heard."""
        self.value = False
        self._gaps = [0] * _GAPS
        self._since, self._within, self._shorter = 0, False, 0

    def hear(self, beat: float) -> None:
        """Take a frame's probability of a beat, 0–1."""
        if self._shorter == _MUSIC:
            return
        self._since += 1
        if beat > _CLEAR and not self._within:
            self._gaps = [*self._gaps[1:], self._since]
            self._shorter += self._since < self._least
            self._since, self._within = 0, True
        elif beat < _OVER:
            self._within = False
        shortest, longest = min(self._gaps), max(*self._gaps, self._since)
        self.value = shortest >= self._least and longest <= _EVEN * shortest
