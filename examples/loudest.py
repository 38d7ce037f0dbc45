"""Loudest: a window plugin for the slow lane; it hears ten seconds at a time and may take as long as it likes."""

import numpy as np

from realtime.hosting.plugin import AudioInput, Descriptor, Feature, Output, Plugin


class Loudest(Plugin):
    """An example to copy: import what is heavy in prepare, not above."""

    descriptor = Descriptor(
        identifier="loudest", name="Loudest note", description="Loudest pitch class of the last ten seconds",
        maker="Sidechain", license="MIT", version="1.0.0", lane="slow",
        input=AudioInput(sample_rate=16_000, channels=1, hop=16_000, window=160_000),
        outputs=(Output("note", "label"), Output("share", "value", description="its share of the power")),
    )  # fmt: skip

    def process(self, block, time):
        power = np.abs(np.fft.rfft(block * np.hanning(len(block)))) ** 2
        hz = np.fft.rfftfreq(len(block), 1 / 16_000)
        heard = (hz > 60) & (hz < 2000)
        classes = np.round(12 * np.log2(hz[heard] / 440.0)).astype(int) % 12
        chroma = np.bincount(classes, power[heard], 12)
        best = int(chroma.argmax())
        yield Feature("note", time, None, ("A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#")[best])
        yield Feature("share", time, float(chroma[best] / (chroma.sum() + 1e-12)))
