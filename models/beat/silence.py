"""Silence between two pieces, after which the tracker may hear something new."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.beat.features import FPS, SHORT

F32 = npt.NDArray[np.float32]

SECONDS = 2.0
"""Shortest silence that may end a piece: musical stops are mostly shorter."""
DEPTH = 0.01
"""Loudest band of silence against that of the last minutes (-40 dB)."""
FLOOR = 0.02
"""The same at most, of thousandths of full scale, whatever was before."""
_FADE = 0.5 ** (1.0 / (60.0 * FPS))


class Silence:
    """Notices silence in the frames of :class:`~models.beat.features.Features`. Owned by one thread."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._loudest = 0.0
        self._frames = 0

    def ends(self, frame: F32) -> bool:
        """Whether this frame is the first that sounds after a silence; shape (144,)."""
        loud = 10.0 ** float(frame[: SHORT.bands].max()) - 1.0
        self._loudest = max(loud, self._loudest * _FADE)
        if loud < max(FLOOR, DEPTH * self._loudest):
            self._frames += 1
            return False
        was, self._frames = self._frames, 0
        return was >= SECONDS * FPS
