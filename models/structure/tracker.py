"""Features, network and decisions in one: a tenth of a second of sound in, where in the piece we are out.

Both the plugin and the bench run this class, so what is measured is what is hosted.
"""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.dsp.belief import Belief
from models.dsp.programme import Programme
from models.dsp.stepper import F32, Stepper
from models.structure.features import ATTACKS, BLOWS, COLOURS, condense
from models.structure.labels import EVENTS, STATES
from models.tags.features import BANDS, HOP, INPUT, Frames

WEIGHTS = Path(__file__).with_name("structure.onnx")
RATE = INPUT.sample_rate / HOP
DELAY = 0.3
"""Seconds by which the network's answers are trained to trail the sound."""

RUNGS = (0.15, 0.5, 0.6, 1.0)
"""Energy that each state stands for."""
OVER = {"drop": (STATES.index("breakdown"), STATES.index("build"))}
"""States that an event ends: whoever is told of the drop is not to read "build" beside it."""
_RANGE_SECONDS = 60.0
_LEAST_RANGE = 1.5
"""Force by which even steady music may be softer than the loudest before its energy is none."""
_LOWER, _UPPER = COLOURS // 2, COLOURS - COLOURS // 2
_COLOUR = np.repeat([1 / COLOURS, 0], [COLOURS, ATTACKS + BLOWS + 1]).astype(np.float32)
"""Weights of a step's features in its mean colour."""
_FORCE = np.repeat([1 / COLOURS + 1 / _LOWER, 1 / COLOURS, 1 / ATTACKS, 0], [_LOWER, _UPPER, ATTACKS, BLOWS + 1])
_FORCE = _FORCE.astype(np.float32)
"""Weights in its force: colour, that of the lower half once more, and attacks."""
_QUIET = 0.35
"""Mean feature below which there is nothing to hear, log10(1 + 1e5 m)."""
_NOMINAL = 0.004
"""Power to which a quiet programme is raised: -24 dBFS."""


class Found(NamedTuple):
    """An event: its name, how sure the network is, and how long ago it happened, in seconds."""

    event: str
    strength: float
    ago: float


class Curves:
    """What is said of each event: as far as the network also hears the state that it leads to.

    A breakdown is that state alone, in the mean of 0.8 s, for a stop of a beat is none.
    """

    def __init__(self) -> None:
        self._lately: deque[float] = deque(maxlen=round(0.8 * RATE))

    def reset(self) -> None:
        """Nothing heard."""
        self._lately.clear()

    def step(self, state: F32, event: F32) -> list[float]:
        """Take one step's answers; a value for each of :data:`EVENTS`."""
        breakdown, build, groove, drop = state.tolist()
        begins, back, _, change = event.tolist()
        self._lately.append(breakdown)
        lately = sum(self._lately) / RATE / 0.8
        return [begins * build, back * min(1.0, groove + drop), min(1.0, lately), change]


class Rise:
    """Tells once when a curve rises through its threshold, from the fourth second on and not twice in a row."""

    def __init__(self, apart: float) -> None:
        self._apart = apart
        self.reset()

    def reset(self) -> None:
        """Nothing seen."""
        self._steps = 0
        self._since = math.inf
        self._armed = False

    def step(self, value: float, limit: float) -> bool:
        """Take one step's value."""
        self._steps += 1
        self._since += 1 / RATE
        if value < 0.5 * limit:
            self._armed = self._steps > 4 * RATE
        elif value >= limit and self._armed and self._since >= self._apart:
            self._armed, self._since = False, 0.0
            return True
        return False


class Loudness:
    """Where the sound's force lies between the softest and the loudest of the last minute or so, 0–1."""

    def __init__(self) -> None:
        self._fall = math.exp(-1 / (RATE * _RANGE_SECONDS))
        self._near = math.exp(-1 / (RATE * 0.8))
        self.reset()

    def reset(self) -> None:
        """Nothing heard."""
        self._low = self._high = self._now = math.nan

    def step(self, features: F32) -> float:
        """Take one step's features."""
        force = float(features.dot(_FORCE))
        if math.isnan(self._now):
            self._now = self._low = self._high = force
        self._now = self._near * self._now + (1 - self._near) * force
        self._high = max(self._now, self._now + self._fall * (self._high - self._now))
        self._low = min(self._now, self._now + self._fall * (self._low - self._now))
        return 1 - (self._high - self._now) / max(self._high - self._low, _LEAST_RANGE)


class StructureTracker:
    """The whole tracker of one stream; owned by one thread, deterministic.

    Attributes
    ----------
    sensitivity : float
        Above 1 more events are reported, below fewer.
    state : Belief
    energy, build : float
        0–1.
    """

    THRESHOLDS = {"build": 0.35, "drop": 0.55, "breakdown": 0.55, "change": 0.75}
    APART = {"build": 8.0, "drop": 8.0, "breakdown": 8.0, "change": 4.0}
    AGO = {"build": 1.0, "drop": 0.7, "breakdown": 1.2, "change": 0.5}
    """Seconds from an event to its report, in the middle."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._frames, self._programme = Frames(), Programme(RATE, _NOMINAL)
        self._net = Stepper(weights, ("state", "event"))
        self._loudness = Loudness()
        self._smooth = math.exp(-1 / (RATE * 0.7))
        self.state = Belief(len(STATES), RATE, 8.0, 0.6, 0.6)
        self.sensitivity = 1.0
        self._curves = Curves()
        self._rises = [Rise(self.APART[name]) for name in EVENTS]
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._net.reset()
        self._programme.reset()
        self._loudness.reset()
        self.state.reset()
        self._before = np.zeros(BANDS, np.float32)
        self._curves.reset()
        for rise in self._rises:
            rise.reset()
        self._steps = 0
        self.energy = self.build = 0.0
        self.answers = np.zeros(len(STATES), np.float32), np.zeros(len(EVENTS), np.float32)

    def step(self, block: F32) -> list[Found]:
        """Take the newest 2824 samples, once per 2400; what has just happened."""
        self._programme.hear(block[-HOP:])
        frames = self._frames.frames(block, self._programme.gain)
        features = condense(frames, self._before if self._steps else frames[0])[0]
        self._before = frames[-1]
        self._steps += 1
        state, event = self._net.step(features)
        self.answers = state, event
        heard = float(features.dot(_COLOUR)) > _QUIET
        self.state.step(state)
        found = self._events(self._curves.step(state, event))
        for f in found:
            if f.event in OVER:
                self.state.leave(OVER[f.event])
        self.build = self._smooth * self.build + (1 - self._smooth) * float(state[1]) * heard
        loud = self._loudness.step(features) if heard else 0.0
        expected = float(np.dot(self.state.belief, RUNGS))
        energy = (0.5 * expected + 0.5 * min(1.0, max(0.0, loud))) if heard else 0.0
        self.energy = self._smooth * self.energy + (1 - self._smooth) * energy
        return found

    def _events(self, curves: list[float]) -> list[Found]:
        return [
            Found(name, value, self.AGO[name])
            for name, value, rise in zip(EVENTS, curves, self._rises)
            if rise.step(value, self.THRESHOLDS[name] / self.sensitivity)
        ]
