"""Silence between two pieces, after which a tracker with a long memory may hear something new."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

SECONDS = 2.0
"""Shortest silence that may end a piece: musical stops are mostly shorter."""
_DEPTH = 1e-3
"""Power of silence against the loudest of the last minutes (-30 dB)."""
_FLOOR = 1e-10
"""Power below which anything is silence (-100 dBFS)."""
_HALF = 60.0
"""Seconds in which what was loudest fades by 3 dB."""


class Silence:
    """Notices silence in sound that comes hop by hop. Owned by one thread.

    Parameters
    ----------
    rate : float
        Hops a second.
    """

    def __init__(self, rate: float) -> None:
        self._least = SECONDS * rate
        self._fade = 0.5 ** (1.0 / (_HALF * rate))
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._loudest = 0.0
        self._hops = 0

    def ends(self, hop: F32) -> bool:
        """Whether this hop, shape ``(n,)``, is the first that sounds after a silence."""
        mean = float(np.add.reduce(hop)) / len(hop)  # an offset is not heard
        power = float(hop.dot(hop)) / len(hop) - mean * mean
        self._loudest = max(power, self._loudest * self._fade)
        if power < max(_FLOOR, _DEPTH * self._loudest):
            self._hops += 1
            return False
        was, self._hops = self._hops, 0
        return was >= self._least
