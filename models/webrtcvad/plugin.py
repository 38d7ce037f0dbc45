"""Voice activity by WebRTC's detector: small, fast, older than the networks."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from realtime.errors import NotFetched
from realtime.hosting.plugin import Array, AudioInput, Context, Descriptor, Feature, Output, Parameter, Plugin

_RATE, _HOP = 16_000, 160
_MODES = ("quality", "low-bitrate", "aggressive", "very-aggressive")
_FULL = 32767.0


class WebRtcVad(Plugin):
    """A judgement each 10 ms, and events. Needs ``pip install 'sidechain[webrtcvad]'``."""

    descriptor = Descriptor(
        identifier="webrtcvad",
        name="Voice activity (WebRTC)",
        description="Speech or not, by the detector of WebRTC: pip install 'sidechain[webrtcvad]'",
        maker="The WebRTC project; py-webrtcvad by John Wiseman",
        license="MIT; BSD-3-Clause (WebRTC)",
        version="2.0.14",
        input=AudioInput(_RATE, channels=1, hop=_HOP),
        parameters=(
            Parameter("mode", "Mode", "", 0, 3, 2, _MODES, description="later ones let less through"),
            Parameter("begin_ms", "Begin", "ms", 10.0, 500.0, 30.0, description="of speech before it starts"),
            Parameter("hold_ms", "Hold", "ms", 0.0, 2000.0, 200.0, description="without speech before it ends"),
        ),
        outputs=(
            Output("speech", "value", "", 0.0, 1.0, rate=_RATE / _HOP, description="1 or 0, of this hop alone"),
            Output("active", "event", "", 0.0, 1.0, description="1 when speech starts, 0 when it ends"),
        ),
    )

    _active: bool
    _speech: int
    _other: int

    def prepare(self, context: Context) -> None:
        """Import the package; raises ``NotFetched`` where it is missing."""
        try:
            self._package: Any = importlib.import_module("webrtcvad")
        except ImportError as e:
            raise NotFetched(f"webrtcvad: needs webrtcvad-wheels ({e}): pip install 'sidechain[webrtcvad]'") from e
        self._values = dict(context.parameters)
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value
        if identifier == "mode":
            self._detector.set_mode(int(value))

    def process(self, block: Array, time: float) -> list[Feature]:
        numbers = np.clip(block * _FULL, -_FULL, _FULL).astype("<i2")
        speech = bool(self._detector.is_speech(numbers.tobytes(), _RATE))
        found = [Feature("speech", time, float(speech))]
        self._speech = self._speech + 1 if speech else 0
        self._other = 0 if speech else self._other + 1
        hop = 1000 * _HOP / _RATE
        if not self._active and self._speech * hop >= self._values["begin_ms"]:
            self._active = True
            found.append(Feature("active", time, 1.0))
        elif self._active and self._other and self._other * hop > self._values["hold_ms"]:
            self._active = False
            found.append(Feature("active", time, 0.0))
        return found

    def reset(self) -> None:
        self._detector = self._package.Vad(int(self._values["mode"]))
        self._active, self._speech, self._other = False, 0, 0
