"""Voice activity by Silero VAD: the same outputs as ``voice``, by a published network in place of ours."""

from __future__ import annotations

import numpy as np

from models.silero.network import CHUNK, RATE, Network
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin
from realtime.store.store import Store

MODEL, FILE = "silero-vad", "silero_vad_16k.onnx"
_HOP = 160
_LOUDEST = 1.0


class Silero(Plugin):
    """Speech probability each 32 ms, and events with hysteresis. Needs ``sidechain models get silero-vad``."""

    descriptor = Descriptor(
        identifier="silero",
        name="Voice activity (Silero VAD)",
        description="Probability of speech by a published network; weights: sidechain models get silero-vad",
        maker="Silero Team",
        license="MIT",
        version="6.2.3",
        input=AudioInput(RATE, channels=1, hop=_HOP),
        latency=CHUNK / RATE,
        parameters=(
            Parameter("threshold", "Threshold", "", 0.05, 0.95, 0.5),
            Parameter("hysteresis", "Hysteresis", "", 0.0, 0.5, 0.15, description="how far below it ends"),
            Parameter("hold_ms", "Hold", "ms", 0.0, 2000.0, 150.0, description="how long below before it ends"),
        ),
        outputs=(
            Output("probability", "value", "", 0.0, 1.0, rate=RATE / CHUNK),
            Output("active", "event", "", 0.0, 1.0, description="1 when speech starts, 0 when it ends"),
        ),
    )

    _active: bool
    _below: int

    def prepare(self, context: Context) -> None:
        self._values = dict(context.parameters)
        self._network = Network(Store().use(MODEL) / FILE)
        self._buffer = np.zeros(CHUNK + _HOP, np.float32)
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        np.clip(block, -_LOUDEST, _LOUDEST, out=self._buffer[self._filled : self._filled + _HOP])
        self._filled += _HOP
        if self._filled < CHUNK:
            return []
        probability = self._network.step(self._buffer[:CHUNK])
        self._filled -= CHUNK
        self._buffer[: self._filled] = self._buffer[CHUNK : CHUNK + self._filled].copy()
        time -= self._filled / RATE
        found = [Feature("probability", time, probability)]
        change = self._change(probability)
        if change is not None:
            found.append(Feature("active", time, change))
        return found

    def _change(self, probability: float) -> float | None:
        values = self._values
        if not self._active:
            if probability >= values["threshold"]:
                self._active, self._below = True, 0
                return 1.0
        elif probability >= values["threshold"] - values["hysteresis"]:
            self._below = 0
        else:
            self._below += 1
            if self._below * CHUNK / RATE * 1000 > values["hold_ms"]:
                self._active = False
                return 0.0
        return None

    def reset(self) -> None:
        self._network.reset()
        self._filled = 0
        self._active, self._below = False, 0
