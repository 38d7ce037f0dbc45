"""What the pitch network sees: two spectra and the periodicity of several windows, by logarithmic pitch.

Spectra are peaks of power in bins a third of a semitone wide, so that a sound an octave up looks the same 36 bins
further on. The windows lean towards the newest sound: they rise slowly and fall fast.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.pitch.periodicity import GRID, LOWEST, STEPS, Periodicity, Window
from realtime.hosting.fourier import rfft

F32 = npt.NDArray[np.float32]

RATE, HOP = 16_000, 160
LAG = 0.013
"""Seconds before the end of a hop that its pitch is about: where glides and jumps are told with least error."""
WINDOWS = (Window(0.5, lowest=150.0), Window(1, lowest=90.0), Window(2), Window(5, highest=1000.0))
LONGEST = 1536
FLOOR = 1e-9
"""Mean square below which there is no sound (−90 dBFS)."""

OCTAVE = 36
"""Bins per octave."""
PITCHES = (len(GRID) - 1) * OCTAVE // STEPS + 1
"""Bins from 48 Hz on in which a pitch may lie."""
BINS = int(OCTAVE * math.log2(7000 / LOWEST)) + 1
"""Bins of a spectrum, up to 7 kHz."""
SPECTRA = ((LONGEST, 320), (512, 192))
"""Samples of a window and of its fall."""
SIZE = len(SPECTRA) * BINS + len(WINDOWS) * PITCHES

_FALL = math.exp(-2 * HOP / RATE / 0.5)
_ZERO = np.zeros((), np.float32)
_LINES = 2048  # samples of a Fourier transform
_RANGE = 1e5  # of power that is told apart: 50 dB
_ONE, _WHOLE = np.ones((), np.float32), np.array(1 / math.log1p(_RANGE), np.float32)


class Evidence:
    """Periodicity of one stream, hop by hop, and on demand what the network sees.

    Attributes
    ----------
    periodicity : Periodicity
        Of the newest hop.
    """

    def __init__(self) -> None:
        self.periodicity = Periodicity(RATE, HOP, WINDOWS)
        self._spectra = _Spectra()
        self._frame = np.zeros(SIZE, np.float32)
        self._bins = self._frame[: len(SPECTRA) * BINS].reshape(len(SPECTRA), BINS)
        self._told = self._frame[len(SPECTRA) * BINS :].reshape(len(WINDOWS), PITCHES)
        at = np.arange(PITCHES) * (STEPS / OCTAVE)
        self._below, self._above = np.floor(at).astype(np.intp), np.ceil(at - 1e-9).astype(np.intp)
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._loudest = 0.0
        self.periodicity.reset()

    def listen(self, block: F32) -> float:
        """Take a hop; returns its mean square.

        Parameters
        ----------
        block : ndarray of float32, shape (LONGEST,)
            Newest last.
        """
        newest = block[-HOP:]
        self.periodicity.process(block)
        return float(np.dot(newest, newest)) / HOP

    def frame(self, block: F32, sounds: bool) -> F32:
        """Features of the hop that was listened to last; to be asked for at every second one.

        Parameters
        ----------
        block : ndarray of float32, shape (LONGEST,)
            Newest last.
        sounds : bool
            Whether anything does.

        Returns
        -------
        ndarray of float32, shape (SIZE,)
            About 0 to 1; valid until the next call. All 0 in silence.
        """
        frame, told = self._frame, self._told
        self._loudest = max(float(np.dot(block, block)) / LONGEST, self._loudest * _FALL)
        if not sounds:
            frame[:] = 0.0
            return frame
        self._spectra.process(block, _RANGE / (2 * self._loudest), self._bins)
        curves = self.periodicity.curves  # finer than the bins; no peak of it may be lost
        np.maximum(curves.take(self._below, 1), curves.take(self._above, 1), out=told)
        np.maximum(told, _ZERO, out=told)
        return frame


class _Spectra:
    """Peak power in each bin of all windows, compressed to about 0…1."""

    def __init__(self) -> None:
        self._windows = [_window(length, fall) for length, fall in SPECTRA]
        self._sound = np.zeros((len(SPECTRA), _LINES), np.float32)
        edges = LOWEST * 2 ** ((np.arange(BINS + 1) - 0.5) / OCTAVE) * _LINES / RATE
        # Below, bins lie closer than lines of the transform and are read between two of these.
        self._close = int(np.searchsorted(np.diff(edges), 2.0))
        at = LOWEST * 2 ** (np.arange(self._close) / OCTAVE) * _LINES / RATE
        self._below = at.astype(np.intp)
        self._next = self._below + 1
        self._share = (at - self._below).astype(np.float32)
        self._edges = np.ceil(edges[self._close : -1]).astype(np.intp)
        self._scale = np.zeros((), np.float32)
        self._lines = np.zeros((len(SPECTRA), _LINES // 2 + 1), np.complex64)
        used = self._lines[:, : int(np.ceil(edges[-1]))]
        self._real, self._imaginary = used.real, used.imag

    def process(self, block: F32, scale: float, out: F32) -> None:
        """Write the bins ``(windows, BINS)`` of the newest sound."""
        for sound, window in zip(self._sound, self._windows):
            np.multiply(block[-len(window) :], window, out=sound[: len(window)])
        rfft(self._sound, self._lines)
        power = np.square(self._real)
        power += np.square(self._imaginary)
        close, low = self._close, power.take(self._below, 1)
        step = power.take(self._next, 1)
        step -= low
        step *= self._share
        np.add(low, step, out=out[:, :close])
        np.maximum.reduceat(power, self._edges, 1, out=out[:, close:])
        self._scale[()] = scale
        out *= self._scale
        out += _ONE
        np.log(out, out=out)  # quicker than log1p, and as exact where it is not next to nothing
        out *= _WHOLE


def _window(length: int, fall: int) -> F32:
    rise = np.sin(0.5 * np.pi * (np.arange(length - fall) + 0.5) / (length - fall)) ** 2
    window = np.concatenate([rise, np.cos(0.5 * np.pi * (np.arange(fall) + 0.5) / fall) ** 2])
    return (window * 2 / window.sum()).astype(np.float32)
