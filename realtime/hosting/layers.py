"""Spectra that plugins share: one transform for all, and what is made of its frames, each made once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realtime.hosting.plugin import Beside
from realtime.hosting.ratestream import RateStream
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

_BATCH = 64
"""Most frames of a spectrum that are computed at once."""


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
