"""Pitch by PESTO: the same outputs as ``pitch``, by a published network with a short response."""

from __future__ import annotations

import numpy as np

from models.pesto.network import RATE, Network, decode
from models.pitch.notes import Notes
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin
from realtime.store.store import Store

MODEL, FILE = "pesto", "mir-1k_g7.ckpt"
_HOP, _WINDOW = 160, 2304
_LEAST_AHEAD = 5.0  # ms after an instant that are heard, as in the published streaming form
_AHEAD = 10.0  # much surer on speech than 5, see the card
_MOST = 66.0
_FLOOR = 1e-8  # mean square of the newest 32 ms below which there is no sound (-80 dBFS)
_RECENT = 512
_LOUDEST = 8.0


class Pesto(Plugin):
    """An instant each 10 ms, each on its own. Needs ``sidechain models get pesto``."""

    descriptor = Descriptor(
        identifier="pesto",
        name="Pitch (PESTO)",
        description="Pitch of one voice, soon, by a published network; weights: sidechain models get pesto",
        maker="Riou, Lattner, Hadjeres, Peeters (Sony CSL)",
        license="MIT; weights LGPL-3.0",
        version="2.0.1",
        input=AudioInput(RATE, channels=1, hop=_HOP, window=_WINDOW),
        latency=_AHEAD / 1e3,
        parameters=(
            Parameter("threshold", "Voicing threshold", "", 0.0, 1.0, 0.5, description="least confidence"),
            Parameter(
                *("ahead_ms", "Ahead", "ms", _LEAST_AHEAD, _MOST, _AHEAD),
                live=False,
                description="of sound after an instant that is heard: later, and surer",
            ),
        ),
        outputs=(
            Output("hz", "value", "Hz", 0.0, 13_000.0, rate=100.0, description="0 = unvoiced"),
            Output("confidence", "value", "", 0.0, 1.0, rate=100.0),
            Output("midi", "value", "", 0.0, 128.0, rate=100.0, description="note number with fraction, or 0"),
            Output("note", "event", "", 0.0, 128.0, description="note number, label 'on' or 'off'"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Read the weights; raises ``UserError`` when they are not here."""
        self._values = dict(context.parameters)
        self._ahead = round(self._values["ahead_ms"] / 1e3 * RATE)
        self._network = Network(Store().use(MODEL) / FILE, self._ahead)
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        sound = np.clip(block[-self._network.length :], -_LOUDEST, _LOUDEST)
        recent = sound[-_RECENT:]
        note = confidence = 0.0
        if float(np.dot(recent, recent)) / _RECENT > _FLOOR:
            activations, confidence = self._network.step(sound)
            note = decode(activations) if confidence >= self._values["threshold"] else 0.0
        hz = 440.0 * 2 ** ((note - 69.0) / 12) if note > 0 else 0.0
        at = time - self._ahead / RATE
        found = [Feature("hz", at, hz), Feature("confidence", at, confidence), Feature("midi", at, note)]
        for key, starts in self._notes.process(hz):
            found.append(Feature("note", at, float(key), "on" if starts else "off"))
        return found

    def reset(self) -> None:
        self._notes = Notes()
