"""Structure, live: energy, build-up, drop, breakdown, change of section."""

from __future__ import annotations

from models.structure.labels import STATES
from models.structure.tracker import StructureTracker
from models.tags.features import INPUT
from realtime.hosting.plugin import Array, Context, Descriptor, Feature, Output, Parameter, Plugin


class Structure(Plugin):
    """Where in the piece we are, by leaky means of up to a minute and a small recurrent network.

    The plugin hears no clock: events carry the instant at which it heard them happen. ``structure-bar`` puts them
    on the bar lines of the host's clock.
    """

    descriptor = Descriptor(
        identifier="structure",
        name="Structure",
        description="Energy, build-up, drop, breakdown, change of section",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        input=INPUT,
        latency=0.4,
        parameters=(
            Parameter("sensitivity", "Sensitivity", "", 0.5, 2.0, 1.0, description="larger reports more events"),
        ),
        outputs=(
            Output("section", "label", rate=10.0, description="breakdown, build, groove or drop; empty at first"),
            Output("confidence", "value", rate=10.0, description="belief in the section"),
            Output("energy", "value", rate=10.0, description="force of the music, against its last minute"),
            Output("buildup", "value", rate=10.0, description="how much this sounds like a build-up"),
            Output("drop", "event", description="full force after a breakdown or build-up; value: how sure"),
            Output("breakdown", "event", description="the drums leave; value: how sure"),
            Output("build", "event", description="a build-up begins; value: how sure"),
            Output("change", "event", description="a new section of any kind; value: how sure"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the network; raises ``UserError`` if it is missing."""
        self._tracker = StructureTracker()
        for identifier, value in context.parameters.items():
            self.parameter(identifier, value)

    def parameter(self, identifier: str, value: float) -> None:
        """Takes effect at once."""
        self._tracker.sensitivity = value

    def process(self, block: Array, time: float) -> list[Feature]:
        """One hop of 100 ms."""
        t = self._tracker
        found = t.step(block)
        return [
            Feature("section", time, None, STATES[t.state.chosen] if t.state.chosen >= 0 else ""),
            Feature("confidence", time, t.state.confidence),
            Feature("energy", time, min(1.0, max(0.0, t.energy))),
            Feature("buildup", time, t.build),
            *(Feature(f.event, time - f.ago, f.strength, f.event) for f in found),
        ]

    def reset(self) -> None:
        """Forget all sound."""
        self._tracker.reset()
