"""My plugin: how loud it is, and when it becomes loud."""

import numpy as np

from realtime import AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin
from realtime.hosting.plugin import Array


class MyPlugin(Plugin):
    """Called every 10 ms with the newest 10 ms of sound. State lives in the instance; reset() clears all of it."""

    descriptor = Descriptor(
        identifier="my-plugin",
        name="My plugin",
        description="How loud it is, and when it becomes loud",
        maker="You",
        license="MIT",
        version="0.1.0",
        input=AudioInput(sample_rate=24_000, channels=1, hop=240),  # the host resamples and mixes down
        parameters=(
            Parameter("threshold", "Threshold", "dBFS", -60.0, 0.0, -25.0, description="loud is above this"),
        ),
        outputs=(
            Output("level", "value", "dBFS", -90.0, 30.0, rate=100.0, description="mean level of the last 0.1 s"),
            Output("loud", "event", description="1 when it becomes loud, 0 when it no longer is"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Allocate, load, take the parameters."""
        self.threshold = context.parameters["threshold"]
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        """A parameter was changed while running."""
        if identifier == "threshold":
            self.threshold = value

    def reset(self) -> None:
        """As new: nothing of the sound before is remembered."""
        self.power = 0.0
        self.loud = False

    def process(self, block: Array, time: float) -> list[Feature]:
        """One hop: `block` are its samples, `time` is the stream time of its end."""
        self.power = 0.9 * self.power + 0.1 * float(np.mean(np.square(block, dtype=np.float64)))
        level = 10 * np.log10(self.power + 1e-9)
        found = [Feature("level", time, float(level))]
        if (level > self.threshold) != self.loud:
            self.loud = not self.loud
            found.append(Feature("loud", time, float(self.loud)))
        return found
