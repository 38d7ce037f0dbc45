"""Programme loudness after ITU-R BS.1770-4 and EBU R 128 (EBU Tech 3341), in bounded memory."""

from __future__ import annotations

import math

import numpy as np

from models.dsp.iir import Section

K_WEIGHTING: tuple[Section, Section] = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585),
    (1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621),
)
"""Shelf and high-pass of BS.1770-4, tables 1 and 2, for 48 kHz."""

SILENCE = -120.0
"""What meters show for digital silence, dB."""

_OFFSET = -0.691
_GATE = -70.0
_TOP = 20.0
_BINS = 900


def loudness(energy: float) -> float:
    """LUFS of a K-weighted mean square summed over the channels."""
    return max(SILENCE, _OFFSET + 10 * math.log10(energy)) if energy > 1e-12 else SILENCE


class Integrated:
    """Gated programme loudness, from a histogram of 400 ms blocks in steps of 0.1 LU.

    Counts and energies are kept per bin, so memory and cost do not depend on the length of the programme; only
    the relative gate is rounded, to 0.1 LU.
    """

    def __init__(self) -> None:
        self._count = np.zeros(_BINS)
        self._energy = np.zeros(_BINS)

    def add(self, energy: float) -> None:
        """One gating block: K-weighted mean square of 400 ms, summed over channels."""
        value = loudness(energy)
        if value > _GATE:
            index = min(_BINS - 1, int((value - _GATE) * 10))
            self._count[index] += 1
            self._energy[index] += energy

    def value(self) -> float:
        """LUFS since the last :meth:`reset`; :data:`SILENCE` before any block passed the gate."""
        total = self._count.sum()
        if not total:
            return SILENCE
        gate = loudness(float(self._energy.sum() / total)) - 10.0
        first = max(0, math.ceil((gate - _GATE) * 10 - 1e-6))
        count = self._count[first:].sum()
        return loudness(float(self._energy[first:].sum() / count)) if count else SILENCE

    def reset(self) -> None:
        """Start a new programme."""
        self._count[:] = 0.0
        self._energy[:] = 0.0
