"""How loud a programme is: what brings a quiet one up, and the silences after which another may come.

Networks that hear ``log(1 + g x)`` know the levels at which they were trained; a microphone across the room, or a
mixer's send turned down, lies 40 dB lower. What they hear is therefore raised, slowly, and let go at once where
something loud comes.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

SECONDS = 2.0
"""Shortest silence that may end a piece: musical stops are mostly shorter."""
NOMINAL = 0.04
"""Usual power of the loudest hops of what is raised: -14 dBFS."""
MOST = 100.0
"""Largest gain: 40 dB."""
RISE = 20.0
"""dB a second by which the gain rises at most, lest hiss be heard as the beginning of something."""
_DEPTH = 1e-3
"""Power of silence against the loudest of the last minutes (-30 dB)."""
_FLOOR = 1e-10
"""Power below which anything is silence (-100 dBFS)."""
_HISS = 1e-7
"""Power below which nothing is raised (-70 dBFS)."""
_HALF = 60.0
"""Seconds in which what was loudest fades by 3 dB."""


class Programme:
    """The level of sound that comes hop by hop, and the silences in it. Owned by one thread.

    Parameters
    ----------
    rate : float
        Hops a second.
    nominal : float
        Power (mean square) to which the loudest hops of a quiet programme are raised; what is louder stays.

    Attributes
    ----------
    gain : float
        By which magnitudes are to be multiplied, 1 to 100: 1 for what is as loud as recordings are.
    """

    def __init__(self, rate: float, nominal: float = NOMINAL) -> None:
        self._nominal = nominal
        self._least = SECONDS * rate
        self._fade = 0.5 ** (1.0 / (_HALF * rate))
        self._rise = 10 ** (RISE / 20 / rate)
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self.gain = 1.0
        self._loudest = 0.0
        self._hops = 0

    def hear(self, hop: F32) -> bool:
        """Take the newest hop, shape ``(n,)``; whether it is the first that sounds after a silence."""
        mean = float(np.add.reduce(hop)) / len(hop)  # an offset is not heard
        power = float(hop.dot(hop)) / len(hop) - mean * mean
        loudest = self._loudest = max(power, self._loudest * self._fade)
        if power < max(_FLOOR, _DEPTH * loudest):
            self._hops += 1
            return False
        was, self._hops = self._hops, 0
        begins = was >= self._least
        if begins:
            loudest = self._loudest = power
        wanted = math.sqrt(self._nominal / loudest) if _HISS < loudest < self._nominal else 1.0
        self.gain = min(wanted, MOST, self.gain * self._rise)
        return begins
