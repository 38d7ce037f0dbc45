"""The shared front end: every rate, window and spectrum that plugins ask for is made once.

The fast lane appends sound in whole ticks (240 frames at 48 kHz) and then steps through them one by one. The
front end keeps one stream of samples per (rate, channels) and one node per spectral spec; plugins read through
feeds, each at its own hop. What has been appended is resampled and transformed when somebody first asks for it,
together with all that lies ready, so that a file costs less than live sound; the results are the same to the last
bit, and no feed gets anything before its tick has come.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from realtime.audio.channels import mix_down
from realtime.audio.resample import StreamResampler
from realtime.hosting.line import Line
from realtime.hosting.plugin import ENGINE_RATE, TICK, AudioInput, InputSpec
from realtime.hosting.spectral import LogMelSpec, Spectrum, StftSpec, log_mels

F32 = npt.NDArray[np.float32]

MOST_AHEAD = 32
"""Ticks that may be appended before they are stepped through."""

_LAG = 8
"""Ticks after which sound is resampled even if nobody has asked for it yet."""

_ROOM = (2 * MOST_AHEAD + _LAG + 4) * TICK
_BATCH = 64
"""Most frames of a spectrum that are computed at once."""


class RateStream:
    """The newest samples at one rate, contiguous, right end = now.

    Parameters
    ----------
    rate : int
        Hz.
    channels : int
        1 or 2.
    source : Line, optional
        Sound at the engine rate that is shared with other streams, taken from when needed; without it, sound is
        pushed.
    """

    def __init__(self, rate: int, channels: int, source: Line | None = None) -> None:
        self.rate = rate
        self.channels = channels
        self._resampler = StreamResampler(ENGINE_RATE, rate, channels)
        self.delay = self._resampler.delay
        self.written = 0
        self._source = source
        shared = source is not None and self._resampler.identity
        room = _ROOM * -(-rate // ENGINE_RATE)
        self._line = source if source is not None and shared else Line(channels, room)
        self._shared = shared
        self._first = self._line.written  # of the line's samples, the first that counts
        self._taken = 0 if source is None else source.written
        self._heard = 0
        self._ticks = 0
        self._origin = 0.0

    def reserve(self, window: int) -> None:
        """Make sure that windows of that length can be read."""
        self._line.reserve(window)

    def push(self, samples: F32) -> None:
        """Append engine samples, shape ``(n, channels)`` or ``(n,)``; they count as heard at once."""
        self._line.append(self._resampler.process(samples))
        self.written = self._line.written - self._first

    def step(self) -> None:
        """One more tick of the source counts as heard."""
        self._ticks += 1
        self.written = -(-self._ticks * TICK * self.rate // ENGINE_RATE)

    def pull(self, lag: int = 0) -> None:
        """Resample what the source has, if that is more than `lag` frames."""
        source = self._source
        if source is None or self._shared or source.written - self._taken <= lag:
            return
        new = source.written - self._taken
        thinning = self._resampler.thinning
        if thinning is None or self.channels != 1:
            heard = source.view(source.written, new)
            self._line.append(self._resampler.process(heard if self.channels == 1 else heard.T))
        else:  # the same as the resampler would give, without keeping the past a second time
            taps, ratio = thinning
            full = np.correlate(source.view(source.written, new + len(taps) - 1), taps, "valid")
            self._line.append(full[-self._heard % ratio :: ratio])
        self._taken = source.written
        self._heard += new

    def ready(self, end: int) -> int:
        """Samples that can be read already, heard or not; at least `end`."""
        if end > self._line.written - self._first:
            self.pull()
        return self._line.written - self._first

    def window(self, end: int, length: int) -> F32:
        """Read-only view of the `length` samples before sample number `end` (counted since reset)."""
        end += self._first
        if end > self._line.written:
            self.pull()
        return self._line.view(end, length)

    def time(self, end: int) -> float:
        """Stream seconds of the end of sample number ``end - 1``, the resampler's delay taken off."""
        return self._origin + end / self.rate - self.delay

    def restart(self, origin: float) -> None:
        """Forget all sound; the next sample is at `origin` stream seconds. A shared source is left as it is."""
        self._resampler.reset()
        if not self._shared:
            self._line.clear()
        if self._source is not None:
            self._taken = self._source.written
        self._first = self._line.written
        self.written = self._ticks = self._heard = 0
        self._origin = origin


class MelLayer:
    """The log-mel frames of one spec that lie ready."""

    def __init__(self, spec: LogMelSpec) -> None:
        self.spec = spec
        self.frames: list[F32] = []


