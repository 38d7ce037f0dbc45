"""My plugin: how lively the last two seconds were."""

import numpy as np

from realtime import AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin
from realtime.hosting.plugin import Array

PARTS = 20


class MyPlugin(Plugin):
    """Called twice a second with the newest two seconds, in a process of its own: it may take its time.

    Windows that come while it is busy are left out, only the newest one counts. Keep imports at the top cheap;
    load models and heavy packages (torch, transformers) in prepare().
    """

    descriptor = Descriptor(
        identifier="my-plugin",
        name="My plugin",
        description="How lively the last two seconds were",
        maker="You",
        license="MIT",
        version="0.1.0",
        lane="slow",
        input=AudioInput(sample_rate=16_000, channels=1, hop=8_000, window=32_000),
        parameters=(Parameter("lively", "Lively from", "", 0.0, 1.0, 0.3, description="liveliness of 'lively'"),),
        outputs=(
            Output(
                "liveliness", "value", rate=2.0, description="how much the level changes: 0 still, 1 all the time"
            ),
            Output("mood", "label", rate=2.0, description="calm or lively"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the model here; raise UserError with one line if it cannot run on this machine."""
        self.lively = context.parameters["lively"]

    def parameter(self, identifier: str, value: float) -> None:
        """A parameter was changed while running."""
        if identifier == "lively":
            self.lively = value

    def process(self, block: Array, time: float) -> list[Feature]:
        """One window: `block` are its samples, `time` is the stream time of its end."""
        power = np.square(block, dtype=np.float64).reshape(PARTS, -1).mean(axis=1)
        level = np.sqrt(power)
        liveliness = float(np.abs(np.diff(level)).sum() / (2 * level.sum() + 1e-9))
        mood = "lively" if liveliness > self.lively else "calm"
        return [Feature("liveliness", time, liveliness), Feature("mood", time, liveliness, mood)]
