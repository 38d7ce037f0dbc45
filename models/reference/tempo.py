"""Tempo by librosa, for reference: one number for the newest seconds, beside the live ``tempo`` and ``beat``."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from models.reference.library import librosa
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin

_RATE, _SECONDS = 22_050, 8
_STEP = 512
_QUIET = 1e-4  # peak of a window in which nothing sounds (-80 dBFS)
_FASTEST = 320.0


class LibrosaTempo(Plugin):
    """The newest eight seconds each second. Needs ``pip install 'sidechain[reference]'``."""

    descriptor = Descriptor(
        identifier="librosa-tempo",
        name="Tempo (librosa, for reference)",
        description="Tempo of the newest 8 s by librosa, to compare with: pip install 'sidechain[reference]'",
        maker="The librosa project",
        license="ISC",
        version="0.11",
        input=AudioInput(_RATE, channels=1, hop=_RATE, window=_SECONDS * _RATE),
        lane="slow",
        latency=_SECONDS / 2,
        parameters=(
            Parameter("start", "Expected tempo", "BPM", 40.0, 240.0, 120.0, description="middle of its prior"),
            Parameter("width", "Width of the prior", "octaves", 0.1, 3.0, 1.0),
        ),
        outputs=(Output("tempo", "value", "BPM", 0.0, _FASTEST, rate=1.0, description="0 = none"),),
    )

    def prepare(self, context: Context) -> None:
        """Import librosa and have numba compile what it uses; raises ``NotFetched`` where it is missing."""
        self._library: Any = librosa("librosa-tempo")
        self._values = dict(context.parameters)
        self._tempo(np.sin(np.arange(_SECONDS * _RATE, dtype=np.float32)))

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        sound = np.clip(block, -1.0, 1.0)
        found = self._tempo(sound) if float(np.abs(sound).max()) > _QUIET else 0.0
        return [Feature("tempo", time - _SECONDS / 2, found)]

    def _tempo(self, sound: Array) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of librosa about its own future
            found = self._library.feature.tempo(
                y=sound,
                sr=_RATE,
                hop_length=_STEP,
                start_bpm=self._values["start"],
                std_bpm=self._values["width"],
                max_tempo=_FASTEST,
            )
        tempo = float(np.ravel(found)[0])
        return tempo if math.isfinite(tempo) and 0 < tempo <= _FASTEST else 0.0
