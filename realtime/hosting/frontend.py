"""The shared front end: every rate, window and spectrum that plugins ask for is made once.

The fast lane appends sound in whole ticks (240 frames at 48 kHz) and then steps through them one by one. The
front end keeps one stream of samples per (rate, channels) and one node per spectral spec; plugins read through
feeds, each at its own hop. What has been appended is resampled and transformed when somebody first asks for it,
together with all that lies ready, so that a file costs less than live sound; the results are the same to the last
bit, and no feed gets anything before its tick has come.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realtime.audio.channels import mix_down
from realtime.audio.resample import StreamResampler
from realtime.hosting.line import Line
from realtime.hosting.plugin import ENGINE_RATE, TICK, AudioInput, Beside, InputSpec
from realtime.hosting.spectral import (
    FluxSpec,
    LogMelSpec,
    Mel,
    Rises,
    SpectralSpec,
    Spectrum,
    StftSpec,
    logarithm,
)

F32 = npt.NDArray[np.float32]

MOST_AHEAD = 32
"""Ticks that may be appended before they are stepped through."""

_ROOM = (2 * MOST_AHEAD + 4) * TICK
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
        Sound at the engine rate that is shared with other streams; without it, sound is pushed.

    Attributes
    ----------
    ticks : int
        Ticks of the source that count as heard since the last restart; more may lie ready.
    """

    def __init__(self, rate: int, channels: int, source: Line | None = None) -> None:
        self.rate = rate
        self.channels = channels
        self.ticks = 0
        self._resampler = StreamResampler(ENGINE_RATE, rate, channels)
        self.delay = self._resampler.delay
        self._thinner = self._resampler.thinner(TICK)
        self._pushed = source is None
        self._source = source or Line(channels, _ROOM)
        self._shared = self._resampler.identity
        self._line = self._source if self._shared else Line(channels, _ROOM * -(-rate // ENGINE_RATE))
        if self._thinner is not None:
            self._source.reserve(self._thinner.length)
        self._first = self._line.written  # of the line's samples, the first that counts
        self._taken = self._source.written
        self._origin = 0.0

    @property
    def written(self) -> int:
        """Samples heard since the last restart."""
        return -(-self.ticks * TICK * self.rate // ENGINE_RATE)

    def reserve(self, window: int) -> None:
        """Make sure that windows of that length can be read."""
        self._line.reserve(window)

    def push(self, tick: F32) -> None:
        """Append one tick of engine samples, shape ``(TICK, channels)`` or ``(TICK,)``; it counts as heard."""
        self._source.append(tick)
        self.ticks += 1
        self.pull()

    def pull(self) -> None:
        """Resample what the source has."""
        source, thinner = self._source, self._thinner
        if self._shared or self._taken == source.written:
            return
        if thinner is None:
            heard = source.view(source.written, source.written - self._taken)
            self._line.append(self._resampler.process(heard if self.channels == 1 else heard.T))
            self._taken = source.written
            return
        while self._taken < source.written:
            self._taken += TICK
            heard = source.view(self._taken, thinner.length)
            place = self._line.place(thinner.made)
            if self.channels == 1:
                thinner.process(heard, place)
            else:
                for channel, row in zip(heard, place):
                    thinner.process(channel, row)

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
        if self._pushed:
            self._source.clear()
        if not self._shared:
            self._line.clear()
        self._taken = self._source.written
        self._first = self._line.written
        self.ticks = 0
        self._origin = origin


class SpectralNode:
    """Frames of one STFT; those that lie ready are transformed together."""

    def __init__(self, stream: RateStream, spec: StftSpec) -> None:
        stream.reserve(spec.window + _BATCH * spec.hop)
        self.stream = stream
        self.spec = spec
        self._spectrum = Spectrum(spec, _BATCH)
        self._layers: dict[SpectralSpec, Layer] = {}
        self._mels: dict[LogMelSpec, MelLayer] = {}
        self._first = 0  # number of the first of the frames that lie ready
        self._frames: F32 = np.zeros((0, spec.size), np.float32)

    def layer(self, spec: SpectralSpec) -> Layer:
        """Frames of `spec` on top of this."""
        layer = self._layers.get(spec)
        if layer is None:
            if isinstance(spec, FluxSpec):
                layer = FluxLayer(self, spec)
            else:
                layer = LogMelLayer(self, spec) if isinstance(spec, LogMelSpec) else Layer(self, spec)
            self._layers[spec] = layer
        return layer

    def levels(self, spec: LogMelSpec) -> MelLayer:
        """Mel bands for a layer on top of them."""
        if spec not in self._mels:
            self._mels[spec] = MelLayer(self, spec)
        return self._mels[spec]

    def frame(self, number: int) -> F32:
        """Magnitudes of frame `number` (from 1)."""
        at = number - self._first
        if not 0 <= at < len(self._frames):
            hop, window = self.spec.hop, self.spec.window
            count = min(_BATCH, max(1, self.stream.ready(number * hop) // hop - number + 1))
            samples = self.stream.window((number + count - 1) * hop, window + (count - 1) * hop)
            self._first, self._frames, at = number, self._spectrum.frames(samples, count), 0
        return self._frames[at]

    def restart(self) -> None:
        """Forget the sound so far."""
        self._first, self._frames = 0, self._frames[:0]
        for layer in self._layers.values():
            layer.number = 0
        for mel in self._mels.values():
            mel.restart()


class Layer:
    """Frames of one spec, each made once, for whoever asks first.

    Attributes
    ----------
    number : int
        Of the frame that was made last; 0 = none.
    """

    def __init__(self, node: SpectralNode, spec: SpectralSpec) -> None:
        self.number = 0
        self._node = node
        self._frame = np.zeros(spec.size, np.float32)

    def frame(self, number: int) -> F32:
        """Frame `number` (from 1)."""
        if number != self.number:
            self._frame = self._make(number)
            self._frame.flags.writeable = False
            self.number = number
        return self._frame

    def _make(self, number: int) -> F32:
        return self._node.frame(number)


class MelLayer:
    """Mel bands before the logarithm, which log-mels, flux and plugins share; the newest frames are kept."""

    def __init__(self, node: SpectralNode, spec: LogMelSpec) -> None:
        self._node = node
        self._mel = Mel(spec)
        self._kept = np.zeros((_BATCH, spec.size), np.float32)
        self.restart()

    def frame(self, number: int) -> F32:
        """Frame `number` (from 1)."""
        at = number % _BATCH
        row = self._kept[at]
        if self._numbers[at] != number:
            self._mel.levels(self._node.frame(number), row)
            self._numbers[at] = number
        return row

    def restart(self) -> None:
        """Forget the frames so far."""
        self._numbers = [0] * _BATCH


class Levels:
    """Frames of mel bands beside the sound of a plugin."""

    def __init__(self, layer: MelLayer, wanted: Beside, hop: int) -> None:
        self._layer, self._ago = layer, wanted.ago
        self._each = hop // wanted.mel.hop
        self._given = np.zeros((len(wanted.ago), wanted.mel.bands), np.float32)

    def __call__(self, taken: int) -> F32:
        """For block number `taken` (from 1): shape ``(len(ago), bands)``, overwritten by the next call."""
        newest, frame = taken * self._each, self._layer.frame
        for row, ago in zip(self._given, self._ago):
            row[:] = frame(newest - ago)
        return self._given


class LogMelLayer(Layer):
    """Log-mels."""

    def __init__(self, node: SpectralNode, spec: LogMelSpec) -> None:
        super().__init__(node, spec)
        self._levels = node.levels(spec)

    def _make(self, number: int) -> F32:
        return logarithm(self._levels.frame(number))


class FluxLayer(Layer):
    """Rises of mel bands, over the frames before as far as these were made."""

    def __init__(self, node: SpectralNode, spec: FluxSpec) -> None:
        super().__init__(node, spec)
        self._levels = node.levels(spec.mel)
        self._rises = Rises(spec)

    def _make(self, number: int) -> F32:
        if not self.number or number != self.number + 1:
            self._rises.reset()
        return self._rises.take(self._levels.frame(number))


class Feed:
    """One plugin's place in the stream it asked for.

    Parameters
    ----------
    stream : RateStream
    spec : AudioInput or spectral spec
    node : SpectralNode, optional
        Where the frames of a spectral spec come from.
    levels : Levels, optional
        What the plugin wants beside the sound.

    Attributes
    ----------
    taken : int
        Blocks taken, or left out, since the stream's last restart.
    due_at : int
        The stream's tick with which the next block is there.
    """

    def __init__(
        self,
        stream: RateStream,
        spec: InputSpec,
        node: SpectralNode | None = None,
        levels: Levels | None = None,
    ) -> None:
        self.stream, self.spec, self.node, self.levels = stream, spec, node, levels
        self._hop, self._span = spec.hop, TICK * stream.rate
        self._length = spec.length if isinstance(spec, AudioInput) else spec.window
        self._frames = None if node is None or isinstance(spec, AudioInput) else node.layer(spec)
        self.go_to(0)

    def go_to(self, taken: int) -> None:
        """Have the block after so many be the next one."""
        self.taken = taken
        self.due_at = ((taken + 1) * self._hop - 1) * ENGINE_RATE // self._span + 1

    def due(self) -> bool:
        """Whether there is a block to take."""
        return self.stream.ticks >= self.due_at

    def next(self) -> tuple[F32, float] | None:
        """The next block or frame and the stream time of its end; None if it is not there yet."""
        return self.take() if self.due() else None

    def take(self) -> tuple[F32, float]:
        """The next block or frame, which is due, and the stream time of its end."""
        stream, frames = self.stream, self._frames
        number = self.taken + 1
        end = number * self._hop
        self.taken = number
        self.due_at = (end + self._hop - 1) * ENGINE_RATE // self._span + 1
        return stream.window(end, self._length) if frames is None else frames.frame(number), stream.time(end)

    def skip(self) -> None:
        """Leave the next block out."""
        self.go_to(self.taken + 1)

    def rewind(self) -> None:
        """Go to the newest hop: what was before is not delivered."""
        self.go_to(self.stream.written // self._hop)


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
            wanted = spec.beside
            levels = Levels(self._node(wanted.mel.stft).levels(wanted.mel), wanted, spec.hop) if wanted else None
            feed = Feed(stream, spec, levels=levels)
        else:
            node = self._node(spec.stft)
            feed = Feed(node.stream, spec, node)
        feed.rewind()
        return feed

    def append(self, samples: F32) -> None:
        """Take some ticks of finite sound.

        Parameters
        ----------
        samples : ndarray of float32, shape (n * TICK, channels)
            At the engine rate; at most :data:`MOST_AHEAD` ticks that have not been stepped through.
        """
        for stream in self._streams.values():
            stream.pull()
        for channels, line in self._lines.items():
            place = line.place(len(samples))
            if channels == 1:
                mix_down(samples, out=place)
            else:
                place[...] = samples.T[:2]

    def step(self) -> None:
        """Go on by one tick of what has been appended."""
        self._ticks += 1
        for stream in self._streams.values():
            stream.ticks += 1

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

    def _node(self, stft: StftSpec) -> SpectralNode:
        node = self._nodes.get(stft)
        if node is None:
            node = self._nodes[stft] = SpectralNode(self._stream(stft.sample_rate, 1), stft)
        return node

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
