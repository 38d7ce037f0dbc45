"""Hit tone: called after each onset, says whether that hit was dark or bright."""

import numpy as np

from realtime.hosting.kinds import EventPlugin
from realtime.hosting.plugin import AudioInput, Descriptor, Feature, Output, Parameter


class HitTone(EventPlugin):
    """An example to copy: `block` is 100 ms of sound that end 80 ms after the onset."""

    descriptor = Descriptor(
        identifier="hit-tone", name="Tone of hits", description="Dark or bright, for each onset",
        maker="Sidechain", license="MIT", version="1.0.0", kind="event",
        sources=("onset.onset",), after=0.08,
        input=AudioInput(sample_rate=16_000, channels=1, hop=80, window=1600),
        parameters=(Parameter("split", "Split", "Hz", 100.0, 8000.0, 1500.0),),
        outputs=(Output("hit", "event", "Hz", 0.0, 8000.0, description="its centre; label dark or bright"),),
    )  # fmt: skip

    def prepare(self, context):
        self.split = context.parameters["split"]

    def parameter(self, identifier, value):
        self.split = value

    def on_event(self, happening, block, time):
        power = np.abs(np.fft.rfft(block * np.hanning(len(block)))) ** 2
        hz = float(power @ np.fft.rfftfreq(len(block), 1 / 16_000) / (power.sum() + 1e-12))
        yield Feature("hit", happening.time, hz, "bright" if hz > self.split else "dark")
