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
from realtime.hosting.layers import Levels, SpectralNode
from realtime.hosting.line import Line
from realtime.hosting.plugin import ENGINE_RATE, TICK, AudioInput, InputSpec
from realtime.hosting.ratestream import ROOM, RateStream
from realtime.hosting.spectral import StftSpec

F32 = npt.NDArray[np.float32]


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
                line = self._lines[channels] = Line(channels, ROOM)
                line.reserve(ROOM)
            stream = self._streams[rate, channels] = RateStream(rate, channels, line)
            stream.restart(self._origin + self._ticks * TICK / ENGINE_RATE)
        return stream
