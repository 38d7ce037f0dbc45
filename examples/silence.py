"""Silence: says when the sound falls silent and when it is back, e.g. to fade the lights out and in."""

import numpy as np

from realtime.hosting.plugin import AudioInput, Descriptor, Feature, Output, Parameter, Plugin


class Silence(Plugin):
    """An example to copy: one event output, two parameters that act while it runs."""

    descriptor = Descriptor(
        identifier="silence", name="Silence", description="When the sound falls silent and when it is back",
        maker="Sidechain", license="MIT", version="1.0.0",
        input=AudioInput(sample_rate=48_000, channels=1, hop=480),
        parameters=(Parameter("below", "Level", "dBFS", -90.0, -10.0, -50.0),
                    Parameter("after", "Time", "s", 0.1, 60.0, 2.0)),
        outputs=(Output("silent", "event", description="1 when silence begins, 0 when it ends"),),
    )  # fmt: skip

    def prepare(self, context):
        self.settings = dict(context.parameters)
        self.reset()

    def parameter(self, identifier, value):
        self.settings[identifier] = value

    def reset(self):
        self.loud_at, self.silent = 0.0, False

    def process(self, block, time):
        if np.mean(block**2) > 10 ** (self.settings["below"] / 10):
            self.loud_at = time
        silent = time - self.loud_at >= self.settings["after"]
        if silent != self.silent:
            self.silent = silent
            yield Feature("silent", time, float(silent))