class SpectralNode:
    """Frames of one STFT, and log-mels on top, each computed at most once."""

    def __init__(self, stream: RateStream, spec: StftSpec) -> None:
        stream.reserve(spec.window + _BATCH * spec.hop)
        self.stream = stream
        self.spec = spec
        self._spectrum = Spectrum(spec, _BATCH)
        self._first = 0
        self._frames: list[F32] = []
        self._batch: F32 = np.zeros((0, spec.size), np.float32)
        self._layers: dict[LogMelSpec, MelLayer] = {}

    def layer(self, spec: InputSpec) -> MelLayer | None:
        """What ``frame`` needs to give frames of `spec`."""
        return self._layers.setdefault(spec, MelLayer(spec)) if isinstance(spec, LogMelSpec) else None

    def frame(self, number: int, layer: MelLayer | None) -> F32:
        """Frame `number` (from 1), magnitudes or log-mel; computed with those after it that lie ready."""
        at = number - self._first
        if not 0 <= at < len(self._frames):
            self._compute(number)
            at = 0
        if layer is None:
            return self._frames[at]
        if not layer.frames:
            made = log_mels(self._batch, layer.spec)
            made.flags.writeable = False
            layer.frames = list(made)
        return layer.frames[at]

    def _compute(self, number: int) -> None:
        hop, window = self.spec.hop, self.spec.window
        count = min(_BATCH, max(1, self.stream.ready(number * hop) // hop - number + 1))
        samples = self.stream.window((number + count - 1) * hop, window + (count - 1) * hop)
        self._batch = self._spectrum.frames(samples, count)
        self._batch.flags.writeable = False
        self._frames = list(self._batch)
        self._first = number
        self._drop_mels()

    def restart(self) -> None:
        """Forget the frames computed so far."""
        self._first, self._frames = 0, []
        self._drop_mels()

    def _drop_mels(self) -> None:
        for layer in self._layers.values():
            layer.frames = []


@dataclass(slots=True)
class Feed:
    """One plugin's place in the stream it asked for."""

    stream: RateStream
    spec: InputSpec
    node: SpectralNode | None = None
    taken: int = 0
    _layer: MelLayer | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.node is not None:
            self._layer = self.node.layer(self.spec)

    def next(self) -> tuple[F32, float] | None:
        """The next block or frame and the stream time of its end; None if it is not there yet."""
        spec, stream = self.spec, self.stream
        end = (self.taken + 1) * spec.hop
        if end > stream.written:
            return None
        self.taken += 1
        if self.node is not None:
            return self.node.frame(self.taken, self._layer), stream.time(end)
        assert isinstance(spec, AudioInput)
        return stream.window(end, spec.window or spec.hop), stream.time(end)

    def due(self) -> bool:
        """Whether there is a block to take."""
        return (self.taken + 1) * self.spec.hop <= self.stream.written

    def rewind(self) -> None:
        """Go to the newest hop: what was before is not delivered."""
        self.taken = self.stream.written // self.spec.hop


class FrontEnd:
    """All streams and spectral nodes of a host. Used by the fast lane's thread only."""

    def __init__(self) -> None:
        self._lines: dict[int, Line] = {}
        self._streams: dict[tuple[int, int], RateStream] = {}
        self._nodes: dict[StftSpec, SpectralNode] = {}
        self._ticks = 0
        self._origin = 0.0

    def feed(self, spec: InputSpec) -> Feed:
        """A feed for one plugin, starting now; not while appended ticks have still to be stepped through."""
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

    def append(self, samples: F32) -> None:
        """Take some ticks of finite sound.

        Parameters
        ----------
        samples : ndarray of float32, shape (n * TICK, channels)
            At the engine rate; at most :data:`MOST_AHEAD` ticks that have not been stepped through.
        """
        for channels, line in self._lines.items():
            if channels == 1:
                line.append(mix_down(samples))
            else:
                line.append(samples[:, :2] if samples.shape[1] >= 2 else np.repeat(samples, 2, axis=1))
        for stream in self._streams.values():
            stream.pull(_LAG * TICK)

    def step(self) -> None:
        """Go on by one tick of what has been appended."""
        self._ticks += 1
        for stream in self._streams.values():
            stream.step()

    def push(self, tick: F32) -> None:
        """Take one tick, shape ``(TICK, channels)`` at the engine rate, finite, and step to its end."""
        self.append(tick)
        self.step()

    def restart(self, origin: float) -> None:
        """Forget all sound; the next tick begins at `origin` stream seconds."""
        self._ticks = 0
        self._origin = origin
        for line in self._lines.values():
            line.clear()
        for stream in self._streams.values():
            stream.restart(origin)
        for node in self._nodes.values():
            node.restart()

    def _stream(self, rate: int, channels: int) -> RateStream:
        stream = self._streams.get((rate, channels))
        if stream is None:
            line = self._lines.get(channels)
            if line is None:
                line = self._lines[channels] = Line(channels, _ROOM)
                line.reserve(_ROOM)
            stream = self._streams[rate, channels] = RateStream(rate, channels, line)
            stream.restart(self._origin + self._ticks * TICK / ENGINE_RATE)
        return stream
