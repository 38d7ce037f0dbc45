"""What the pitch network sees of a hop: two spectra and the periodicity of three windows, by logarithmic pitch.

Spectra are peaks of power in bins a third of a semitone wide, so that a sound an octave up looks the same 36 bins
further on. The windows lean towards the newest sound: they rise slowly and fall fast.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.pitch.periodicity import GRID, LOWEST, STEPS, Periodicity, Window

F32 = npt.NDArray[np.float32]

RATE, HOP = 16_000, 160
LAG = 0.008
"""Seconds before the end of a hop that its pitch is about."""
WINDOWS = (Window(256, up=2), Window(512, up=2), Window(1024, highest=1000.0))
LONGEST = 1536
FLOOR = 1e-8
"""Mean square below which there is no sound (−80 dBFS)."""

OCTAVE = 36
"""Bins per octave."""
PITCHES = (len(GRID) - 1) * OCTAVE // STEPS + 1
"""Bins from 48 Hz on in which a pitch may lie."""
BINS = int(OCTAVE * math.log2(7000 / LOWEST)) + 1
"""Bins of a spectrum, up to 7 kHz."""
SPECTRA = ((LONGEST, 320, 4096), (512, 192, 2048))
"""Samples of a window, of its fall, and of its Fourier transform."""
SIZE = len(SPECTRA) * BINS + len(WINDOWS) * PITCHES

_FALL = math.exp(-HOP / RATE / 0.5)
_RANGE = 1e5  # of power that is told apart: 50 dB


class Evidence:
    """Features of one stream, hop by hop; the longest periodicity is renewed every second hop.

    Attributes
    ----------
    periodicity : Periodicity
        Of the newest hop that was not silent.
    """

    def __init__(self) -> None:
        self.periodicity = Periodicity(RATE, WINDOWS, WINDOWS[-1].length)
        self._spectra = [_Spectrum(*s) for s in SPECTRA]
        at = np.arange(PITCHES) * (STEPS / OCTAVE)
        self._below = at.astype(np.intp)
        self._above = np.minimum(self._below + 1, len(GRID) - 1)
        self._share = (at - self._below).astype(np.float32)
        self._frame = np.zeros(SIZE, np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._loudest, self._hops = 0.0, 0
        self.periodicity.curves[:] = 0.0

    def listen(self, block: F32) -> bool:
        """Renew the periodicity alone; says whether there is any sound in the newest hop.

        Parameters
        ----------
        block : ndarray of float32, shape (LONGEST,)
            Newest last.
        """
        newest = block[-HOP:]
        if float(np.dot(newest, newest)) <= FLOOR * HOP:
            return False
        self.periodicity.process(block[-WINDOWS[-1].length :], 3 if self._hops % 2 == 0 else 2)
        self._hops += 1
        return True

    def frame(self, block: F32) -> F32:
        """Features of a hop, periodicity renewed.

        Parameters
        ----------
        block : ndarray of float32, shape (LONGEST,)
            Newest last.

        Returns
        -------
        ndarray of float32, shape (SIZE,)
            About 0 to 1; valid until the next call. All 0 in silence.
        """
        recent, frame = block[-SPECTRA[-1][0] :], self._frame
        power = float(np.dot(recent, recent)) / len(recent)
        self._loudest = max(power, self._loudest * _FALL)
        if not self.listen(block):
            frame[:] = 0.0
            return frame
        scale = _RANGE / (2 * self._loudest)
        for i, spectrum in enumerate(self._spectra):
            spectrum.process(block, scale, frame[i * BINS : (i + 1) * BINS])
        curves = self.periodicity.curves
        told = frame[len(SPECTRA) * BINS :].reshape(len(WINDOWS), PITCHES)
        np.subtract(curves[:, self._above], curves[:, self._below], out=told)
        told *= self._share
        told += curves[:, self._below]
        np.maximum(told, 0.0, out=told)
        return frame


class _Spectrum:
    """Peak power in each bin, compressed to about 0…1."""

    def __init__(self, length: int, fall: int, size: int) -> None:
        rise = np.sin(0.5 * np.pi * (np.arange(length - fall) + 0.5) / (length - fall)) ** 2
        window = np.concatenate([rise, np.cos(0.5 * np.pi * (np.arange(fall) + 0.5) / fall) ** 2])
        self._window = (window * 2 / window.sum()).astype(np.float32)
        self._length, self._size = length, size
        edges = LOWEST * 2 ** ((np.arange(BINS + 1) - 0.5) / OCTAVE) * size / RATE
        # Below, bins lie closer than lines of the transform and are read between two of these.
        self._split = int(np.searchsorted(np.diff(edges), 2.0))
        at = LOWEST * 2 ** (np.arange(self._split) / OCTAVE) * size / RATE
        self._below = at.astype(np.intp)
        self._share = (at - self._below).astype(np.float32)
        self._edges = np.ceil(edges[self._split : -1]).astype(np.intp)
        self._last = int(np.ceil(edges[-1]))

    def process(self, block: F32, scale: float, out: F32) -> None:
        """Write the bins of the newest sound."""
        lines = np.fft.rfft(block[-self._length :] * self._window, self._size)[: self._last]
        power = np.square(lines.real) + np.square(lines.imag)
        k, low = self._split, power[self._below]
        out[:k] = low + self._share * (power[self._below + 1] - low)
        out[k:] = np.maximum.reduceat(power, self._edges)
        out *= np.float32(scale)
        np.log1p(out, out=out)
        out *= np.float32(1 / math.log1p(_RANGE))
