"""The beat tracker as a plugin: its belief goes to the host's transport, which publishes ``beat.beat``,
``beat.tempo`` and ``beat.confidence``."""

from __future__ import annotations

from collections.abc import Iterable

from models.beat.features import FPS, LABEL_DELAY, MOVE, PAIR, SAMPLE_RATE, SPAN
from models.beat.rhythm import BESIDE
from models.beat.tracker import Tracker
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin


class Beat(Plugin):
    """Beat, downbeat and tempo by a small recurrent network and an exact bar-pointer filter."""

    descriptor = Descriptor(
        identifier="beat",
        name="Beat tracker",
        description="Beats, bars and tempo, predicted so that they leave on time",
        maker="Sidechain",
        license="MIT",
        version="1",
        input=AudioInput(SAMPLE_RATE, 1, MOVE, SPAN, BESIDE),
        outputs=(
            Output("pulse", "observation", rate=FPS / PAIR, description="Belief for the transport"),
            Output("activation", "vector", size=2, rate=FPS, description="Beat; downbeat if it is a beat"),
            Output("music", "value", rate=FPS / PAIR, description="Probability that there is any music"),
        ),
        parameters=(
            Parameter("low_bpm", "Slowest tempo", "BPM", 40, 280, 40),
            Parameter("high_bpm", "Fastest tempo", "BPM", 40, 280, 280),
        ),
        latency=LABEL_DELAY,
    )

    def prepare(self, context: Context) -> None:
        """Load the network; raises ``UserError`` if it is missing."""
        self._tracker = Tracker()
        self._levels: Array | None = None
        self._window = {"low_bpm": 40.0, "high_bpm": 280.0}
        for identifier, value in context.parameters.items():
            self.parameter(identifier, value)

    def beside(self, levels: Array) -> None:
        """Spectra for the accents."""
        self._levels = levels

    def process(self, block: Array, time: float) -> Iterable[Feature]:
        """Two frames of 20 ms each."""
        self._tracker.step(block, time, self._levels)
        self._levels = None
        decoder, heard = self._tracker.decoder, time - LABEL_DELAY
        activations = (
            Feature("activation", heard - k / FPS, (beat, downbeat))
            for k, (beat, downbeat) in zip(reversed(range(PAIR)), self._tracker.pulse.tolist())
        )
        return (
            Feature("pulse", time, decoder.observation()),
            *activations,
            Feature("music", heard, decoder.music.probability),
        )

    def parameter(self, identifier: str, value: float) -> None:
        """Move the tempo window; what is believed outside of it dies out at the next beats."""
        self._window[identifier] = value
        low, high = sorted(self._window.values())
        self._tracker.decoder.filter.window(low, high)

    def reset(self) -> None:
        """Forget all sound."""
        self._tracker.reset()
