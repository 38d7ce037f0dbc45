"""What the drum network hears, every 10 ms: two short spectra, 5 ms apart, and the bass in finer detail.

The short spectra are those that `onset` and `tempo` use too: a 21 ms window, right-aligned, 60 mel bands. Its
bins are 47 Hz wide, so a kick under a bass guitar is one lump there. The third spectrum resolves it: 32
frequencies from 30 to 600 Hz through a lopsided window of 85 ms, which rises slowly and falls within its last 19
ms. It takes the sound at an eighth of the rate, which makes it cheap; 85 ms of that are kept from hop to hop.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from models.dsp.flux import FLUX
from models.dsp.flux import FLUX_SPEC as SHORT
from realtime.hosting.fourier import rfft
from realtime.hosting.plugin import AudioInput, Beside
from realtime.hosting.spectral import Rises, mel_filterbank

F32 = npt.NDArray[np.float32]
__all__ = ["BANDS", "BLOCK", "CLASSES", "FPS", "HOP", "INPUT", "LABELS", "LOW", "RATE", "SIZE", "Features"]

RATE, HOP = SHORT.sample_rate, 240
FPS = RATE / HOP
BANDS, LOW = SHORT.bands, 32
SIZE = 2 * BANDS + LOW
"""Older short spectrum, newer short spectrum, bass: magnitudes."""
LABELS = ("kick", "snare", "hihat", "tom", "cymbal", "perc")
"""Of the training music. ``perc`` is claps, shakers, congas …"""
CLASSES = LABELS[:3]
"""Those that are told; the others are heard as onsets, but not surely enough told apart (see CARD.md)."""

_THIN, _TAPS, _SPAN = 8, 64, 256
_RISE = 200
_FRESH = HOP // _THIN
BLOCK = SHORT.window + HOP // 2
INPUT = AudioInput(RATE, 1, HOP, BLOCK, Beside(SHORT, (1, 0)))
_BACK, _GAMMA = (np.array(v, np.float32) for v in (1 / SHORT.gamma, SHORT.gamma))
_AT_ONCE = 64


class Features:
    """One hop of sound in, one frame out. Not shared between threads (it owns its work arrays).

    Attributes
    ----------
    rises : list of float
        By how much each short spectrum of the newest frame rose, summed over bands, as `onset` hears it.
    """

    def __init__(self) -> None:
        hann = np.hanning(SHORT.window + 1)[:-1]
        self._hann = (hann / (hann.sum() / 2)).astype(np.float32)
        bank = mel_filterbank(SHORT)
        self._bins = int(np.flatnonzero(bank.any(axis=1))[-1]) + 1
        self._bank = np.ascontiguousarray(bank[: self._bins])
        self._filter, self._waves = _low_pass(), _waves()
        self._thinning = _banded(self._filter)
        self._heard = len(self._thinning)
        self._past = np.zeros(_SPAN, np.float32)
        self._older, self._fresh = self._past[:-_FRESH], self._past[-_FRESH:]
        self._work = np.zeros((2, SHORT.window), np.float32)
        self._lines = np.zeros((2, SHORT.window // 2 + 1), np.complex64)
        self._heard_lines = self._lines[:, : self._bins]
        self._magnitudes = np.zeros((2, self._bins), np.float32)
        self._parts = np.zeros(2 * LOW, np.float32)
        self._cosine, self._sine = self._parts.reshape(2, LOW)
        self._out = np.zeros(SIZE, np.float32)
        self._short = self._out[: 2 * BANDS].reshape(2, BANDS)
        self._low = self._out[2 * BANDS :]
        self._flux = Rises(FLUX)
        self.rises: list[float] = []

    def frame(self, block: F32, levels: F32 | None = None, gain: float = 1.0) -> F32:
        """Magnitudes of the instant at which `block` ends; blocks come one after another.

        Parameters
        ----------
        block : ndarray of float32, shape (632,)
        levels : ndarray of float32, shape (2, 60), optional
            The short spectra times gamma, where these are there already.
        gain : float
            Of a quiet programme (:class:`models.dsp.programme.Programme`).

        Returns
        -------
        ndarray of float32, shape (152,)
            Overwritten by the next call.
        """
        if levels is None:
            spans = np.ndarray((2, SHORT.window), np.float32, block, strides=(2 * HOP, 4))
            rfft(np.multiply(spans, self._hann, out=self._work), self._lines)
            np.abs(self._heard_lines, out=self._magnitudes)
            for magnitudes, short in zip(self._magnitudes, self._short):
                magnitudes.dot(self._bank, short)  # quicker than one product of two rows
        else:
            np.multiply(levels, _BACK, out=self._short)
        self._older[:] = self._past[_FRESH:]
        np.dot(block[-self._heard :], self._thinning, out=self._fresh)
        np.dot(self._past, self._waves, out=self._parts)
        np.hypot(self._cosine, self._sine, out=self._low)
        self.rises = [float(np.add.reduce(self._flux.take(row))) for row in self._short * _GAMMA]
        if gain != 1.0:
            self._out *= gain
        return self._out

    def reset(self) -> None:
        """Forget the past."""
        self._past[:] = 0.0
        self._flux.reset()

    def clip(self, samples: F32) -> F32:
        """All frames of one or many recordings of a length, as the live plugin would see them.

        Parameters
        ----------
        samples : ndarray of float32, shape (n,) or (recordings, n)
            Mono at 24 kHz.

        Returns
        -------
        ndarray of float32, shape (n // 240, 152) or (recordings, n // 240, 152)
        """
        sound = np.atleast_2d(np.asarray(samples, np.float32))
        count = sound.shape[1] // HOP
        out = np.empty((len(sound), count, SIZE), np.float32)
        short = np.empty((2 * count, BANDS), np.float32)
        for one, frames in zip(sound, out):
            padded = np.concatenate([np.zeros((_SPAN - 1) * _THIN + _TAPS - HOP, np.float32), one[: count * HOP]])
            late = len(padded) - count * HOP - (SHORT.window - HOP // 2)
            spans = sliding_window_view(padded[late:], SHORT.window)[:: HOP // 2]
            for k in range(0, 2 * count, _AT_ONCE):
                bins = np.fft.rfft(spans[k : k + _AT_ONCE] * self._hann)[:, : self._bins]
                np.matmul(np.abs(bins), self._bank, out=short[k : k + _AT_ONCE])
            frames[:, : 2 * BANDS] = short.reshape(count, 2 * BANDS)
            thin = np.ascontiguousarray(sliding_window_view(padded, _TAPS)[::_THIN]) @ self._filter
            parts = np.ascontiguousarray(sliding_window_view(thin, _SPAN)[:: HOP // _THIN]) @ self._waves
            np.hypot(parts[:, :LOW], parts[:, LOW:], out=frames[:, 2 * BANDS :])
        return out if np.ndim(samples) > 1 else out[0]


def _low_pass() -> F32:
    """Against aliasing: flat to 600 Hz, 50 dB down from 2.4 kHz, where what would fold onto it begins."""
    n = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps = np.sinc(2 * 1200 / RATE * n) * np.hamming(_TAPS)
    return np.asarray(taps / taps.sum(), np.float32)


def _waves() -> F32:
    """Windowed cosines and sines at 3 kHz, shape ``(256, 64)``; a full-scale sine gives 1."""
    u = np.arange(_SPAN)
    window = np.where(
        u < _RISE, np.sin(np.pi / 2 * u / _RISE) ** 2, np.cos(np.pi / 2 * (u - _RISE) / (_SPAN - _RISE)) ** 2
    )
    window /= window.sum() / 2
    turn = 2 * np.pi * u[:, None] * frequencies() / (RATE / _THIN)
    return np.concatenate([window[:, None] * np.cos(turn), window[:, None] * np.sin(turn)], 1).astype(np.float32)


def frequencies() -> npt.NDArray[np.float64]:
    """Of the bass spectrum: 11 Hz apart at the bottom, 40 Hz at the top."""
    bark = np.linspace(np.arcsinh(30 / 150), np.arcsinh(600 / 150), LOW)
    return np.asarray(150 * np.sinh(bark))


def _banded(taps: F32) -> F32:
    """The filter as a matrix from the newest sound to the newest thinned samples, shape ``(296, 30)``."""
    matrix = np.zeros(((_FRESH - 1) * _THIN + _TAPS, _FRESH), np.float32)
    for k in range(_FRESH):
        matrix[k * _THIN : k * _THIN + _TAPS, k] = taps
    return matrix
