"""Genre family and parts that play, from a picture of the last 2.6 s, four times a second."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.melcnn.features import INPUT, LENGTH, Picture, level
from models.melcnn.labels import GENRES, PARTS
from realtime.hosting.inference import open_session
from realtime.hosting.plugin import Array, Context, Descriptor, Feature, Output, Parameter, Plugin

WEIGHTS = Path(__file__).with_name("melcnn.onnx")
_QUIET = 1e-4
"""Root mean square of a window in which nothing sounds (−80 dBFS)."""
_RATE = INPUT.sample_rate / INPUT.hop


class MelCNN(Plugin):
    """The 128×128 mel CNN. In silence it says nothing, so that what it said grows old."""

    descriptor = Descriptor(
        identifier="melcnn",
        name="Genre and parts (mel CNN)",
        description="Families of genres, and drums, bass, chords, pads, lead, voice; weak, see its card",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        input=INPUT,
        lane="slow",
        latency=LENGTH / INPUT.sample_rate / 2,
        parameters=(Parameter("smoothing", "Smoothing", "s", 0.0, 60.0, 3.0, description="of all scores"),),
        outputs=(
            *(Output(g, "value", rate=_RATE, description=f"{g}, 0 to 1; all genres together 1") for g in GENRES),
            *(Output(f"part_{p}", "value", rate=_RATE, description=f"{p} plays, 0 to 1") for p in PARTS),
            Output("genre", "label", rate=_RATE, description="the likeliest, or empty"),
            Output("confidence", "value", rate=_RATE, description="score of the likeliest"),
        ),
    )

    _scores: npt.NDArray[np.float64] | None

    def prepare(self, context: Context) -> None:
        """Load the network; raises ``UserError`` if it cannot be read."""
        self._smoothing = context.parameters["smoothing"]
        self._session = open_session(WEIGHTS)
        self._picture = Picture()
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._smoothing = value

    def process(self, block: Array, time: float) -> list[Feature]:
        """One picture."""
        loud = math.sqrt(float(np.dot(block, block)) / len(block))
        if not loud >= _QUIET:
            self._scores = None
            return [Feature("genre", time, None, ""), Feature("confidence", time, 0.0)]
        genres, parts = self._session.run(None, {"picture": level(self._picture.raw(block))[None]})
        now = np.clip(np.concatenate([genres[0], parts[0]]).astype(np.float64), 0, 1)
        keep = math.exp(-1 / _RATE / self._smoothing) if self._smoothing > 0 and self._scores is not None else 0.0
        self._scores = now if self._scores is None else keep * self._scores + (1 - keep) * now
        scores = self._scores.tolist()
        best = max(range(len(GENRES)), key=scores.__getitem__)
        return [
            *(Feature(n, time, s) for n, s in zip((*GENRES, *(f"part_{p}" for p in PARTS)), scores)),
            Feature("genre", time, None, GENRES[best]),
            Feature("confidence", time, scores[best]),
        ]

    def reset(self) -> None:
        """Forget all sound."""
        self._scores = None
