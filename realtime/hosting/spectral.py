"""Causal spectra: the shared features of the front end, the same code live and in training.

Windows are right-aligned: frame ``k`` ends at sample ``(k + 1) * hop`` and looks only back; sound before the
start of the stream is zero. One implementation serves both routes: :class:`Spectrum` turns one window into
one frame, and :func:`frames` runs it over a whole recording, so live features and training features are equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from realtime.hosting.fourier import rfft

F32 = npt.NDArray[np.float32]

# Constants are arrays without axes: next to an array, numpy takes these much more quickly than numbers.
_PER_DECADE = np.array(1 / np.log(10.0), np.float32)
_DECADE = np.array(np.log(10.0), np.float32)
_AT_ONCE = 64
_ZERO = np.zeros((), np.float32)
_PEAK, _QUIETEST, _PEAK_SECONDS = 300.0, 3.0, 10.0


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

    @property
    def stft(self) -> StftSpec:
        """Itself."""
        return self

    @property
    def mel(self) -> LogMelSpec | None:
        """No mel bands here."""
        return None


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

    @property
    def mel(self) -> LogMelSpec:
        """Itself."""
        return self


@dataclass(frozen=True, slots=True)
class FluxSpec:
    """Spectral flux per mel band, with vibrato suppression (:class:`Rises`); for plugins of the fast lane.

    Parameters
    ----------
    mel : LogMelSpec
        The spectrum that rises.
    lag : int
        Frames between the two that are compared.

    References
    ----------
    S. Böck, G. Widmer: Maximum filter vibrato suppression for onset detection. DAFx 2013.
    """

    mel: LogMelSpec = LogMelSpec()
    lag: int = 2

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.mel.sample_rate

    @property
    def hop(self) -> int:
        """Samples."""
        return self.mel.hop

    @property
    def window(self) -> int:
        """Samples."""
        return self.mel.window

    @property
    def size(self) -> int:
        """Values per frame."""
        return self.mel.bands

    @property
    def stft(self) -> StftSpec:
        """The STFT below, which other features may share."""
        return self.mel.stft


SpectralSpec = StftSpec | LogMelSpec | FluxSpec


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
        self._bins = np.zeros((most, spec.size), np.complex64)

    def frame(self, block: F32) -> F32:
        """Magnitudes of one window.

        Parameters
        ----------
        block : ndarray of float32, shape (window,)

        Returns
        -------
        ndarray of float32, shape (window // 2 + 1,)
        """
        work, bins = self._work[0], self._bins[0]
        np.multiply(block, self._window, work)
        return np.abs(rfft(work, bins))

    def frames(self, samples: F32, count: int) -> F32:
        """Magnitudes of `count` windows, each a hop after the one before; equal to those of ``frame``, bit by bit.

        Parameters
        ----------
        samples : ndarray of float32, shape (window + (count - 1) * hop,)
            Contiguous.
        count : int
            Up to `most`.

        Returns
        -------
        ndarray of float32, shape (count, window // 2 + 1)
        """
        if count == 1:
            return self.frame(samples)[None]
        spec, work = self.spec, self._work[:count]
        windows = np.ndarray((count, spec.window), np.float32, samples, strides=(4 * spec.hop, 4))
        np.multiply(windows, self._window, work)
        return np.abs(rfft(work, self._bins[:count]))


class Mel:
    """Magnitudes in, mel bands out.

    Parameters
    ----------
    spec : LogMelSpec
    """

    def __init__(self, spec: LogMelSpec) -> None:
        self._bank = mel_filterbank(spec) * np.float32(spec.gamma)

    def levels(self, magnitudes: F32, out: F32 | None = None) -> F32:
        """``gamma * mel`` of one frame, shape ``(bins,)`` → ``(bands,)``."""
        return magnitudes.dot(self._bank, out)


def logarithm(levels: F32, out: F32 | None = None) -> F32:
    """``log10(1 + level)``: log-mels of levels."""
    found: F32 = np.log1p(levels, out)
    found *= _PER_DECADE
    return found


def levels_of(log_mels: F32) -> F32:
    """``10 ** x - 1``: levels of log-mels, the reverse of :func:`logarithm`."""
    found: F32 = np.expm1(log_mels * _DECADE)
    return found


def log_mels(magnitudes: F32, spec: LogMelSpec) -> F32:
    """Log-mels of magnitude frames, shape ``(n, bins)`` → ``(n, bands)``; each by its own frame alone."""
    mel = Mel(spec)  # one by one: a product of matrices may round differently
    return logarithm(np.stack([mel.levels(frame) for frame in magnitudes]))


def log_mel(magnitudes: F32, spec: LogMelSpec) -> F32:
    """Log-mel of one magnitude frame, shape ``(bands,)``."""
    return logarithm(Mel(spec).levels(magnitudes))


class Rises:
    """Rise of each band over the loudest of its neighbourhood two frames ago, at an automatic gain.

    The logarithm makes the flux depend on level. The mel spectrum is therefore scaled so that its peak of the last
    seconds (falling with 10 s) is constant, up to 40 dB of gain.

    Parameters
    ----------
    spec : FluxSpec
    """

    def __init__(self, spec: FluxSpec) -> None:
        self._fall = math.exp(-spec.hop / spec.sample_rate / _PEAK_SECONDS)
        # The newest frame in natural logarithms, with an edge on either side that is never the larger neighbour.
        framed = np.full(spec.size + 2, -np.inf, np.float32)
        self._now = framed[1:-1]
        self._around = np.ndarray((3, spec.size), np.float32, framed, strides=(4, 4))
        self._loudest = [np.zeros(spec.size, np.float32) for _ in range(spec.lag)]
        self._gain = np.zeros((), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._peak = _PEAK / 10
        self._frames = 0
        for loudest in self._loudest:
            loudest[:] = 0.0

    def take(self, levels: F32) -> F32:
        """Rises per band in natural logarithms, zero or more, of the next frame of :class:`Mel`."""
        now = self._now
        before = self._peak
        self._peak = max(before * self._fall, float(levels[levels.argmax()]), _QUIETEST)
        self._gain[()] = _PEAK / self._peak
        if self._peak > before:  # what was heard at another gain would hide how far the sound has risen
            for loudest in self._loudest:
                loudest[:] = np.log1p(np.expm1(loudest) * np.float32(before / self._peak))
        np.multiply(levels, self._gain, now)
        np.log1p(now, now)
        loudest = self._loudest[self._frames % len(self._loudest)]
        self._frames += 1
        rise = now - loudest
        np.maximum.reduce(self._around, axis=0, out=loudest)
        return np.maximum(rise, _ZERO, out=rise)


def frames(samples: F32, spec: SpectralSpec) -> F32:
    """All frames of a recording, as the live front end would give them.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Mono at ``spec.sample_rate``.
    spec : StftSpec, LogMelSpec or FluxSpec

    Returns
    -------
    ndarray of float32, shape (n // hop, spec.size)
    """
    stft = spec.stft
    spectrum = Spectrum(stft, _AT_ONCE)
    mel = Mel(spec.mel) if spec.mel is not None else None
    rises = Rises(spec) if isinstance(spec, FluxSpec) else None
    before = stft.window - stft.hop
    padded = np.concatenate(
        [np.zeros(max(0, before), np.float32), np.asarray(samples, np.float32)[max(0, -before) :]]
    )
    count = len(samples) // stft.hop
    out = np.empty((count, spec.size), np.float32)
    for k in range(0, count, _AT_ONCE):
        n = min(_AT_ONCE, count - k)
        found = spectrum.frames(padded[k * stft.hop : (k + n - 1) * stft.hop + stft.window], n)
        for at, frame in enumerate(found, k):
            if mel is not None:
                levels = mel.levels(frame)
                frame = logarithm(levels) if rises is None else rises.take(levels)
            out[at] = frame
    return out
