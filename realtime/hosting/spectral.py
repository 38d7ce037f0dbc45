"""Causal spectra: the shared features of the front end, the same code live and in training.

Windows are right-aligned: frame ``k`` ends at sample ``(k + 1) * hop`` and looks only back; sound before the
start of the stream is zero. One implementation serves both routes: :class:`Spectrum` turns one window into
one frame, and :func:`frames` runs it over a whole recording, so live features and training features are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

F32 = npt.NDArray[np.float32]

_PER_DECADE = np.float32(1 / np.log(10.0))
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class StftSpec:
    """Magnitude of a short-time Fourier transform, Hann window, right-aligned.

    Parameters
    ----------
    sample_rate : int
        Hz, mono.
    hop, window : int
        Samples. A frame has ``window // 2 + 1`` bins, scaled so that a full-scale sine peaks at 1.
    """

    sample_rate: int = 24_000
    hop: int = 240
    window: int = 1024

    @property
    def size(self) -> int:
        """Bins per frame."""
        return self.window // 2 + 1


@dataclass(frozen=True, slots=True)
class LogMelSpec:
    """Logarithmic mel spectrum ``log10(1 + gamma * mel)`` of an STFT magnitude.

    Parameters
    ----------
    sample_rate, hop, window : int
        As in :class:`StftSpec`.
    bands : int
        Triangular bands, equally spaced on the Slaney-free HTK mel scale ``2595 log10(1 + f/700)``.
    fmin, fmax : float
        Edges, Hz.
    gamma : float
        Compression; larger lifts quiet sound.
    """

    sample_rate: int = 24_000
    hop: int = 480
    window: int = 1024
    bands: int = 80
    fmin: float = 30.0
    fmax: float = 11_000.0
    gamma: float = 1000.0

    @property
    def size(self) -> int:
        """Values per frame."""
        return self.bands

    @property
    def stft(self) -> StftSpec:
        """The STFT below, which other features may share."""
        return StftSpec(self.sample_rate, self.hop, self.window)


SpectralSpec = StftSpec | LogMelSpec


@lru_cache(maxsize=32)
def mel_filterbank(spec: LogMelSpec) -> F32:
    """Triangular filters, shape ``(bins, bands)``, each with unit sum.

    Bands narrower than a bin fall back to linear interpolation between the two bins around their centre, so
    that no band is empty.
    """
    mel = np.linspace(2595 * np.log10(1 + spec.fmin / 700), 2595 * np.log10(1 + spec.fmax / 700), spec.bands + 2)
    edge = 700 * (10 ** (mel / 2595) - 1)
    bins = np.fft.rfftfreq(spec.window, 1 / spec.sample_rate)
    lower, centre, upper = edge[:-2], edge[1:-1], edge[2:]
    width = spec.sample_rate / spec.window
    lower, upper = np.minimum(lower, centre - width), np.maximum(upper, centre + width)
    rise = (bins[:, None] - lower) / (centre - lower)
    fall = (upper - bins[:, None]) / (upper - centre)
    bank = np.maximum(0.0, np.minimum(rise, fall))
    bank /= np.maximum(bank.sum(axis=0), 1e-9)
    return bank.astype(np.float32)


@lru_cache(maxsize=32)
def _hann(window: int) -> F32:
    w = np.hanning(window + 1)[:-1]
    return (w / (w.sum() / 2)).astype(np.float32)


class Spectrum:
    """Windows of samples in, frames out. Not shared between threads (it owns its work arrays).

    Parameters
    ----------
    spec : StftSpec
    most : int
        Frames that are computed at once at most.
    """

    def __init__(self, spec: StftSpec, most: int = 1) -> None:
        self.spec = spec
        self._window = _hann(spec.window)
        self._work = np.zeros((most, spec.window), np.float32)

    def frame(self, block: F32) -> F32:
        """Magnitudes of one window.

        Parameters
        ----------
        block : ndarray of float32, shape (window,)

        Returns
        -------
        ndarray of float32, shape (window // 2 + 1,)
        """
        work = self._work[0]
        np.multiply(block, self._window, out=work)
        return np.abs(np.fft.rfft(work)).astype(np.float32, copy=False)

    def frames(self, samples: F32, count: int) -> F32:
        """Magnitudes of `count` windows, each a hop after the one before; equal to those of ``frame``, bit by bit.

        Parameters
        ----------
        samples : ndarray of float32, shape (window + (count - 1) * hop,)
        count : int
            Up to `most`.

        Returns
        -------
        ndarray of float32, shape (count, window // 2 + 1)
        """
        if count == 1:
            return self.frame(samples)[None]
        work = self._work[:count]
        windows = sliding_window_view(samples, self.spec.window)[:: self.spec.hop]
        np.multiply(windows, self._window, out=work)
        return np.abs(np.fft.rfft(work)).astype(np.float32, copy=False)


def log_mel(magnitudes: F32, spec: LogMelSpec) -> F32:
    """Log-mel of one magnitude frame, shape ``(bands,)``."""
    return log_mels(magnitudes[None], spec)[0]


def log_mels(magnitudes: F32, spec: LogMelSpec) -> F32:
    """Log-mels of magnitude frames, shape ``(n, bins)`` → ``(n, bands)``; each depends on its own frame alone."""
    bank = mel_filterbank(spec)
    out = np.empty((len(magnitudes), spec.bands), np.float32)
    for frame, row in zip(magnitudes, out):
        np.dot(frame, bank, out=row)  # one by one: a product of matrices may round differently
    out *= np.float32(spec.gamma)
    np.log1p(out, out=out)
    out *= _PER_DECADE
    return out


def frames(samples: F32, spec: SpectralSpec) -> F32:
    """All frames of a recording, as the live front end would give them.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Mono at ``spec.sample_rate``.
    spec : StftSpec or LogMelSpec

    Returns
    -------
    ndarray of float32, shape (n // hop, spec.size)
    """
    stft = spec.stft if isinstance(spec, LogMelSpec) else spec
    spectrum = Spectrum(stft, _AT_ONCE)
    padded = np.concatenate([np.zeros(stft.window - stft.hop, np.float32), np.asarray(samples, np.float32)])
    count = len(samples) // stft.hop
    out = np.empty((count, spec.size), np.float32)
    for k in range(0, count, _AT_ONCE):
        n = min(_AT_ONCE, count - k)
        magnitudes = spectrum.frames(padded[k * stft.hop : (k + n - 1) * stft.hop + stft.window], n)
        out[k : k + n] = log_mels(magnitudes, spec) if isinstance(spec, LogMelSpec) else magnitudes
    return out
