"""The shared front end: every rate, window and spectrum that plugins ask for is made once.

The fast lane pushes ticks of 240 frames at 48 kHz; the front end keeps one stream of samples per (rate,
channels) and one node per spectral spec; plugins read them through feeds, each at its own hop.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from realtime.audio.channels import mix_down
from realtime.audio.resample import StreamResampler
from realtime.hosting.plugin import ENGINE_RATE, TICK, AudioInput, InputSpec
from realtime.hosting.spectral import LogMelSpec, Spectrum, StftSpec, log_mel

F32 = npt.NDArray[np.float32]

_SLACK = 4 * TICK


class RateStream:
    """The newest samples at one rate, contiguous, right end = now.

    Parameters
    ----------
    rate : int
        Hz.
    channels : int
        1 or 2.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self.rate = rate
        self.channels = channels
        self._resampler = StreamResampler(ENGINE_RATE, rate, channels)
        self.delay = self._resampler.delay
        self.written = 0
        self._reach = 0
        self._origin = 0.0
        self._buffer = np.zeros((channels, 1), np.float32)
        self._end = 0
        self.reserve(1)

    def reserve(self, window: int) -> None:
        """Make sure that windows of that length can be read."""
        if window <= self._reach:
            return
        self._reach = window
        old = self._buffer[:, : self._end]
        grown = np.zeros((self.channels, 4 * window + 2 * _SLACK), np.float32)
        keep = min(self._end, window + _SLACK)
        grown[:, window + _SLACK - keep : window + _SLACK] = old[:, self._end - keep :]
        self._buffer, self._end = grown, window + _SLACK

    def push(self, samples: F32) -> None:
        """Append engine samples, shape ``(TICK, channels)``."""
        new = self._resampler.process(samples)
        n = len(new)
        if self._end + n > self._buffer.shape[1]:
            keep = self._reach + _SLACK
            self._buffer[:, :keep] = self._buffer[:, self._end - keep : self._end].copy()
            self._end = keep
        self._buffer[:, self._end : self._end + n] = new.T if new.ndim == 2 else new
        self._end += n
        self.written += n

    def window(self, end: int, length: int) -> F32:
        """Read-only view of the `length` samples before sample number `end` (counted since reset)."""
        stop = self._end - (self.written - end)
        view = self._buffer[:, stop - length : stop]
        view = view[0] if self.channels == 1 else view
        view.flags.writeable = False
        return view

    def time(self, end: int) -> float:
        """Stream seconds of the end of sample number ``end - 1``, the resampler's delay taken off."""
        return self._origin + end / self.rate - self.delay

    def restart(self, origin: float) -> None:
        """Forget all sound; the next sample is at `origin` stream seconds."""
        self._resampler.reset()
        self._buffer[:] = 0.0
        self._end = self._reach + _SLACK
        self.written = 0
        self._origin = origin


class SpectralNode:
    """Frames of one STFT, and log-mels on top, each computed at most once."""

    def __init__(self, stream: RateStream, spec: StftSpec) -> None:
        stream.reserve(spec.window)
        self.stream = stream
        self.spec = spec
        self._spectrum = Spectrum(spec)
        self._number = -1
        self._frame: F32 = np.zeros(spec.size, np.float32)
        self._mels: dict[LogMelSpec, F32] = {}

    def count(self) -> int:
        """Frames that exist so far."""
        return self.stream.written // self.spec.hop

    def frame(self, number: int, spec: StftSpec | LogMelSpec) -> F32:
        """Frame `number` (from 1) of `spec`; recomputed only if it is not the newest asked for."""
        if number != self._number:
            self._frame = self._spectrum.frame(self.stream.window(number * self.spec.hop, self.spec.window))
            self._frame.flags.writeable = False
            self._number = number
            self._mels.clear()
        if isinstance(spec, StftSpec):
            return self._frame
        mel = self._mels.get(spec)
        if mel is None:
            mel = self._mels[spec] = log_mel(self._frame, spec)
            mel.flags.writeable = False
        return mel

    def restart(self) -> None:
        """Forget the frames computed so far."""
        self._number = -1
        self._mels.clear()


@dataclass(slots=True)
class Feed:
    """One plugin's place in the stream it asked for."""

    stream: RateStream
    spec: InputSpec
    node: SpectralNode | None = None
    taken: int = field(default=0)

    def next(self) -> tuple[F32, float] | None:
        """The next block or frame and the stream time of its end; None if it is not there yet."""
        if not self.due():
            return None
        self.taken += 1
        end = self.taken * self.spec.hop
        if self.node is not None:
            assert not isinstance(self.spec, AudioInput)
            return self.node.frame(self.taken, self.spec), self.stream.time(end)
        assert isinstance(self.spec, AudioInput)
        return self.stream.window(end, self.spec.length), self.stream.time(end)

    def due(self) -> bool:
        """Whether there is a block to take."""
        return (self.taken + 1) * self.spec.hop <= self.stream.written

    def rewind(self) -> None:
        """Go to the newest hop: what was before is not delivered."""
        self.taken = self.stream.written // self.spec.hop


class FrontEnd:
    """All streams and spectral nodes of a host. Used by the fast lane's thread only."""

    def __init__(self) -> None:
        self._streams: dict[tuple[int, int], RateStream] = {}
        self._nodes: dict[StftSpec, SpectralNode] = {}
        self._ticks = 0
        self._origin = 0.0

    def feed(self, spec: InputSpec) -> Feed:
        """A feed for one plugin, starting now."""
        if isinstance(spec, AudioInput):
            stream = self._stream(spec.sample_rate, spec.channels)
            stream.reserve(spec.length)
            feed = Feed(stream, spec)
        else:
            stft = spec.stft if isinstance(spec, LogMelSpec) else spec
            stream = self._stream(stft.sample_rate, 1)
            node = self._nodes.get(stft)
            if node is None:
                node = self._nodes[stft] = SpectralNode(stream, stft)
            feed = Feed(stream, spec, node)
        feed.rewind()
        return feed

    def push(self, tick: F32) -> None:
        """Take one tick, shape ``(TICK, channels)`` at the engine rate, finite."""
        mono = mix_down(tick)
        stereo: F32 | None = None
        for (_, channels), stream in self._streams.items():
            if channels == 1:
                stream.push(mono)
            else:
                if stereo is None:
                    stereo = tick[:, :2] if tick.shape[1] >= 2 else np.repeat(tick, 2, axis=1)
                stream.push(stereo)
        self._ticks += 1

    def restart(self, origin: float) -> None:
        """Forget all sound; the next tick begins at `origin` stream seconds."""
        self._ticks = 0
        self._origin = origin
        for stream in self._streams.values():
            stream.restart(origin)
        for node in self._nodes.values():
            node.restart()

    def _stream(self, rate: int, channels: int) -> RateStream:
        stream = self._streams.get((rate, channels))
        if stream is None:
            stream = self._streams[rate, channels] = RateStream(rate, channels)
            stream.restart(self._origin + self._ticks * TICK / ENGINE_RATE)
        return stream
