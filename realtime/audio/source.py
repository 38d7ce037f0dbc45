"""What every sound input is: a thing that can be read without waiting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Block(NamedTuple):
    """Sound that has arrived.

    Attributes
    ----------
    samples : ndarray of float32, shape (n, channels)
        Valid until the next ``read``; n ≥ 0, as large as what was there (bounded by the caller's `most`).
    first : int
        Index of the first frame in the capture stream (frames at the source's rate since start, lost ones
        included).
    lost : int
        Frames missing right before this block (overrun, device gap); already counted in `first`.
    host_time : float
        ``time.monotonic()`` seconds at which the LAST frame of the block entered the computer (for a paced
        file: at which it is "played"). The StreamClock filters it.
    """

    samples: npt.NDArray[np.float32]
    first: int
    lost: int
    host_time: float


@dataclass(slots=True)
class SourceStatus:
    """Counters a source keeps for the user; read from any thread."""

    frames: int = 0
    lost: int = 0
    overruns: int = 0
    reopened: int = 0
    connected: bool = True
    message: str = ""


class Source(ABC):
    """A sound input. Opened, read and closed by one thread (the fast lane).

    Attributes
    ----------
    name : str
        For people, e.g. the device's name.
    sample_rate : int
        Hz.
    channels : int
        Channels per frame that ``read`` gives (after channel selection).
    live : bool
        True: sound arrives in real time and cannot wait (device, pipe, paced file). False: as fast as asked.
    chosen : bool
        Whether it has just the channels that are wanted (a session that was recorded), so none are chosen again.
    latency : float
        Seconds between a sound at the input of the device and its frame being readable, as far as known.
    status : SourceStatus
    """

    name: str = ""
    sample_rate: int = 0
    channels: int = 0
    live: bool = True
    chosen: bool = False
    latency: float = 0.0

    def __init__(self) -> None:
        self.status = SourceStatus()

    @abstractmethod
    def open(self) -> None:
        """Acquire and start. Raises ``UserError`` (one line, with the remedy)."""

    @abstractmethod
    def read(self, most: int) -> Block | None:
        """What has arrived, at most `most` frames; a block of 0 frames if nothing; None at the end."""

    def wait(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for more sound. Default: sleep 1 ms at most."""
        import time

        time.sleep(min(timeout, 0.001))

    @abstractmethod
    def close(self) -> None:
        """Stop and release; may be called twice."""
