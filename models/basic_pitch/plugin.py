"""Several notes at once by Basic Pitch: starts and ends of notes, as MIDI numbers."""

from __future__ import annotations

import numpy as np

from models.basic_pitch.network import FRAMES, HOP, KEYS, LOWEST, RATE, WINDOW, Network
from models.basic_pitch.notes import EDGE, LONGEST, Limits, Notes
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin
from realtime.store.store import Store

MODEL, FILE = "basic-pitch", "nmp.onnx"
_EVERY = 11_025
_STEP = HOP / RATE
_TAIL = WINDOW / RATE - (FRAMES - EDGE - 1) * _STEP
_QUIET = 1e-4  # peak of a window in which nothing sounds (-80 dBFS)
_LOUDEST = 8.0
_SILENCE = np.zeros((FRAMES, KEYS), np.float32)


class BasicPitch(Plugin):
    """The newest two seconds each half second. Needs ``sidechain models get basic-pitch``."""

    descriptor = Descriptor(
        identifier="basic-pitch",
        name="Notes (Basic Pitch)",
        description="Several notes at once by a published network; weights: sidechain models get basic-pitch",
        maker="Spotify",
        license="Apache-2.0",
        version="0.4.0",
        input=AudioInput(RATE, channels=1, hop=_EVERY, window=WINDOW),
        lane="slow",
        latency=_TAIL,
        parameters=(
            Parameter("onset", "Onset threshold", "", 0.05, 0.95, 0.5),
            Parameter("frame", "Note threshold", "", 0.05, 0.95, 0.3, description="below it a note ends"),
            Parameter("length_ms", "Shortest note", "ms", 12.0, LONGEST * _STEP * 1e3, 127.7),
            Parameter("low", "Lowest note", "MIDI", LOWEST, LOWEST + KEYS - 1, LOWEST),
            Parameter("high", "Highest note", "MIDI", LOWEST, LOWEST + KEYS - 1, LOWEST + KEYS - 1),
        ),
        outputs=(
            Output("note", "event", "", 0.0, 127.0, description="note number, label 'on' or 'off'"),
            Output("polyphony", "value", "", 0.0, KEYS, rate=2.0, description="notes that sound"),
            Output("keys", "vector", "", 0.0, 1.0, KEYS, rate=2.0, description="activation of each key from A0"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the network; raises ``UserError`` when it is not here."""
        self._values = dict(context.parameters)
        self._network = Network(Store().use(MODEL) / FILE)
        self._notes = Notes(KEYS, _STEP)

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        if float(np.abs(block).max()) < _QUIET:
            onsets = frames = _SILENCE
        else:
            onsets, frames = self._network.step(np.clip(block, -_LOUDEST, _LOUDEST))
            onsets = self._within(onsets)
        values = self._values
        limits = Limits(values["onset"], values["frame"], max(1, round(values["length_ms"] / 1e3 / _STEP)))
        found = [
            Feature("note", n.time, float(LOWEST + n.key), "on" if n.starts else "off")
            for n in self._notes.process(onsets, frames, time - WINDOW / RATE, limits)
        ]
        at = time - _TAIL
        found.append(Feature("polyphony", at, float(self._notes.sounding.sum())))
        found.append(Feature("keys", at, tuple(frames[FRAMES - EDGE - 1].tolist())))
        return found

    def _within(self, onsets: Array) -> Array:
        low, high = round(self._values["low"]) - LOWEST, round(self._values["high"]) - LOWEST
        keep = (np.arange(KEYS) >= low) & (np.arange(KEYS) <= high)
        return np.where(keep, onsets, np.float32(0))

    def reset(self) -> None:
        self._notes.reset()
