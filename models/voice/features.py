"""What the voice network hears: a log-mel spectrum, its height above the background, its rise, its ripple.

The window is asymmetric: it rises over 35 ms, long enough to resolve the harmonics of a voice, and falls over
8 ms, so that beginnings show soon. (Low-delay codecs use such windows.) The background of each band is an average
that falls fast and rises slowly, so that steady noise of any level is near zero there. The ripple is the strongest
cepstral peak in four ranges of pitch (A. M. Noll, JASA 41, 1967): harmonics, whatever the envelope. It comes from
a window twice as long, every other frame: in noise it tells a voice best, and it does not hurry. The same sums
serve the live plugin (:class:`Features`) and training (:func:`mel`, :func:`ripple`, :func:`beside`).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from realtime.hosting.fourier import rfft
from realtime.hosting.spectral import LogMelSpec, mel_filterbank

F32 = npt.NDArray[np.float32]

SAMPLE_RATE = 24_000
HOP = 240
FPS = SAMPLE_RATE // HOP
SHORT, WINDOW = 1024, 2048
"""Samples under the spectrum and under the ripple."""
FALL = 192
BANDS = 72
PITCHES, LAGS = (70.0, 115.0, 190.0, 310.0, 500.0), 16
"""Edges of the ranges of pitch, Hz, and how many periods are tried in each."""
RANGES = len(PITCHES) - 1
FIRST, LAST = 6, 131
"""Bins whose ripple counts: 70 Hz to 1.5 kHz."""
EVERY = 2
SIZE = 3 * BANDS + RANGES
LAG = 2
"""Frames between the two whose difference is the rise."""
SPEC = LogMelSpec(SAMPLE_RATE, HOP, SHORT, BANDS, 60.0, 8_000.0, 1e5)
UP, DOWN, START = 0.002, 0.1, 30
"""How fast the background follows, a frame: up with 5 s, down with 100 ms. The first frames count as a mean."""
_ZERO, _GAMMA = np.float32(0), np.float32(SPEC.gamma)
_PER_DECADE = np.float32(1 / np.log(10.0))


def window(length: int) -> F32:
    """The asymmetric window, shape (length,), scaled so that a full-scale sine peaks at 1."""
    rise, fall = length - FALL, FALL
    w = np.concatenate([np.hanning(2 * rise + 1)[:rise], np.hanning(2 * fall + 1)[fall:-1]])
    return (w / (w.sum() / 2)).astype(np.float32)


def bank() -> F32:
    """Mel filters times gamma, shape (bins, 72); bins above the top band are left out."""
    filters = mel_filterbank(SPEC)
    bins = int(np.flatnonzero(filters.any(axis=1))[-1]) + 1
    return np.ascontiguousarray(filters[:bins]) * np.float32(SPEC.gamma)


def ripples() -> F32:
    """Cosines over the spectrum whose period is a pitch's, shape (125, 64), without what a smooth envelope has."""
    hertz = np.arange(FIRST, LAST) * (SAMPLE_RATE / WINDOW)
    place = np.linspace(0, np.pi, len(hertz))
    envelope = np.linalg.qr(np.cos(place[:, None] * np.arange(8)))[0]
    taper = np.cos(place / 2)[:, None]
    pairs = pairwise(PITCHES)
    pitches = np.concatenate([np.geomspace(low, high, LAGS, endpoint=False) for low, high in pairs])
    waves = taper * np.cos(2 * np.pi * hertz[:, None] / pitches)
    waves -= envelope @ (envelope.T @ waves)
    return (waves / np.linalg.norm(waves, axis=0)).astype(np.float32)


def mel(magnitudes: F32, filters: F32) -> F32:
    """``log10(1 + 1e5 * mel)`` of magnitudes under the short window, shape (..., bins) → (..., 72)."""
    return _logarithm(magnitudes @ filters)


def ripple(magnitudes: F32, waves: F32) -> F32:
    """Strongest ripple in each range, of magnitudes under the long window, shape (..., bins) → (..., 4)."""
    fine = _logarithm(magnitudes[..., FIRST:LAST] * _GAMMA) @ waves
    out: F32 = fine.reshape(*fine.shape[:-1], RANGES, LAGS).max(-1)
    return out


def _logarithm(x: F32) -> F32:
    np.log1p(x, out=x)
    x *= _PER_DECADE
    return x


