"""What the key network hears: how strongly each semitone sounds, on the tuning that the music itself keeps.

Two right-aligned spectra of the same instant: a long one (0.68 s) tells bass notes apart, a shorter one (0.34 s)
everything above. Tuning is the phase of the mean of ``exp(2 pi i d)``, where ``d`` is how far the spectral peaks
of the last ten seconds lie off the semitones of A = 440 Hz. Each semitone is then weighed against its
neighbourhood, which takes drums and noise away (spectral whitening, as in Mauch & Dixon, "Approximate note
transcription for the improved identification of difficult chords", 2010).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from realtime.audio.resample import Thinner
from realtime.hosting.fourier import rfft
from realtime.hosting.plugin import AudioInput

F32 = npt.NDArray[np.float32]

RATE, HOP = 24_000, 2400
LONG, SHORT = 16_384, 8192
INPUT = AudioInput(RATE, 1, HOP, LONG)
FPS = RATE / HOP
LOWEST, OCTAVES = 24, 6
SEMITONES = 12 * OCTAVES
SPLIT = 57
"""MIDI number from which the shorter spectrum is read."""

_STEP = 0.1
_REACH = 0.6
_OFFSETS = np.round(np.arange(-_REACH, _REACH + 1e-6, _STEP), 3)
_SPREAD = 0.28
_KEEP = math.exp(-1 / (FPS * 10.0))
_THIN, _TAPS, _BETA = 16, 120, 7.3
"""Ratio, length and Kaiser window of the thinning before the long spectrum, which is read up to 230 Hz: what folds
back there from above 1270 Hz is down by 73 dB."""
_AROUND = np.arange(3)[:, None]
_WHITE = 9
_GAMMA = 3e3


def _bank(window: int, low: int, high: int, offset: float) -> F32:
    """Gaussian weights around each semitone, shape ``(bins, high - low)``, at least a bin wide."""
    bins = np.arange(1, int(2200 / (RATE / window)))
    frequency = bins * RATE / window
    midi = 69 + 12 * np.log2(frequency / 440)
    centre = np.arange(low, high) + offset
    bin_width = 12 / math.log(2) * (RATE / window) / (440 * 2 ** ((centre - 69) / 12))
    spread = np.maximum(_SPREAD, 0.5 * bin_width)
    weights = np.exp(-0.5 * ((midi[:, None] - centre) / spread) ** 2)
    weights[weights < 1e-3] = 0
    weights /= weights.sum(axis=0)
    return np.concatenate([np.zeros((1, high - low)), weights]).astype(np.float32)


def _lowpass(ratio: int) -> F32:
    """Filter before thinning, with a gain of `ratio`."""
    at = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps = np.sinc(at / ratio) * np.kaiser(_TAPS, _BETA)
    return (taps * (ratio / taps.sum())).astype(np.float32)


class _Half:
    """One of the two spectra.

    Parameters
    ----------
    window : int
        Samples.
    thin : int
        The bins that are read lie so low that the windowed sound is thinned out by this first, to 1: not at all.
    banks : list of ndarray
        Weights of the bins in the semitones, for each tuning.
    """

    def __init__(self, window: int, thin: int, banks: list[F32]) -> None:
        used = np.flatnonzero(np.any([bank.any(axis=1) for bank in banks], axis=0))
        self._span = slice(int(used[0]), int(used[-1]) + 1)
        self._banks = [np.ascontiguousarray(bank[self._span]) * np.float32(_GAMMA) for bank in banks]
        hann = np.hanning(window + 1)[:-1]
        self._hann = (hann / (hann.sum() / 2)).astype(np.float32)
        self._thinner = None if thin == 1 else Thinner(_lowpass(thin), thin, window)
        around = 0 if thin == 1 else _TAPS - 1
        self._padded = np.zeros(window + around, np.float32)
        self._windowed = self._padded[around // 2 : around // 2 + window]
        self._thinned = self._padded if thin == 1 else np.zeros(window // thin, np.float32)
        lines = np.zeros(window // thin // 2 + 1, np.complex64)
        self._lines, self._heard = lines, lines[: len(banks[0])] if thin == 1 else lines[: self._span.stop]

    def listen(self, block: F32) -> F32:
        """Magnitudes of a window of sound."""
        np.multiply(block, self._hann, self._windowed)
        if self._thinner is not None:
            self._thinner.process(self._padded, self._thinned)
        rfft(self._thinned, self._lines)
        self._magnitudes: F32 = np.abs(self._heard)
        return self._magnitudes

    def tell(self, tuned: int, out: F32) -> None:
        """Strength of each semitone at a tuning, times gamma."""
        self._magnitudes[self._span].dot(self._banks[tuned], out)


class Salience:
    """Blocks of sound in, semitones out; keeps the tuning between calls."""

    def __init__(self) -> None:
        cut = SPLIT - LOWEST
        offsets = _OFFSETS.tolist()
        self._low = _Half(LONG, _THIN, [_bank(LONG, LOWEST, SPLIT, o) for o in offsets])
        self._high = _Half(SHORT, 1, [_bank(SHORT, SPLIT, LOWEST + SEMITONES, o) for o in offsets])
        self._cut = cut
        self._kernel = np.ones(2 * _WHITE + 1, np.float32)
        self._count = np.convolve(np.ones(SEMITONES, np.float32), self._kernel, "same")
        self._first = math.ceil(180 / (RATE / SHORT))
        self._out = np.zeros(SEMITONES, np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the tuning."""
        self._phase = 0j
        self.tuning = 0.0

    def frame(self, block: F32, gain: float = 1.0) -> F32:
        """Whitened strength of each semitone from C1, shape (72,), zero or more.

        Parameters
        ----------
        block : ndarray of float32, shape (16384,)
            The newest sound at 24 kHz, right-aligned.
        gain : float
            Of a quiet programme (:class:`models.dsp.programme.Programme`).
        """
        low, high = self._low, self._high
        low.listen(block)
        self._tune(high.listen(block[-SHORT:]))
        tuned = round((self.tuning + _REACH) / _STEP)
        out = self._out
        low.tell(tuned, out[: self._cut])
        high.tell(tuned, out[self._cut :])
        if gain != 1.0:
            out *= gain
        np.log1p(out, out)
        around = np.convolve(out, self._kernel, "same") / self._count
        np.maximum(out - around, 0, out=out)
        return out

    def _tune(self, spectrum: F32) -> None:
        """Take the spectral peaks of this hop into the mean."""
        s = spectrum[self._first - 1 :]
        middle, before, after = s[1:-1], s[:-2], s[2:]
        peak = np.flatnonzero((middle > before) & (middle >= after) & (middle > 1e-5))
        if len(peak):
            a, b, c = np.log(s[peak + _AROUND] + 1e-9)
            place = peak + self._first + 0.5 * (a - c) / np.minimum(a - 2 * b + c, -1e-6)
            weight = np.sqrt(middle[peak])
            turn = (2 * np.pi * 12) * np.log2(place * (RATE / SHORT / 440.0))
            total = float(np.add.reduce(weight)) + 1e-9
            mean = complex(float(weight.dot(np.cos(turn))), float(weight.dot(np.sin(turn)))) / total
            self._phase = _KEEP * self._phase + mean
        if abs(self._phase) < 0.3:
            return
        found = math.atan2(self._phase.imag, self._phase.real) / (2 * math.pi)
        near = min((found - 1, found, found + 1), key=lambda v: abs(v - self.tuning))
        self.tuning = near if abs(near) < _REACH else found  # stay on a semitone's side while that is possible

    def clip(self, samples: F32) -> F32:
        """All frames of a recording as the live plugin would see them, shape ``(n // 2400, 72)``."""
        self.reset()
        padded = np.concatenate([np.zeros(LONG - HOP, np.float32), np.asarray(samples, np.float32)])
        out = np.empty((len(samples) // HOP, SEMITONES), np.float32)
        for k in range(len(out)):
            out[k] = self.frame(padded[k * HOP : k * HOP + LONG])
        return out
