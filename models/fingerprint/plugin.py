"""This is track X at 1:23: what sounds now against the fingerprints of one's own library."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from models.fingerprint.matching import Matcher
from realtime.errors import UserError
from realtime.hosting.plugin import (
    Array,
    AudioInput,
    Context,
    Descriptor,
    Feature,
    Output,
    Parameter,
    Plugin,
    Text,
)
from realtime.library import indexfile
from realtime.library.prints import STEP, Chromaprint

RATE, WINDOW = 16_000, 10.0
_JUMP = 2.0
"""Seconds by which a position may be off before it counts as another place."""


class Fingerprint(Plugin):
    """Chromaprint over the last ten seconds, every two seconds."""

    descriptor = Descriptor(
        identifier="fingerprint",
        name="Which recording (Chromaprint)",
        description="Title and position of a recording of your own library; needs libchromaprint and an index",
        maker="Sidechain; Chromaprint by Lukáš Lalinský",
        license="MIT; libchromaprint LGPL-2.1",
        version="1.0.0",
        input=AudioInput(RATE, channels=1, hop=2 * RATE, window=round(WINDOW * RATE)),
        lane="slow",
        latency=WINDOW / 2,
        parameters=(
            Parameter(
                "least", "Least score", "", 0.1, 1.0, 0.45, description="1: every bit agrees, 0: half of them"
            ),
            Parameter("hold", "Hold", "s", 0.0, 60.0, 6.0, description="how long a track is told after its match"),
        ),
        outputs=(
            Output("match", "event", "s", 0.0, math.inf, description="a track, or another place in it: position"),
            Output("track", "label", rate=0.5, description="title, or empty"),
            Output("position", "value", "s", 0.0, math.inf, rate=0.5, description="in the track, now"),
            Output("score", "value", rate=0.5, description="1: every bit agrees, 0: half of them, as by chance"),
        ),
        texts=(Text("index", "Index", "", description="made by 'sidechain index'; empty = the usual place"),),
    )

    _track: int
    _position: float
    _time: float

    def prepare(self, context: Context) -> None:
        """Load library and index; raises ``UserError`` when one is missing, or has no fingerprints."""
        self._values = dict(context.parameters)
        self._chromaprint = Chromaprint()
        given = context.texts.get("index", "")
        path = Path(given).expanduser() if given else indexfile.default_path()
        library = indexfile.load(path)
        if not len(library.prints):
            raise UserError(f"{path}: the index has no fingerprints; make it anew: sidechain index FOLDER")
        self._tracks = library.tracks
        self._matcher = Matcher(library)
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value

    def process(self, block: Array, time: float) -> list[Feature]:
        """Match the window; what was found last is told on for a while."""
        # Before the stream began there is nothing to be compared
        sounding = np.flatnonzero(block)
        heard = block[sounding[0] :] if len(sounding) else block[:0]
        query = self._chromaprint.fingerprint([heard], RATE, 1)
        match = self._matcher.match(query)
        score = max(0.0, 1 - 2 * match.errors) if match is not None else 0.0
        found: list[Feature] = []
        if match is not None and score >= self._values["least"]:
            track = self._tracks[match.track]
            at = min(max(0.0, match.offset * STEP + len(heard) / RATE), track.seconds)
            expected = self._position + time - self._time
            if match.track != self._track or abs(at - expected) > _JUMP:
                found.append(Feature("match", time, at, track.title))
            self._track, self._position, self._time = match.track, at, time
        elif time - self._time > self._values["hold"]:
            self._track = -1
        title, position = "", 0.0
        if self._track >= 0:
            track = self._tracks[self._track]
            title, position = track.title, min(self._position + time - self._time, track.seconds)
        return [
            *found,
            Feature("track", time, None, title),
            Feature("position", time, position),
            Feature("score", time, score),
        ]

    def reset(self) -> None:
        """Forget what was found."""
        self._track, self._position, self._time = -1, 0.0, 0.0