def beside(x: F32) -> F32:
    """Spectra, their height above the background, their rise, and their ripples, from the start of a stream on.

    Parameters
    ----------
    x : ndarray of float32, shape (frames, ..., 76)
        From :func:`mel` and :func:`ripple`, side by side.

    Returns
    -------
    ndarray of float32, shape (frames, ..., 220)
    """
    out = np.empty((*x.shape[:-1], SIZE), np.float32)
    out[..., 3 * BANDS :] = x[..., BANDS:]
    x = x[..., :BANDS]
    out[..., :BANDS] = x
    background = x[0].copy()
    for n, frame in enumerate(x):
        _follow(background, frame, n)
        np.subtract(frame, background, out=out[n, ..., BANDS : 2 * BANDS])
    rise = out[..., 2 * BANDS : 3 * BANDS]
    rise[:LAG] = x[:LAG]
    np.subtract(x[LAG:], x[:-LAG], out=rise[LAG:])
    np.maximum(rise, 0, out=rise)
    return out


def _follow(background: F32, frame: F32, n: int) -> None:
    """Move the background towards frame number `n`."""
    up = UP if n >= START else 1 / (n + 2)
    difference = frame - background
    step = difference * np.float32(up)
    difference *= np.float32(max(up, DOWN))
    background += np.minimum(step, difference, out=step)


class Features:
    """One hop of sound in, one feature frame out. Not shared between threads (it owns its work arrays)."""

    def __init__(self) -> None:
        self._windows = window(SHORT), window(WINDOW)
        self._filters, self._waves = bank(), ripples()
        self._out = np.zeros(SIZE, np.float32)
        edges = [BANDS, 2 * BANDS, 3 * BANDS]
        self._spectrum, self._above, self._rise, self._ripple = np.split(self._out, edges)
        self._work = [np.zeros(n, np.float32) for n in (SHORT, WINDOW)]
        self._bins = [np.zeros(n // 2 + 1, np.complex64) for n in (SHORT, WINDOW)]
        self._magnitudes = np.zeros(len(self._filters), np.float32)
        self._fine = np.zeros(LAST - FIRST, np.float32)
        self._trials = np.zeros((RANGES, LAGS), np.float32)
        self._background = np.zeros(BANDS, np.float32)
        self._last = np.zeros((LAG, BANDS), np.float32)
        self.reset()

    def reset(self) -> None:
        """Nothing has been heard."""
        self._heard = 0
        self._last[:] = 0

    def frame(self, block: F32, gain: float = 1.0) -> F32:
        """Features of the instant at which `block`, shape (2048,), ends; overwritten by the next call.

        `gain` is that of a quiet programme (:class:`models.dsp.programme.Programme`).

        Returns
        -------
        ndarray of float32, shape (220,)
            ``log10(1 + 1e5 * gain * magnitude)`` of 72 bands, the same less the background, its rise over 20
            ms, and the strongest ripple in four ranges of pitch.
        """
        spectrum, magnitudes = self._spectrum, self._magnitudes
        last = self._last[self._heard % LAG]
        np.multiply(block[-SHORT:], self._windows[0], out=self._work[0])
        np.abs(rfft(self._work[0], self._bins[0])[: len(magnitudes)], out=magnitudes)
        np.dot(magnitudes, self._filters, out=spectrum)
        if gain != 1.0:
            spectrum *= gain
        _logarithm(spectrum)
        if self._heard % EVERY == 0:
            self._look_closer(block, gain)
        if not self._heard:
            self._background[:] = spectrum
        _follow(self._background, spectrum, self._heard)
        np.subtract(spectrum, self._background, out=self._above)
        np.subtract(spectrum, last, out=self._rise)
        np.maximum(self._rise, _ZERO, out=self._rise)
        last[:] = spectrum
        self._heard += 1
        return self._out

    def _look_closer(self, block: F32, gain: float) -> None:
        fine = self._fine
        np.multiply(block, self._windows[1], out=self._work[1])
        np.abs(rfft(self._work[1], self._bins[1])[FIRST:LAST], out=fine)
        fine *= _GAMMA * np.float32(gain)
        np.dot(_logarithm(fine), self._waves, out=self._trials.reshape(-1))
        np.maximum.reduce(self._trials, axis=1, out=self._ripple)
