"""Energy: combines the results of other plugins into one, e.g. to drive a fader."""

from realtime.hosting.kinds import CombinePlugin
from realtime.hosting.plugin import AudioInput, Descriptor, Feature, Output, Parameter

WEIGHTS = {"bands.low": 0.5, "bands.high": 0.3, "onset.strength": 0.2}


class Energy(CombinePlugin):
    """An example to copy: a weighted mean of what is not too old; it is called ten times a second."""

    descriptor = Descriptor(
        identifier="energy", name="Energy", description="Low and high bands and onsets, as one number",
        maker="Sidechain", license="MIT", version="1.0.0", kind="combine", sources=tuple(WEIGHTS),
        input=AudioInput(sample_rate=48_000, hop=4800),
        parameters=(Parameter("keep", "Time to live", "s", 0.1, 10.0, 0.5),),
        outputs=(Output("energy", "value", minimum=0.0, maximum=1.0, rate=10.0),),
    )  # fmt: skip

    def prepare(self, context):
        self.keep = context.parameters["keep"]

    def parameter(self, identifier, value):
        self.keep = value

    def combine(self, results, time):
        fresh = {n: r.value for n, r in results.items() if r.value is not None and r.age <= self.keep}
        weight = sum(WEIGHTS.get(n, 0.0) for n in fresh)
        if weight:
            energy = sum(WEIGHTS.get(n, 0.0) * v for n, v in fresh.items()) / weight
            yield Feature("energy", time, min(1.0, max(0.0, energy)))
