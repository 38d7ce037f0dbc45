"""The count of a click track: where one beat in the bar sounds unlike all others, that is the one.

Nothing in music says so, there an odd beat is as well a snare on four; hence only for what has no bass at all and
repeats exactly, as the click that a band plays to.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from models.beat.features import FPS, SHORT, centres
from realtime.hosting.spectral import levels_of

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

BARS = (4, 3)
"""Beats in the bars looked for, in this order."""
_EARLY, _LONG = 0.03, 0.2
"""Seconds before a beat at which its click may begin, and for how long from there on it is heard."""
_BASS = 200.0
"""Hz below which clicks have next to nothing."""
_SHARE = 0.12
"""Most that lies there, of the sum of all bands."""
_NOISE = 1.5
"""How often what sounds between the clicks is taken off them."""
_APART = 2.0
"""How much further the odd beat must be from the others than these are from one another."""
_LEAST = 0.08
"""Distance from the others that counts, of the size of a row."""
_MEMORY = 2 * max(BARS)


class Clicks:
    """Listens to whole beats; owned by one thread."""

    def __init__(self) -> None:
        self._low = centres(SHORT) < _BASS
        self._rows: deque[F64] = deque(maxlen=_MEMORY)

    def reset(self) -> None:
        """Forget all beats."""
        self._rows.clear()

    def beat(self, frames: F32, first: int, start: float, end: float) -> tuple[int, int] | None:
        """Take a beat that is over.

        Parameters
        ----------
        frames : ndarray of float32, shape (n, 144)
            Frames ``first … first + n - 1``; frame k ends at ``(k + 1) / 50`` s.
        start, end : float
            Seconds of this beat and of the next.

        Returns
        -------
        (number, beats) or None
            Which beat of a bar of so many it was, from 1, where this is a click track with an accent.
        """
        low, last = (max(0, round((t - _EARLY) * FPS) - first) for t in (start, end))
        levels = levels_of(frames[low:last, : SHORT.bands])
        click, rest = np.split(levels, [round(_LONG * FPS)])
        # Overlapping windows add up to the same wherever between two frames a click falls.
        heard = np.add.reduce(click, axis=0, dtype=np.float64)
        if len(rest):
            heard = np.maximum(heard - _NOISE * len(click) * rest.mean(axis=0), 0.0)  # less the noise behind it
        total = float(heard.sum())
        if total <= 0.0 or float(heard[self._low].sum()) > _SHARE * total:
            self._rows.clear()
            return None
        self._rows.append(np.sqrt(heard))
        for beats in BARS:
            accent = self._accent(beats)
            if accent is not None:
                return accent + 1, beats
        return None

    def _accent(self, beats: int) -> int | None:
        """How many beats ago the accent was, if one in so many is unlike the others."""
        n = 2 * beats
        if len(self._rows) < n:
            return None
        rows = np.array([self._rows[-1 - k] for k in range(n)])
        far = np.sqrt(np.square(rows[:, None] - rows[None]).sum(-1))
        ago = np.arange(n) % beats
        for odd in range(beats):
            one = ago == odd
            alike = max(float(far[one][:, one].max()), float(far[~one][:, ~one].max()))
            apart = float(far[one][:, ~one].min())
            if apart > _APART * alike and apart > _LEAST * float(np.linalg.norm(rows[0])):
                return odd
        return None
