"""Scope: the sound itself for displays, as outlines of the waveform and spectra, a few numbers at a time.

Displays poll the newest value and may be late, so each value repeats the last moments: a display that looks at
least every half second sees all of it.
The numbers travel as text (Base64 of bytes): lists of numbers would cost
the host more than the analysis does.
"""

from __future__ import annotations

import base64
import struct

import numpy as np
import numpy.typing as npt

from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin
from realtime.hosting.spectral import Spectrum, StftSpec

RATE, HOP, WINDOW = 48_000, 960, 2048
COLUMNS = 4  # outline columns a hop: 5 ms each
BANDS = 96
LOWEST, HIGHEST = 30.0, 18_000.0  # Hz, centres of the outermost bands
FLOOR = -100.0  # dBFS
EVERY = 2  # hops between two results
REPEAT = 25  # hops that a result repeats, the newest included


class Scope(Plugin):
    """Outline and spectrum of the mono mix.

    Both outputs are labels, Base64 of: the number of the newest hop (unsigned, 4 bytes, little-endian; hop ``k``
    ends at ``k * 20 ms``), which tells a display how much it has seen already; then the last :data:`REPEAT` hops,
    oldest first, a signed byte a number:

    - ``waveform``: for each hop 4 columns of 5 ms, minimum and maximum (full scale = 127).
    - ``spectrum``: for each hop 96 bands in whole dBFS, spaced evenly in pitch from 30 Hz to 18 kHz (a full-scale
      sine reads 0 in its band).
    """

    descriptor = Descriptor(
        identifier="scope",
        name="Scope",
        description="Waveform outline and spectrum for displays",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        input=AudioInput(RATE, channels=1, hop=HOP, window=WINDOW),
        parameters=(
            Parameter("tilt", "Tilt", "dB/octave", 0.0, 6.0, 3.0, description="lifts treble, around 1 kHz"),
        ),
        outputs=(
            Output("waveform", "label", rate=25.0, description="Base64: newest hop, minima and maxima"),
            Output("spectrum", "label", "dBFS", FLOOR, 0.0, rate=25.0, description="Base64: newest hop, bands"),
        ),
    )

    def prepare(self, context: Context) -> None:
        self._spectrum = Spectrum(StftSpec(RATE, HOP, WINDOW))
        self._bank = band_filters()
        self._outlines = np.zeros((REPEAT, COLUMNS, 2), np.float32)
        self._spectra = np.full((REPEAT, BANDS), FLOOR, np.float32)
        self.parameter("tilt", dict(context.parameters)["tilt"])
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._tilt = (value * np.log2(centres() / 1000.0)).astype(np.float32)

    def process(self, block: Array, time: float) -> list[Feature] | None:
        self._outlines[:-1] = self._outlines[1:]
        self._spectra[:-1] = self._spectra[1:]
        columns = block[-HOP:].reshape(COLUMNS, -1)
        columns.min(axis=1, out=self._outlines[-1, :, 0])
        columns.max(axis=1, out=self._outlines[-1, :, 1])
        power = self._spectrum.frame(block)
        np.square(power, out=power)
        bands = self._spectra[-1]
        np.dot(power, self._bank, out=bands)
        np.maximum(bands, 1e-10, out=bands)
        np.log10(bands, out=bands)
        bands *= 10.0
        bands += self._tilt
        np.maximum(bands, FLOOR, out=bands)
        number = round(time * RATE / HOP)
        if number % EVERY:
            return None
        return [
            Feature("waveform", time, None, pack(number, 127.0 * self._outlines)),
            Feature("spectrum", time, None, pack(number, self._spectra)),
        ]

    def reset(self) -> None:
        self._outlines[:] = 0.0
        self._spectra[:] = FLOOR


def centres() -> npt.NDArray[np.float64]:
    """Centre of each band, Hz, shape ``(96,)``."""
    return np.geomspace(LOWEST, HIGHEST, BANDS)


def band_filters() -> npt.NDArray[np.float32]:
    """Triangles in log frequency, shape ``(bins, 96)``; where bands are narrower than bins, between the two
    nearest bins. The largest weight of a band is 1: a sine reads its own level."""
    bins = np.fft.rfftfreq(WINDOW, 1.0 / RATE)
    centre = centres()
    step = centre[1] / centre[0]
    width = np.maximum(centre * (step - 1.0), RATE / WINDOW)
    bank = np.maximum(0.0, 1.0 - np.abs(bins[:, None] - centre) / width)
    bank /= bank.max(axis=0)
    return bank.astype(np.float32)


def pack(number: int, recent: npt.NDArray[np.float32]) -> str:
    """Number of the newest hop and the values, as text."""
    small = np.rint(recent).clip(-128, 127).astype(np.int8)
    return base64.b64encode(struct.pack("<I", number) + small.tobytes()).decode("ascii")
