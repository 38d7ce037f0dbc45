"""Pitch by pYIN, for reference: librosa's method on windows, in the slow lane."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from models.reference.library import librosa
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin

_RATE, _FRAME, _STEP = 16_000, 1024, 160
_HOP, _WINDOW = 4_000, 16_000
_AHEAD = 10  # frames after a frame with which its path is settled
_KNOWN = (_WINDOW - _FRAME) // _STEP + 1 - _AHEAD
_LAG = (_WINDOW - (_KNOWN - 1) * _STEP - _FRAME / 2) / _RATE
_QUIET = 1e-4  # peak of a window in which nothing sounds (-80 dBFS)
_LOWEST, _HIGHEST = 65.0, 2093.0
_FINE = 0.2  # semitones between its candidates


class PYin(Plugin):
    """The newest second each quarter of a second. Needs ``pip install 'sidechain[reference]'``."""

    descriptor = Descriptor(
        identifier="pyin",
        name="Pitch (pYIN, for reference)",
        description="Pitch by librosa's pYIN on windows, to compare with: pip install 'sidechain[reference]'",
        maker="The librosa project; Matthias Mauch, Simon Dixon",
        license="ISC",
        version="0.11",
        input=AudioInput(_RATE, channels=1, hop=_HOP, window=_WINDOW),
        lane="slow",
        latency=_LAG,
        parameters=(
            Parameter("threshold", "Voicing threshold", "", 0.0, 1.0, 0.1, description="least confidence"),
        ),
        outputs=(
            Output("hz", "value", "Hz", 0.0, 2200.0, rate=_RATE / _STEP, description="0 = unvoiced"),
            Output("confidence", "value", "", 0.0, 1.0, rate=_RATE / _STEP, description="probability of voicing"),
        ),
    )

    _seen: float

    def prepare(self, context: Context) -> None:
        """Import librosa and have numba compile what it uses; raises ``NotFetched`` where it is missing."""
        self._library: Any = librosa("pyin")
        self._values = dict(context.parameters)
        self._run(np.sin(0.05 * np.arange(_WINDOW, dtype=np.float32)))
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        sound = np.clip(block, -1.0, 1.0)
        if float(np.abs(sound).max()) > _QUIET:
            pitch, sure = self._run(sound)
        else:
            pitch, sure = np.zeros(_KNOWN), np.zeros(_KNOWN)
        first = time + (_FRAME / 2 - _WINDOW) / _RATE
        begin = 0 if np.isfinite(self._seen) else _KNOWN - _HOP // _STEP
        found: list[Feature] = []
        for k in range(begin, _KNOWN):
            at = first + k * _STEP / _RATE
            if at > self._seen + 0.5 * _STEP / _RATE:
                self._seen = at
                hz = float(pitch[k]) if sure[k] >= self._values["threshold"] else 0.0
                found += [Feature("hz", at, hz), Feature("confidence", at, float(sure[k]))]
        return found

    def _run(self, sound: Array) -> tuple[Any, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of librosa about its own future
            pitch, _, sure = self._library.pyin(
                sound,
                fmin=_LOWEST,
                fmax=_HIGHEST,
                sr=_RATE,
                frame_length=_FRAME,
                hop_length=_STEP,
                resolution=_FINE,
                center=False,
                fill_na=None,
            )
        return np.clip(np.nan_to_num(pitch), 0, 2200.0), np.clip(np.nan_to_num(sure), 0, 1)

    def reset(self) -> None:
        self._seen = -np.inf
