"""A musical clock from another tracker's activations: BEAST, Beat-Transformer or their like, hosted as a bundle.

The bundle answers a few times a second with the activations of a whole window. Of those the newest that the
network has had enough look-ahead for are taken, brought to the decoder's frames, and read by the same decoder that
reads our own network. What it then believes lies some tenths of a second back; it is told for now, at the tempo it
has found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.beat.decoder import FRAME_SECONDS, BeatDecoder
from models.beat.features import LABEL_DELAY
from realtime.hosting.kinds import CombinePlugin, Latest
from realtime.hosting.plugin import ENGINE_RATE, AudioInput, Context, Descriptor, Feature, Output, Parameter
from realtime.musical import BeatObservation

MOST_FRAMES = 3
"""Frames of the decoder in one call: a new window is worked off over the calls that follow."""

STALE = 3.0
"""Seconds after which activations say nothing about now."""

_NONE: npt.NDArray[np.float64] = np.zeros((0, 2))


class BeatActivations(CombinePlugin):
    """Reads ``sources`` (a vector of beat, downbeat, beat, downbeat …; the newest frame last)."""

    descriptor = Descriptor(
        identifier="beat-activations",
        name="Beats from activations",
        description="Our decoder on the activations of a beat network that is hosted as a bundle",
        maker="Sidechain",
        license="MIT",
        version="1",
        kind="combine",
        input=AudioInput(ENGINE_RATE, 1, round(FRAME_SECONDS * ENGINE_RATE)),
        sources=("beast.activations",),
        outputs=(Output("pulse", "observation", rate=1 / FRAME_SECONDS, description="Belief for the transport"),),
        parameters=(
            Parameter("frame_rate", "Frames", "Hz", 10.0, 200.0, 44_100 / 1024, description="of the activations"),
            Parameter("lag_ms", "Look-ahead", "ms", 0.0, 5000.0, 400.0, description="newest frames not yet used"),
            Parameter("tail_ms", "Tail", "ms", -500.0, 500.0, 12.0, description="from the last frame to the end"),
            Parameter("low_bpm", "Slowest tempo", "BPM", 40, 280, 40),
            Parameter("high_bpm", "Fastest tempo", "BPM", 40, 280, 280),
        ),
        latency=0.6,
    )

    _frame: int
    _end: float
    _window: npt.NDArray[np.float64]

    def prepare(self, context: Context) -> None:
        self._values = dict(context.parameters)
        self._decoder = BeatDecoder()
        self._tempi()
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._values[identifier] = value
        self._tempi()

    def _tempi(self) -> None:
        low, high = sorted((self._values["low_bpm"], self._values["high_bpm"]))
        self._decoder.filter.window(low, high)

    def combine(self, results: Mapping[str, Latest], time: float) -> list[Feature]:
        found = [r for r in results.values() if isinstance(r.value, tuple) and len(r.value) > 1]
        if found:
            self._take(max(found, key=lambda r: r.time))
        for _ in range(MOST_FRAMES):
            if not self._step():
                break
        return [Feature("pulse", time, self._now(time))]

    def _take(self, newest: Latest) -> None:
        """Keep a new window."""
        if newest.time == self._end or not isinstance(newest.value, tuple):
            return
        values = np.asarray(newest.value, np.float64)
        self._window, self._end = values[: len(values) // 2 * 2].reshape(-1, 2), newest.time
        first = self._usable() - 1.0
        if self._frame * FRAME_SECONDS < first:  # the beginning, or a gap: what lies far back helps nobody
            if self._frame:
                self._decoder.reset()
            self._frame = max(0, math.ceil(first / FRAME_SECONDS))

    def _usable(self) -> float:
        """Stream time up to which activations are taken as they are."""
        return self._end - self._values["lag_ms"] / 1000.0

    def _step(self) -> bool:
        """One frame of the decoder, if its activations are there."""
        at = self._frame * FRAME_SECONDS
        if not len(self._window) or at > self._usable():
            return False
        last = self._end - self._values["tail_ms"] / 1000.0
        place = len(self._window) - 1 - (last - at) * self._values["frame_rate"]
        below = min(max(math.floor(place), 0), len(self._window) - 1)
        above, part = min(below + 1, len(self._window) - 1), min(max(place - below, 0.0), 1.0)
        beat, downbeat = self._window[below] * (1.0 - part) + self._window[above] * part
        beat = min(max(beat, 1e-4), 0.999)
        # theirs is of a downbeat at all, the decoder's of a downbeat if there is a beat
        pulse = np.array([beat, min(max(downbeat / beat, 0.01), 0.99)])
        self._decoder.step(pulse, at + LABEL_DELAY)
        self._frame += 1
        return True

    def _now(self, time: float) -> BeatObservation:
        """The belief, carried on to `time`."""
        seen = self._decoder.observation()
        if not self._frame or time - self._end > STALE:
            return replace(seen, time=time, evidence=False, relocated=False)
        beats = seen.phase + (time - seen.time) * seen.tempo / 60.0
        number = seen.beat_in_bar
        if number and seen.beats_per_bar:
            number = (number - 1 + math.floor(beats)) % seen.beats_per_bar + 1
        return replace(seen, time=time, phase=beats % 1.0, beat_in_bar=number)

    def reset(self) -> None:
        self._decoder.reset()
        self._frame, self._end, self._window = 0, -math.inf, _NONE
