"""Sound effects on the live sound, as an insert: pedalboard's own, or a VST3 plugin."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.effect.chain import build
from realtime.hosting.kinds import InsertPlugin
from realtime.hosting.plugin import (
    ENGINE_RATE,
    Array,
    AudioInput,
    Context,
    Descriptor,
    Output,
    Parameter,
    Text,
)

HOP = 480


class Effect(InsertPlugin):
    """Each 10 ms through a chain of effects. Needs the extra ``effects`` (GPL-3.0)."""

    descriptor = Descriptor(
        identifier="effect",
        name="Effects (pedalboard)",
        description="Compressor, reverb, filters …, or a VST3 plugin; pip install 'sidechain[effects]'",
        maker="Spotify; the plugins' own authors",
        license="GPL-3.0",
        version="0.9",
        kind="insert",
        input=AudioInput(ENGINE_RATE, channels=2, hop=HOP),
        parameters=(Parameter("gain_db", "Gain", "dB", -60.0, 24.0, 0.0, description="after the effects"),),
        outputs=(Output("sound", "audio", rate=ENGINE_RATE),),
        texts=(
            Text(
                "chain", "Effects", description="a list, in order: 'Compressor threshold_db=-18 ratio=4', 'Reverb'"
            ),
        ),
    )

    _board: Any = None
    _held: Array  # sound that the effects have given beyond a hop

    def prepare(self, context: Context) -> None:
        """Make the effects; raises ``UserError`` with what is wrong in the chain."""
        self._board = build(context.texts.get("chain", ""))
        self.parameter("gain_db", context.parameters["gain_db"])
        self._clear()
        self._board.process(np.zeros((2, HOP), np.float32), ENGINE_RATE, reset=True)
        self._board.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._gain = np.float32(10.0 ** (value / 20.0))

    def render(self, block: Array, time: float) -> Array:
        """One hop. What an effect holds back at first is silence at first, and delays the rest by as much."""
        made = self._board.process(np.ascontiguousarray(block), ENGINE_RATE, reset=False)
        sound = np.concatenate([self._held, made], axis=1)
        if sound.shape[1] < HOP:
            sound = np.concatenate([np.zeros((2, HOP - sound.shape[1]), np.float32), sound], axis=1)
        self._held = sound[:, HOP:]
        return np.asarray(sound[:, :HOP] * self._gain, np.float32)

    def reset(self) -> None:
        self._board.reset()
        self._clear()

    def _clear(self) -> None:
        self._held = np.zeros((2, 0), np.float32)

    def close(self) -> None:
        self._board = None
