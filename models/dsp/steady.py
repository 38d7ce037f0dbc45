"""Whether anything in a sound has an attack: noise, hum and hiss rise all the time, but hardly more than usual.

A peak picker finds its highest peaks there, as it would in music. In minutes of white or pink noise or hum the
spectrum seldom rises by more than three times its mean rise; in nearly all music it does so all the time, mostly
by ten times.
"""

from __future__ import annotations

import math

_SECONDS = 3.0
"""Time constant of the mean."""
_HALF = 4.0
"""Seconds in which the strongest attack fades by half."""


class Steady:
    """Hears the rise of the spectrum hop by hop. Owned by one thread.

    Parameters
    ----------
    rate : float
        Hops a second.
    attack : float
        How many times the mean rise is an attack.
    """

    def __init__(self, rate: float, attack: float) -> None:
        self._attack = attack
        self._new = 1.0 / (_SECONDS * rate)
        self._fall = math.exp(-math.log(2.0) / (_HALF * rate))
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._hops = 0
        self._mean = self._strongest = 0.0

    def hear(self, rise: float) -> bool:
        """Take a hop's rise, 0 or more; whether nothing stands out from what is heard."""
        self._hops += 1
        enough = self._attack * self._mean
        # No more than fades within one half-life: the beginning of a noise is soon forgotten.
        self._strongest = min(max(rise, self._strongest * self._fall), 2.0 * enough)
        self._mean += max(self._new, 1.0 / self._hops) * (rise - self._mean)
        return self._strongest <= enough
