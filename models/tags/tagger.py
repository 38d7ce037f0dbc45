"""Frames, network and silence in one: a tenth of a second of sound in, tags and embedding out.

Both the plugin and the bench run this class, so what is measured is what is hosted.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from models.dsp.programme import Programme
from models.dsp.stepper import F32, Stepper
from models.tags.features import HOP, Frames
from models.tags.labels import FRAME, SILENCE_DB, TAGS

WEIGHTS = Path(__file__).with_name("tags.onnx")
EMBEDDING = 64
EMBEDDING_SECONDS = 1.0
_EDGE = 2.0
"""How gradually silence begins, dB."""
_NOMINAL = 0.0004
"""Power to which a quiet programme is raised: -34 dBFS, as it learnt from sound of many levels."""


class Tagger:
    """The tagger of one stream; owned by one thread, deterministic.

    Parameters
    ----------
    weights : Path

    Attributes
    ----------
    silence_db : float
        dBFS RMS below which a tenth of a second is silence.
    smoothing : float
        Length of the leaky mean over the tags, seconds; 0 for none.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._frames, self._programme = Frames(), Programme(1 / FRAME, _NOMINAL)
        self._net = Stepper(weights, ("tags", "embedding"))
        self.silence_db, self.smoothing = SILENCE_DB, 0.0
        self._fade = math.exp(-FRAME / EMBEDDING_SECONDS)
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._net.reset()
        self._programme.reset()
        self._tags = [0.0] * len(TAGS)
        self._embedding = np.zeros(EMBEDDING)

    def step(self, block: F32) -> list[float]:
        """Take the newest 2824 samples, once per 2400.

        Returns
        -------
        list of float
            0–1 for each of ``TAGS``. In silence all others fade with it.
        """
        newest = block[-HOP:]
        self._programme.hear(newest)
        tags, embedding = self._net.step(self._frames.frames(block, self._programme.gain))
        level = 10 * math.log10(float(np.dot(newest, newest)) / HOP + 1e-12)
        silence = 1 / (1 + math.exp(max(-40.0, min(40.0, (level - self.silence_db) / _EDGE))))
        keep = math.exp(-FRAME / self.smoothing) if self.smoothing > 0 else 0.0
        now = (silence, *(tag * (1 - silence) for tag in tags.tolist()))
        self._tags = [keep * old + (1 - keep) * new for old, new in zip(self._tags, now)]
        self._embedding *= self._fade
        self._embedding += (1 - self._fade) * (1 - silence) * embedding
        return [min(1.0, max(0.0, tag)) for tag in self._tags]

    @property
    def embedding(self) -> tuple[float, ...]:
        """Colour of the last second as a unit vector of 64 numbers: the dot product of two is their similarity."""
        size = math.sqrt(float(self._embedding.dot(self._embedding)))
        return tuple((self._embedding / size).tolist()) if size > 1e-4 else (0.0,) * EMBEDDING
