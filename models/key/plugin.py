"""Key and chords, live: the key with its place on the Camelot wheel, the chord, the chroma, the tuning."""

from __future__ import annotations

from models.key.features import INPUT
from models.key.names import NO_CHORD, camelot, chord_name, key_name
from models.key.tracker import KeyTracker
from realtime.hosting.plugin import Array, Context, Descriptor, Feature, Output, Plugin

DELAY = 0.3
"""Seconds by which a chord is known later than it sounds: the answers are trained to trail by that much."""


class Key(Plugin):
    """Key and chord by a small transposition-equivariant network on a tuned semitone spectrum."""

    descriptor = Descriptor(
        identifier="key",
        name="Key and chords",
        description="Key with Camelot notation, chord, chroma and tuning",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        input=INPUT,
        latency=DELAY,
        outputs=(
            Output("key", "label", rate=10.0, description="such as 'A minor'; empty until there is one"),
            Output("camelot", "label", rate=10.0, description="such as '8A'; empty until there is a key"),
            Output("confidence", "value", rate=10.0, description="belief in the key"),
            Output("chord", "label", rate=10.0, description="major or minor triad such as 'F' or 'Am', or 'N'"),
            Output("chord_confidence", "value", rate=10.0, description="belief in the chord"),
            Output("chroma", "vector", size=12, rate=10.0, description="pitch classes from C, the strongest is 1"),
            Output(
                "tuning", "value", "cents", -60.0, 60.0, rate=10.0, description="of the music against A = 440 Hz"
            ),
            Output("key_change", "event", description="another key, from now on; value: confidence"),
            Output("chord_change", "event", description="another chord; value: confidence"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the network; raises ``UserError`` if it is missing."""
        self._tracker = KeyTracker()

    def process(self, block: Array, time: float) -> list[Feature]:
        """One hop of 100 ms."""
        t = self._tracker
        new_key, new_chord = t.step(block)
        key, chord = t.key.chosen, t.chord.chosen
        name, wheel = (key_name(key), camelot(key)) if key >= 0 else ("", "")
        triad = chord_name(chord) if chord >= 0 else NO_CHORD
        heard = time - DELAY
        out = [
            Feature("key", time, None, name),
            Feature("camelot", time, None, wheel),
            Feature("confidence", time, t.key.confidence),
            Feature("chord", heard, None, triad),
            Feature("chord_confidence", heard, t.chord.confidence),
            Feature("chroma", heard, t.chroma),
            Feature("tuning", time, max(-60.0, min(60.0, 100 * t.salience.tuning))),
        ]
        if new_key:
            out.append(Feature("key_change", time, t.key.confidence, name))
        if new_chord:
            out.append(Feature("chord_change", heard, t.chord.confidence, triad))
        return out

    def reset(self) -> None:
        """Forget all sound."""
        self._tracker.reset()
