"""Formants by Praat's Burg method: the resonances of a voice, F1 to F5."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from realtime.errors import NotFetched
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin

_RATE, _HOP, _WINDOW = 16_000, 160, 800
_LAG = _WINDOW / 2 / _RATE
_COUNT = 5
_LOUDEST = 8.0
_FILTER = 50.0  # Hz from which Praat emphasises, its own default


class Formants(Plugin):
    """50 ms of sound each 10 ms. Needs ``pip install 'sidechain[formants]'``."""

    descriptor = Descriptor(
        identifier="formants",
        name="Formants (Praat)",
        description="F1 to F5 of a voice by Praat; GPL-3.0: pip install 'sidechain[formants]'",
        maker="Paul Boersma, David Weenink; parselmouth by Yannick Jadoul",
        license="GPL-3.0-or-later",
        version="0.4",
        input=AudioInput(_RATE, channels=1, hop=_HOP, window=_WINDOW),
        latency=_LAG,
        parameters=(
            Parameter("ceiling", "Ceiling", "Hz", 3500.0, 8000.0, 5500.0, description="low voices: 5000"),
            Parameter("gate", "Gate", "dB", -100.0, 0.0, -60.0, description="quieter sound has none"),
        ),
        outputs=tuple(
            Output(f"f{k}", "value", "Hz", 0.0, 8000.0, rate=_RATE / _HOP, description="0 = none")
            for k in range(1, _COUNT + 1)
        ),
    )

    def prepare(self, context: Context) -> None:
        """Import parselmouth; raises ``NotFetched`` where it is missing."""
        try:
            self._praat: Any = importlib.import_module("parselmouth")
        except ImportError as e:
            raise NotFetched(f"formants: needs parselmouth ({e}): pip install 'sidechain[formants]'") from e
        self._values = dict(context.parameters)

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        sound = np.clip(block, -_LOUDEST, _LOUDEST).astype(np.float64)
        power = float(np.dot(sound, sound)) / _WINDOW
        loud = power > 10 ** (self._values["gate"] / 10)
        found = self._formants(sound) if loud else [0.0] * _COUNT
        return [Feature(f"f{k}", time - _LAG, hz) for k, hz in enumerate(found, 1)]

    def _formants(self, sound: Any) -> list[float]:
        try:
            formants = self._praat.Sound(sound, sampling_frequency=_RATE).to_formant_burg(
                time_step=_WINDOW / _RATE,
                max_number_of_formants=_COUNT,
                maximum_formant=self._values["ceiling"],
                window_length=_WINDOW / _RATE / 2,  # Praat's window is twice as long
                pre_emphasis_from=_FILTER,
            )
            at = formants.frame_number_to_time(1)
            found = [float(formants.get_value_at_time(k, at)) for k in range(1, _COUNT + 1)]
        except self._praat.PraatError:  # sound of which Praat can make nothing
            return [0.0] * _COUNT
        return [min(8000.0, hz) if math.isfinite(hz) and hz > 0 else 0.0 for hz in found]
