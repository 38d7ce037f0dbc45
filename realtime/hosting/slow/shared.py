"""What the fast lane and the slow lane's workers see at once: the sound, and one block of figures per worker.

Both live in anonymous shared memory that goes with its last process, however that ends: nothing to clean up.
"""

from __future__ import annotations

import ctypes
import multiprocessing as mp
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from realtime.audio.channels import mix_down
from realtime.audio.ring import AudioRing
from realtime.hosting.plugin import ENGINE_RATE

F32 = npt.NDArray[np.float32]

FRAMES = 1 << 21
"""Frames of sound that are kept for the slow lane (43.7 s at 48 kHz)."""

LONGEST = 40.0
"""Longest window of a slow plugin, seconds; the rest of the ring is for being late."""

_SEQUENCE, _PLACE, _ORIGIN = 0, 1, 2


class Epoch(NamedTuple):
    """A stretch of sound without a jump: since which frame of the ring, and the stream seconds of that frame."""

    number: int
    place: int
    origin: float


class Sound:
    """The engine's sound in shared memory; written by the fast lane, read by any number of processes.

    Parameters
    ----------
    channels : int
        Of the engine's sound. One or two are kept as they are; of more, the first two and the mean of all.
    frames : int
        Length, rounded up to a power of two.

    Notes
    -----
    Can be handed to a process at its start (not later). ``write`` and ``jump`` belong to the fast lane.
    """

    def __init__(self, channels: int, frames: int = FRAMES) -> None:
        context = mp.get_context("spawn")
        self._channels = min(channels, 3)
        self._frames = frames
        self._memory: Any = context.RawArray(ctypes.c_ubyte, AudioRing.size(frames, self._channels))
        self._marks: Any = context.RawArray(ctypes.c_double, 3)
        self._attach(attach=False)
        self._wide = np.empty((0, 3), np.float32)

    def _attach(self, attach: bool) -> None:
        self.ring = AudioRing(self._frames, self._channels, memoryview(self._memory), attach)
        self._epoch = np.frombuffer(memoryview(self._marks), np.float64)

    def __getstate__(self) -> dict[str, Any]:
        return {n: getattr(self, n) for n in ("_channels", "_frames", "_memory", "_marks", "_wide")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._attach(attach=True)

    # -- fast lane ----------------------------------------------------------------------------------------

    def write(self, tick: F32) -> None:
        """Take one tick of the engine's sound, shape (n, channels)."""
        if tick.shape[1] > 2:
            if len(self._wide) != len(tick):
                self._wide = np.empty((len(tick), 3), np.float32)
            self._wide[:, :2] = tick[:, :2]
            self._wide[:, 2] = mix_down(tick)
            tick = self._wide
        self.ring.write(tick)

    def jump(self, origin: float) -> None:
        """The next frame is at `origin` stream seconds, and nothing before it belongs to it."""
        number = self._epoch[_SEQUENCE]
        self._epoch[_SEQUENCE] = number + 1.0  # odd: being changed
        self._epoch[_PLACE] = float(self.ring.written)
        self._epoch[_ORIGIN] = origin
        self._epoch[_SEQUENCE] = number + 2.0

    # -- anybody ------------------------------------------------------------------------------------------

    def epoch(self) -> Epoch:
        """The stretch of sound that is being written."""
        while True:
            before = self._epoch[_SEQUENCE]
            found = Epoch(int(before), int(self._epoch[_PLACE]), float(self._epoch[_ORIGIN]))
            if before % 2 == 0 and self._epoch[_SEQUENCE] == before:
                return found

    def now(self) -> float:
        """Stream seconds of the newest frame."""
        epoch = self.epoch()
        return epoch.origin + (self.ring.written - epoch.place) / ENGINE_RATE

    @staticmethod
    def mono(frames: F32) -> F32:
        """Frames of the ring as one channel, shape (n, channels) → (n,)."""
        return frames[:, 2] if frames.shape[1] == 3 else mix_down(frames)

    @staticmethod
    def stereo(frames: F32) -> F32:
        """Frames of the ring as two channels, shape (n, 2)."""
        return frames[:, :2] if frames.shape[1] >= 2 else np.repeat(frames, 2, axis=1)


FIELDS = (
    "busy_since",  # time.monotonic() at which the call that runs began; 0 = none does
    "beat",  # time.monotonic() of the worker's last sign of life between calls
    "ready",  # 1 = prepared
    "enabled",  # 1 = takes part; 0 = turned off, by somebody or after failures
    "calls",
    "drops",  # windows that were left out
    "gaps",  # times at which the worker was too slow for the ring
    "errors",
    "cost",  # seconds, median of the recent calls
    "cost_p99",
    "cost_max",
    "load",  # share of a core that it would take without pauses
    "time",  # stream seconds of the end of the newest sound that was worked on
    "lag",  # seconds from that end to the result
    "memory",  # MB, as the worker itself sees it
    "duty",  # written by the host: share of a core that it may take
    "cancel",  # written by the host: number of the job that is to end
)


class Board:
    """Figures of one worker, in shared memory: each a float that one side writes and both read, without locks."""

    def __init__(self) -> None:
        self._memory: Any = mp.get_context("spawn").RawArray(ctypes.c_double, len(FIELDS))
        self._view: Any = np.frombuffer(memoryview(self._memory), np.float64)

    def __getstate__(self) -> dict[str, Any]:
        return {"_memory": self._memory}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._memory = state["_memory"]
        self._view = np.frombuffer(memoryview(self._memory), np.float64)

    def __getitem__(self, field: str) -> float:
        return float(self._view[FIELDS.index(field)])

    def __setitem__(self, field: str, value: float) -> None:
        self._view[FIELDS.index(field)] = value

    def clear(self) -> None:
        """A new worker begins: what it writes itself starts anew."""
        for field in FIELDS:
            if field not in ("duty", "cancel", "drops", "gaps", "errors", "calls"):
                self[field] = 0.0


class WorkerCost:
    """What the calls take, as the worker measures it; the shape of :class:`~realtime.hosting.slot.Cost`."""

    def __init__(self, board: Board) -> None:
        self._board = board

    @property
    def calls(self) -> int:
        """How many there were."""
        return int(self._board["calls"])

    def percentiles(self) -> tuple[float, float, float]:
        """p50, p99 and maximum of the recent calls, seconds."""
        return self._board["cost"], self._board["cost_p99"], self._board["cost_max"]
