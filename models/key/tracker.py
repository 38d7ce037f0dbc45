"""Features, network and memory in one: a hop of sound in, what key and chord are believed to be out.

Both the plugin and the bench run this class, so what is measured is what is hosted.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from models.dsp.belief import Belief
from models.dsp.programme import Programme
from models.dsp.stepper import F32, Stepper
from models.key.features import FPS, HOP, OCTAVES, Salience

WEIGHTS = Path(__file__).with_name("key.onnx")
CHROMA_SECONDS = 0.5
_AUDIBLE = 0.25
"""Sum of the strongest semitones of a frame below which there is nothing tonal to learn from."""


class KeyTracker:
    """The whole tracker of one stream; owned by one thread, deterministic."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self.salience = Salience()
        self._programme = Programme(FPS)
        self._net = Stepper(weights, ("chord", "key"))
        self._keep = math.exp(-1 / (FPS * CHROMA_SECONDS))
        self.key = Belief(24, FPS, 120.0, 0.06, 0.6)
        self.chord = Belief(25, FPS, 1.0, 1.5, 0.5)
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self.salience.reset()
        self._programme.reset()
        self._net.reset()
        self.key.reset()
        self.chord.reset()
        self._chroma = np.zeros(12)
        self.answers = np.zeros(25, np.float32), np.zeros(24, np.float32)

    @property
    def chroma(self) -> tuple[float, ...]:
        """Strength of the twelve pitch classes from C, the strongest 1; all 0 in silence."""
        top = self._chroma.max()
        return tuple((self._chroma / top).tolist()) if top > 0.05 else (0.0,) * 12

    def step(self, block: F32) -> tuple[bool, bool]:
        """Take the newest 16384 samples, once per 2400; whether another key, another chord was chosen."""
        if self._programme.hear(block[-HOP:]):  # another piece, perhaps; what was told stays until there is better
            self._net.reset()
            self.key.doubt()
        frame = self.salience.frame(block, self._programme.gain)
        folded = frame.reshape(OCTAVES, 12).sum(axis=0)
        self._chroma = self._keep * self._chroma + (1 - self._keep) * folded
        chord, key = self._net.step(frame)
        self.answers = chord, key
        tonal = float(folded.max()) > _AUDIBLE
        return (self.key.step(key) if tonal else False), self.chord.step(chord)
