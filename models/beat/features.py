"""What the beat network hears: two right-aligned log-mel spectra of the same instant.

A short window (42.7 ms) shows attacks in time; a long one (170.7 ms), which ends at the same sample, shows
bass notes and chords, whose changes carry the bar. Both look only back, so the long one adds no delay.
The same class serves the live plugin and the training cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from models.dsp.logmel import BlockSpectrum
from realtime.hosting.spectral import LogMelSpec, logarithm

F32 = npt.NDArray[np.float32]

SAMPLE_RATE = 24_000
HOP = 480
FPS = SAMPLE_RATE / HOP
SHORT = LogMelSpec(SAMPLE_RATE, HOP, 1024, 80, 30.0, 11_000.0, 1000.0)
LONG = LogMelSpec(SAMPLE_RATE, HOP, 4096, 64, 30.0, 2_000.0, 1000.0)
PAIR = 2
"""Frames that the network and the filter take at once."""
MOVE = PAIR * HOP
"""Samples from one such pair to the next."""
WINDOW = LONG.window
SPAN = WINDOW + MOVE - HOP
"""Samples that hold all windows of so many frames."""
SIZE = SHORT.bands + LONG.bands

LABEL_DELAY = 0.040
"""Seconds by which the network's answer trails the sound: a beat at ``b`` shows at the frame that ends at
``b + 0.040``, so that its whole attack lies in the short window. Prediction makes up for it."""


def centres(spec: LogMelSpec) -> npt.NDArray[np.float64]:
    """Centre of each mel band, Hz."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (spec.fmin, spec.fmax))
    out: npt.NDArray[np.float64] = 700 * (10 ** (np.linspace(low, high, spec.bands + 2) / 2595) - 1)
    return out[1:-1]


CENTRES = np.concatenate([centres(SHORT), centres(LONG)])
"""Of all bands, Hz."""
VIEWS = np.stack([np.ones(SIZE), np.where(CENTRES < 300.0, 0.01, 1.0)]).astype(np.float32)
"""Gains of the bands in each view of the sound, shape (2, 144): as it is, and with 40 dB less bass."""


def blocks(samples: F32, frames: int = PAIR) -> Iterator[tuple[F32, float]]:
    """What the live plugin is given of a recording, `frames` at a time.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Mono at 24 kHz.

    Yields
    ------
    block : ndarray of float32, shape (4096 + 480 (frames - 1),)
        The newest sound, silence before the beginning.
    end : float
        Stream seconds at which it ends.
    """
    padded = np.concatenate([np.zeros(WINDOW - HOP, np.float32), np.asarray(samples, np.float32)])
    for begin in range(0, len(samples) - frames * HOP + 1, frames * HOP):
        yield padded[begin : begin + WINDOW + (frames - 1) * HOP], (begin + frames * HOP) / SAMPLE_RATE


class Features:
    """Sound in, feature frames out. Not shared between threads (it owns its work arrays)."""

    def __init__(self) -> None:
        self._short, self._long = BlockSpectrum(SHORT), BlockSpectrum(LONG)
        self._out = np.zeros(SIZE, np.float32)
        self._pair = np.zeros((PAIR, SIZE), np.float32)
        self._views = np.zeros((len(VIEWS), PAIR, SIZE), np.float32)

    def frame(self, block: F32, gain: float = 1.0) -> F32:
        """Features of the instant at which `block` ends.

        Parameters
        ----------
        block : ndarray of float32, shape (4096,)
            The newest sound at 24 kHz, right-aligned.
        gain : float
            Of a quiet programme (:class:`models.dsp.programme.Programme`).

        Returns
        -------
        ndarray of float32, shape (144,)
            ``log10(1 + 1000 * gain * magnitude)`` of 80 short and 64 long bands; overwritten by the next call.
        """
        self._short.level(block, self._out[: SHORT.bands])
        self._long.level(block, self._out[SHORT.bands :])
        if gain != 1.0:
            self._out *= gain
        return logarithm(self._out, self._out)

    def views(self, block: F32, gains: Sequence[float] = (1.0,) * PAIR) -> F32:
        """The same of the last two frames of `block`, (4576,), in each of :data:`VIEWS`; shape (2, 2, 144).

        The first view is what :meth:`frame` gives; `gains` are of the frames.
        """
        self._pair[:, : SHORT.bands] = self._short.newest(block, PAIR, HOP)
        self._pair[:, SHORT.bands :] = self._long.newest(block, PAIR, HOP)
        for row, gain in zip(self._pair, gains):
            if gain != 1.0:
                row *= gain
        return logarithm(np.multiply(self._pair, VIEWS[:, None], self._views), self._views)

    def clip(self, samples: F32) -> F32:
        """All frames of a recording, as the live plugin would see them.

        Parameters
        ----------
        samples : ndarray of float32, shape (n,)
            Mono at 24 kHz.

        Returns
        -------
        ndarray of float32, shape (n // 480, 144)
        """
        out = np.empty((len(samples) // HOP, SIZE), np.float32)
        for frame, (block, _) in zip(out, blocks(samples, 1)):
            frame[:] = self.frame(block)
        return out
