"""A worker's own way into the sound: its cursor in the shared ring, resampled and cut as its plugin wants it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from realtime.audio.resample import StreamResampler
from realtime.audio.ring import Reader
from realtime.hosting.frontend import Feed
from realtime.hosting.layers import SpectralNode
from realtime.hosting.plugin import ENGINE_RATE, TICK, AudioInput, InputSpec
from realtime.hosting.ratestream import RateStream
from realtime.hosting.slow.shared import Sound

F32 = npt.NDArray[np.float32]


class Ear:
    """Follows the sound for one plugin. Used by one thread.

    Parameters
    ----------
    sound : Sound
    spec : InputSpec
        What the plugin is given.

    Attributes
    ----------
    feed : Feed
        Where the plugin's blocks come from. Hops are counted from the start of the sound, as in the fast lane,
        wherever this ear has begun to listen.
    gaps, lost : int
        Times and frames that the ring was overwritten before this ear came.
    """

    def __init__(self, sound: Sound, spec: InputSpec) -> None:
        self.gaps = self.lost = 0
        self._sound = sound
        self._spec = spec
        self._hop = spec.hop * ENGINE_RATE // spec.sample_rate
        stft = spec if isinstance(spec, AudioInput) else spec.stft
        self._length = stft.length if isinstance(stft, AudioInput) else stft.window
        self._channels = stft.channels if isinstance(stft, AudioInput) else 1
        self._stream = RateStream(stft.sample_rate, self._channels)
        self._stream.reserve(self._length)
        node = None if isinstance(stft, AudioInput) else SpectralNode(self._stream, stft)
        self.feed = Feed(self._stream, spec, node)
        self._base = 0  # number of the hop at which the stream begins
        self._last = -1  # number of the hop that was delivered last; -1 = none
        self._epoch = sound.epoch()
        self._reader: Reader = sound.ring.reader()
        self._begin()

    def listen(self) -> int:
        """Take all sound that is new.

        Returns
        -------
        int
            Engine frames that are missing before the newest sound, beyond what the plugin's window holds: it has
            to be told by ``skipped``; 0 = the sound goes on.
        """
        epoch = self._sound.epoch()
        if epoch != self._epoch:
            missing = round((epoch.origin - self._now()) * ENGINE_RATE)
            self._epoch = epoch
            self._last = -1
            self._begin()
            return max(1, missing)
        behind = self._sound.ring.written - self._reader.position
        if behind > self._reach() + 2 * self._hop:
            oldest = self._sound.ring.written - self._sound.ring.capacity
            lost = max(0, oldest - self._reader.position)
            if lost:
                self.gaps += 1
                self.lost += lost
            self._begin()
            return max(lost, self._pull())
        return self._pull()

    def rewind(self) -> None:
        """Go to the newest block: what was before is not delivered, and does not count as left out."""
        self.feed.rewind()
        self._last = -1

    def newest(self) -> int:
        """Make the newest block, which must be there, the next one; returns how many are left out for it."""
        self.feed.go_to(max(self.feed.taken, self._stream.written // self._spec.hop - 1))
        number = self._base + self.feed.taken
        left_out = number - self._last - 1 if self._last >= 0 else 0
        self._last = number
        return left_out

    def wait(self) -> float:
        """Seconds until there is sound for the next block, if it comes in real time."""
        missing = (self.feed.taken + 1) * self._spec.hop - self._stream.written
        return max(0.0, missing / self._spec.sample_rate)

    # -- inside -------------------------------------------------------------------------------------------

    def _reach(self) -> int:
        """Engine frames that the newest window takes, with what the resampler needs before it."""
        window = math.ceil(self._length * ENGINE_RATE / self._spec.sample_rate)
        return window + self._hop + 2 * math.ceil(self._stream.delay * ENGINE_RATE) + TICK

    def _now(self) -> float:
        return self._epoch.origin + (self._reader.position - self._epoch.place) / ENGINE_RATE

    def _begin(self) -> None:
        """Listen from so far back that the newest window is whole, on the grid of hops of the fast lane."""
        ring, start = self._sound.ring, self._epoch.place
        oldest = max(start, ring.written - ring.capacity + ENGINE_RATE)
        wanted = max(oldest, ring.written - self._reach())
        hops = (wanted - start) // self._hop
        if start + hops * self._hop < oldest:
            hops += 1
        self._base = hops
        self._reader.position = start + hops * self._hop
        self._stream.restart(self._now())
        if self.feed.node is not None:
            self.feed.node.restart()
        self.feed.go_to(0)
        skipped = ring.written - self._reader.position
        if skipped > 0:
            self._pull()
        self.feed.go_to(max(0, self._stream.written // self._spec.hop - 1))

    def _pull(self) -> int:
        """Bring what the ring has, tick by tick, into the stream; returns frames that were lost."""
        ring = self._sound.ring
        lost = 0
        while ring.written - self._reader.position >= TICK:
            view = self._reader.read(TICK)
            frames = view.samples
            part = Sound.mono(frames) if self._channels == 1 else Sound.stereo(frames)
            self._stream.push(part)
            if view.lost or not self._reader.valid(view):
                self.gaps += 1
                self.lost += view.lost
                lost += max(view.lost, TICK)
        return lost


def snippet(sound: Sound, spec: AudioInput, end: float | None = None) -> tuple[F32, float] | None:
    """The `spec.length` samples that end at `end` stream seconds (None = now), and the time at which they end.

    Sound before the stream began, or that the ring no longer has, is zero. None: the sound is not there yet.
    """
    epoch, ring = sound.epoch(), sound.ring
    resampler = StreamResampler(ENGINE_RATE, spec.sample_rate, spec.channels)
    delay = math.ceil(resampler.delay * ENGINE_RATE)
    last = ring.written if end is None else epoch.place + round((end - epoch.origin) * ENGINE_RATE) + delay
    if last > ring.written:
        return None
    frames = math.ceil(spec.length * ENGINE_RATE / spec.sample_rate) + 4 * delay + TICK
    # Whole samples of the plugin's rate lie a whole number of ticks apart.
    first = epoch.place + (last - frames - epoch.place) // TICK * TICK
    kept = max(first, epoch.place, ring.written - ring.capacity + 1)
    x = np.zeros((last - first, spec.channels), np.float32)
    if last > kept:
        held = ring.reader(from_now=False)
        held.position = kept
        view = held.read(last - kept)
        part = Sound.mono(view.samples)[:, None] if spec.channels == 1 else Sound.stereo(view.samples)
        if len(part):
            x[len(x) - len(part) :] = part
    y = resampler.process(x)[-spec.length :]
    block = np.ascontiguousarray(y[:, 0] if spec.channels == 1 else y.T)
    block.flags.writeable = False
    return block, epoch.origin + (last - epoch.place) / ENGINE_RATE - resampler.delay
