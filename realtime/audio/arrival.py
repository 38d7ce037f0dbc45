"""Frames that a device has silently dropped, found by when the others arrive."""

from __future__ import annotations

import math

_WINDOW = 0.25
_SETTLE = 1.0
"""Seconds after the start in which a sound server hands over what it pleases."""
_THRESHOLD = 0.02
_FOLLOW = 0.2


class DropDetector:
    """Tells how many frames are missing when sound begins to arrive later than its count says.

    Each observation is late by the unsteadiness of the computer, but the least late one of a quarter second
    moves only with the drift of the device's clock, slowly; a step of more than 20 ms means that the device
    (or its driver, or a sound server) has dropped that much.

    Parameters
    ----------
    sample_rate : int
        Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self.restart()

    def restart(self) -> None:
        """Begin anew, after the stream has been opened again."""
        self._start = math.nan
        self._base = math.inf
        self._least = math.inf
        self._window = 0.0

    def observe(self, frame: int, host_time: float) -> int:
        """Take note that the stream had reached `frame` by `host_time` (s). Returns frames found missing.

        The caller adds the missing ones to the frames it gives from then on.
        """
        late = host_time - frame / self._rate
        if math.isnan(self._start):
            self._start = self._window = host_time
        self._least = min(self._least, late)
        if host_time - self._start < _SETTLE:
            self._base = self._least
            return 0
        if host_time - self._window < _WINDOW:
            return 0
        step = self._least - self._base
        self._window, self._least = host_time, math.inf
        if step > _THRESHOLD:
            return round(step * self._rate)
        self._base += _FOLLOW * step
        return 0
