"""Gain: an insert, sound in and sound out, e.g. [plugins.gain] to = "Speakers" or to = "louder.flac"."""

import numpy as np

from realtime.hosting.kinds import InsertPlugin
from realtime.hosting.plugin import AudioInput, Descriptor, Feature, Output, Parameter


class Gain(InsertPlugin):
    """An example to copy: one parameter, the sound, and a value about it."""

    descriptor = Descriptor(
        identifier="gain", name="Gain", description="The sound, louder or softer",
        maker="Sidechain", license="MIT", version="1.0.0", kind="insert", latency=0.0,
        input=AudioInput(sample_rate=48_000, channels=2, hop=480),
        parameters=(Parameter("gain", "Gain", "dB", -60.0, 24.0, 0.0),),
        outputs=(Output("sound", "audio", rate=48_000.0),
                 Output("peak", "value", minimum=0.0, maximum=16.0, description="largest sample, after the gain")),
    )  # fmt: skip

    def prepare(self, context):
        self.parameter("gain", context.parameters["gain"])
        self.now = self.factor

    def parameter(self, identifier, value):
        self.factor = 10 ** (value / 20)

    def render(self, block, time):
        # a change is spread over one hop, so that it does not click
        louder = block * np.linspace(self.now, self.factor, block.shape[-1], dtype=np.float32)
        self.now = self.factor
        return louder, [Feature("peak", time, float(np.abs(louder).max()))]
