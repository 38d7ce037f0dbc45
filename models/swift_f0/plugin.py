"""Pitch by SwiftF0: as ``pitch``, by a published network that looks 176 ms ahead, in the slow lane."""

from __future__ import annotations

import numpy as np

from models.pitch.notes import Notes
from models.swift_f0.network import AHEAD, BEFORE, FRAME, HIGHEST, LOWEST, QUIET, RATE, Network
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin
from realtime.store.store import Store

MODEL, FILE = "swift-f0", "model.onnx"
_FRAMES = 5  # a call: 80 ms
_LATE = 20  # further frames in a window, for when a window was left out
_KNOWN = _LATE + _FRAMES
_WINDOW = (BEFORE + _KNOWN + AHEAD) * FRAME
_LAG = (AHEAD + 1) * FRAME / RATE
_LOUDEST = 8.0


class SwiftF0(Plugin):
    """Frames of 16 ms, five each 80 ms. Needs ``sidechain models get swift-f0``."""

    descriptor = Descriptor(
        identifier="swift-f0",
        name="Pitch (SwiftF0)",
        description="Pitch by a published network, 176 ms late; weights: sidechain models get swift-f0",
        maker="Lars Nieradzik",
        license="MIT",
        version="0.3.0",
        input=AudioInput(RATE, channels=1, hop=_FRAMES * FRAME, window=_WINDOW),
        lane="slow",
        latency=_LAG,
        parameters=(
            Parameter("threshold", "Voicing threshold", "", 0.0, 1.0, 0.5, description="least confidence"),
            Parameter("low", "Lowest pitch", "Hz", LOWEST, 1000.0, LOWEST),
            Parameter("high", "Highest pitch", "Hz", 100.0, HIGHEST, HIGHEST),
        ),
        outputs=(
            Output("hz", "value", "Hz", 0.0, 2100.0, rate=RATE / FRAME, description="0 = unvoiced"),
            Output("confidence", "value", "", 0.0, 1.0, rate=RATE / FRAME),
            Output("midi", "value", "", 0.0, 127.0, rate=RATE / FRAME, description="note number, or 0"),
            Output("note", "event", "", 0.0, 127.0, description="note number, label 'on' or 'off'"),
        ),
    )

    _seen: float

    def prepare(self, context: Context) -> None:
        """Load the network; raises ``UserError`` when it is not here."""
        self._values = dict(context.parameters)
        self._network = Network(Store().use(MODEL) / FILE)
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        sound = np.clip(block, -_LOUDEST, _LOUDEST)
        if float(np.abs(sound).max()) < QUIET:
            count = _WINDOW // FRAME
            pitch, sure = np.zeros(count), np.zeros(count)
        else:
            pitch, sure = self._network.step(sound)
        first = time - _WINDOW / RATE
        found: list[Feature] = []
        begin = BEFORE if np.isfinite(self._seen) else BEFORE + _LATE
        for k in range(begin, BEFORE + _KNOWN):
            at = first + k * FRAME / RATE
            if at > self._seen + 0.5 * FRAME / RATE:
                self._seen = at
                found += self._frame(at, float(pitch[k]), float(sure[k]))
        return found

    def _frame(self, at: float, pitch: float, confidence: float) -> list[Feature]:
        values = self._values
        voiced = confidence >= values["threshold"] and values["low"] <= pitch <= values["high"]
        hz = pitch if voiced else 0.0
        return self._notes.features(at, hz, confidence)

    def reset(self) -> None:
        self._notes = Notes()
        self._seen = -np.inf
