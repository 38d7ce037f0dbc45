"""Which instant of the computer's clock belongs to which frame of the sound."""

from __future__ import annotations

import math
from typing import NamedTuple

_WINDOW, _FIRST_WINDOW = 0.3, 0.1
"""Seconds of observations of which the least late one steers the loop: settled, and at the start."""
_START = 2.0
"""Seconds that the start lasts."""
_SLOWEST, _FASTEST = 0.03, 0.5
"""Bandwidth of the loop, Hz: settled, and at the start."""
_STEP = 0.003
"""Steps above this (s) are followed at once: earlier ones as soon as they show, for no delay explains them; later
ones if two windows in a row show them."""
_RESTART = 0.02
"""Steps above this (s) count as an interruption."""
_MOST_PPM = 2000.0


class _Line(NamedTuple):
    """time = time0 + (frame - frame0) * period"""

    frame: int
    time: float
    period: float


class StreamClock:
    """Maps frames of the capture stream to ``time.monotonic()`` and back.

    A delay-locked loop follows the pairs (frame, time of its arrival). A read is never early, only late, by
    whatever the scheduler of the computer adds; so of each window of 0.1–0.3 s only the least late pair
    steers the loop. The loop begins wide to find the rate, and narrows while it runs.

    :meth:`observe` belongs to one thread (the fast lane). All else may be called from any thread: it reads
    one immutable snapshot.

    Parameters
    ----------
    sample_rate : int
        Nominal rate of the stream, Hz.

    References
    ----------
    F. Adriaensen, "Using a DLL to filter time", Linux Audio Conference 2005.
    """

    def __init__(self, sample_rate: int) -> None:
        if sample_rate < 1:
            raise ValueError("sample rate must be positive")
        self.sample_rate = sample_rate
        self._nominal = 1.0 / sample_rate
        self.restarts = 0
        self._line: _Line | None = None
        self._period = self._nominal
        self._began = 0.0
        self._last = 0
        self._window_start = 0
        self._least = math.inf
        self._least_frame = 0
        self._late = 0.0

    @property
    def running(self) -> bool:
        """Whether anything has been observed yet; before that, frame 0 is taken to be at time 0."""
        return self._line is not None

    @property
    def ppm(self) -> float:
        """How much faster than nominal the device runs against the computer's clock, parts per million."""
        return (self._nominal / self._period - 1.0) * 1e6

    def restart(self) -> None:
        """Forget the offset (the rate is kept): the next observation sets it anew."""
        self._line = None

    def observe(self, frame: int, host_time: float) -> None:
        """Take note that the stream had reached `frame` (frames so far) at `host_time`, or a little before.

        Parameters
        ----------
        frame : int
            Frames captured so far, lost ones included (index after the newest one).
        host_time : float
            ``time.monotonic()`` seconds.
        """
        line = self._line
        if line is None or frame < self._last:
            self._begin(frame, host_time)
            return
        self._last = frame
        error = host_time - (line.time + (frame - line.frame) * line.period)
        starting = host_time - self._began < _START
        if error < -_RESTART and not starting:
            self._begin(frame, host_time)
            return
        if error < self._least:
            self._least, self._least_frame = error, frame
            if error < 0 and starting:
                # At the start the first pair may be the late one; do not wait for the window to end.
                self._line = _Line(frame, host_time, line.period)
                self._least = 0.0
        if (frame - self._window_start) * self._nominal >= (_FIRST_WINDOW if starting else _WINDOW):
            self._steer(frame, host_time)

    def _steer(self, frame: int, host_time: float) -> None:
        line = self._line
        assert line is not None
        error, at = self._least, self._least_frame
        frames = frame - self._window_start
        self._window_start, self._least = frame, math.inf
        if error < -_STEP or (error > _STEP and self._late > _STEP):
            step = min(error, self._late) if error > 0 else error
            self._late = 0.0
            self.restarts += abs(step) > _RESTART
            self._line = _Line(at, line.time + (at - line.frame) * line.period + step, line.period)
            return
        self._late = error
        if error > _STEP:
            return
        age = max(host_time - self._began, _FIRST_WINDOW)
        bandwidth = min(_FASTEST, max(_SLOWEST, 0.5 / age))
        omega = min(2 * math.pi * bandwidth * frames * self._nominal, 0.5)
        period = line.period + omega * omega * error / frames
        period = min(max(period, self._nominal / (1 + _MOST_PPM * 1e-6)), self._nominal * (1 + _MOST_PPM * 1e-6))
        time = line.time + (at - line.frame) * line.period + math.sqrt(2) * omega * error
        self._period = period
        self._line = _Line(at, time, period)

    def _begin(self, frame: int, host_time: float) -> None:
        if self._line is not None:
            self.restarts += 1
        self._began = host_time
        self._last = self._window_start = self._least_frame = frame
        self._least = 0.0
        self._late = 0.0
        self._line = _Line(frame, host_time, self._period)

    def host_time(self, frame: float) -> float:
        """``time.monotonic()`` seconds at which the stream reaches (or reached) `frame`."""
        line = self._line
        if line is None:
            return frame * self._nominal
        return line.time + (frame - line.frame) * line.period

    def frame(self, host_time: float) -> float:
        """Frame (with fraction) that the stream reaches at `host_time`."""
        line = self._line
        if line is None:
            return host_time * self.sample_rate
        return line.frame + (host_time - line.time) / line.period

    def stream_seconds(self, host_time: float) -> float:
        """Stream time at `host_time`: frames divided by the nominal rate."""
        return self.frame(host_time) * self._nominal

    def host_time_at(self, stream_seconds: float) -> float:
        """``time.monotonic()`` seconds at which the stream reaches `stream_seconds`."""
        return self.host_time(stream_seconds * self.sample_rate)
