"""Notes out of the activations of overlapping windows: each instant is judged once, so no note comes twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

EDGE = 15
"""Frames at either end of a window that are not judged, only looked at: there the network lacks context."""

LONGEST = EDGE - 2
"""Frames ahead that a judgement may need."""

_RELEASE = 11  # frames below the threshold that end a note
_REST = 5  # least frames between two strikes of one key
_FILLED = 0.7  # share of the shortest length that must sound


class Note(NamedTuple):
    """A key (0 = lowest) struck or released, at `time` seconds of the stream."""

    time: float
    key: int
    starts: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """Activation of an onset, of a sounding note, and the shortest note in frames."""

    onset: float = 0.5
    frame: float = 0.3
    length: int = 11


class Notes:
    """What has been struck and not yet released.

    Parameters
    ----------
    keys : int
    step : float
        Seconds between frames.

    Notes
    -----
    A strike is a peak of the onset activation above the limit, after which the note sounds for most of the
    shortest length. A key that already sounds needs an onset halfway between the limit and 1 to be struck again:
    the onset of another key often shows in it. A note ends where it is below its limit for 128 ms. All that
    looks ahead by up to 13 frames, which the window still holds.
    """

    def __init__(self, keys: int, step: float) -> None:
        self._keys, self._step = keys, step
        self.reset()

    def reset(self) -> None:
        """Nothing sounds, nothing has been heard."""
        self.sounding = np.zeros(self._keys, np.bool_)
        self._struck = np.full(self._keys, -np.inf)
        self._seen = -np.inf

    def process(self, onsets: F32, frames: F32, start: float, limits: Limits) -> list[Note]:
        """Judge what is new in a window.

        Parameters
        ----------
        onsets, frames : ndarray, shape (n, keys)
            Activations, 0–1.
        start : float
            Stream seconds of the first frame.
        limits : Limits
        """
        first, last = EDGE, len(frames) - EDGE
        fresh = int(np.ceil((self._seen - start) / self._step + 1e-6)) if np.isfinite(self._seen) else first
        found: list[Note] = []
        if fresh < first:  # sound was left out: what sounded before it is over
            found = [Note(self._seen, int(k), False) for k in np.flatnonzero(self.sounding)]
            self.sounding[:] = False
        for i in range(max(first, fresh), last):
            time = start + i * self._step
            found += self._judge(onsets, frames, i, time, limits)
            self._seen = time
        return found

    def _judge(self, onsets: F32, frames: F32, i: int, time: float, limits: Limits) -> list[Note]:
        loud = frames[i : i + _RELEASE] >= limits.frame
        ended = self.sounding & ~loud.any(axis=0)
        least = np.where(self.sounding, (1 + limits.onset) / 2, limits.onset)
        peak = (onsets[i] >= least) & (onsets[i] > onsets[i - 1]) & (onsets[i] >= onsets[i + 1])
        struck = peak & (time - self._struck > (_REST - 0.5) * self._step)
        struck &= (frames[i : i + limits.length] >= limits.frame).mean(axis=0) >= _FILLED
        if not (ended.any() or struck.any()):
            return []
        over = ended | (self.sounding & struck)
        self.sounding = (self.sounding & ~over) | struck
        self._struck[struck] = time
        found = [Note(time, int(k), False) for k in np.flatnonzero(over)]
        return found + [Note(time, int(k), True) for k in np.flatnonzero(struck)]
