"""Noise suppression of a voice by RNNoise: sound in, cleaner sound out, and the probability of voice."""

from __future__ import annotations

import platform

import numpy as np

from models.rnnoise.library import DELAY, FRAME, RATE, Denoiser
from realtime.errors import NotFetched
from realtime.hosting.kinds import InsertPlugin
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter
from realtime.store.store import Store

MODEL, FILE = "rnnoise", "librnnoise.so"
_LOUDEST = 1.0


class RNNoise(InsertPlugin):
    """Each 10 ms of mono sound through the library. Needs ``sidechain models get rnnoise``; Linux on x86-64."""

    descriptor = Descriptor(
        identifier="rnnoise",
        name="Noise suppression (RNNoise)",
        description="Takes noise off a voice; library: sidechain models get rnnoise",
        maker="Jean-Marc Valin, Mozilla, Xiph.Org",
        license="BSD-3-Clause",
        version="0.4.5",
        kind="insert",
        input=AudioInput(RATE, channels=1, hop=FRAME),
        latency=DELAY / RATE,
        parameters=(
            Parameter("amount", "Amount", "", 0.0, 1.0, 1.0, description="0: the sound as it is, delayed"),
        ),
        outputs=(
            Output("sound", "audio", rate=RATE),
            Output("probability", "value", rate=RATE / FRAME, description="of voice"),
        ),
    )

    def prepare(self, context: Context) -> None:
        """Load the library; raises ``UserError`` where it is not here or not for this system."""
        if f"{platform.system()}-{platform.machine()}" != "Linux-x86_64":
            raise NotFetched("rnnoise: its library is fetched for Linux on x86-64 only")
        self._amount = np.float32(context.parameters["amount"])
        self._denoiser = Denoiser(Store().use(MODEL) / FILE)
        self._clear()

    def parameter(self, identifier: str, value: float) -> None:
        self._amount = np.float32(value)

    def render(self, block: Array, time: float) -> tuple[Array, list[Feature]]:
        given = np.clip(block, -_LOUDEST, _LOUDEST)
        clean, voice = self._denoiser.step(given)
        late, self._late[:-FRAME], self._late[-FRAME:] = (
            self._late[:FRAME].copy(),
            self._late[FRAME:].copy(),
            given,
        )
        mixed = late + self._amount * (clean - late)
        return mixed, [Feature("probability", time, min(1.0, max(0.0, voice)))]

    def reset(self) -> None:
        self._denoiser.reset()
        self._clear()

    def _clear(self) -> None:
        self._late = np.zeros(DELAY, np.float32)  # the sound as it was, as late as the library's

    def close(self) -> None:
        self._denoiser.close()
