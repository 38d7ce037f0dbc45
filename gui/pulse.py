"""The one timer of the window: newest data in, pictures out, and what that takes."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer

FAST, SLOW = 16, 33
"""Milliseconds between two frames: 60 a second where drawing is quick, else 30."""

QUICK = 0.005
"""Seconds a frame may take (median) for the fast rhythm."""

_KEPT = 512


class Pulse(QObject):
    """Calls `frame` 30 to 60 times a second.

    Parameters
    ----------
    frame : callable
        Takes in the newest data and marks what is to be painted.
    """

    def __init__(self, frame: Callable[[], None]) -> None:
        super().__init__()
        self._frame = frame
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(FAST)
        self._timer.timeout.connect(self.beat)
        self._spent, self._worked = np.zeros(_KEPT), np.zeros(_KEPT)
        self.frames = 0
        self._current = self._labour = 0.0

    def start(self) -> None:
        """Begin."""
        self._timer.start()

    def stop(self) -> None:
        """No more frames."""
        self._timer.stop()

    def beat(self) -> None:
        """One frame."""
        self._spent[self.frames % _KEPT], self._worked[self.frames % _KEPT] = self._current, self._labour
        self.frames += 1
        start, cpu = time.perf_counter(), time.thread_time()
        self._frame()
        self._current, self._labour = time.perf_counter() - start, time.thread_time() - cpu
        if self.frames % 64 == 0:
            usual = float(np.median(self.spent()))
            wanted = FAST if usual < QUICK else SLOW if usual > 1.3 * QUICK else self._timer.interval()
            if wanted != self._timer.interval():
                self._timer.setInterval(wanted)

    def painted(self, seconds: float, labour: float) -> None:
        """The window was painted after this frame; that counts as part of it (by the clock, and CPU time)."""
        self._current += seconds
        self._labour += labour

    def latest(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Seconds of the last `count` frames that are finished (at most 512 are kept): clock, and CPU."""
        at = np.arange(max(0, self.frames - min(count, _KEPT)), self.frames) % _KEPT
        return self._spent[at], self._worked[at]

    def spent(self) -> np.ndarray:
        """Seconds that recent frames took, painting included."""
        return self._spent[: min(self.frames, _KEPT)]
