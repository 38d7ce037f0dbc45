"""Tempo: a causal beat tracker without training, the dependable fallback beside the trained one."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.dsp.flux import FLUX, FLUX_SPEC
from models.tempo.pulse import STEP, PulseFilter, Reading
from realtime.hosting.plugin import Array, Context, Descriptor, Feature, Output, Parameter, Plugin
from realtime.musical import BeatObservation

_FRAMES = round(STEP * FLUX_SPEC.sample_rate / FLUX_SPEC.hop)
_EDGES = (150.0, 2000.0)
_EVERY = 4  # filter steps between observations: 25 a second
_DELAY = 0.018
_TAU, _QUIET, _LEAST = 10.0, 0.1, 0.004
_SLOWEST = 1 - math.exp(-STEP / _TAU)
_SLOW = 0.03  # of the shown tempo, per observation: about 1.3 s
_ACTIVITY = 1 - math.exp(-STEP / 1.0)


class Tempo(Plugin):
    """Bar-pointer filter on the spectral flux of three bands (see :mod:`models.tempo.pulse`).

    In silence the belief is only moved on, so the pulse is kept, and `evidence` is False.
    """

    descriptor = Descriptor(
        identifier="tempo",
        name="Tempo (untrained)",
        description="Beat, and tempo from spectral flux; 55 to 215 BPM",
        maker="Sidechain",
        license="MIT",
        version="1.0.0",
        input=FLUX,
        latency=_DELAY,
        parameters=(
            Parameter("caution", "Caution", "", 0.2, 5.0, 1.0, description="larger reports less confidence"),
        ),
        outputs=(Output("observation", "observation", "BPM", 55.0, 215.0, rate=25.0),),
    )

    _loudest: list[float]
    _mean: list[float]
    _frames: int
    _heard: int
    _activity: float
    _stable: float
    _lost: bool
    _time: float
    _position: float
    _period: float
    _tempo: float

    def prepare(self, context: Context) -> None:
        self._caution = context.parameters["caution"]
        self._sum = _bands()
        self._filter = PulseFilter()
        self.reset()

    def parameter(self, identifier: str, value: float) -> None:
        self._caution = value

    def process(self, block: Array, time: float) -> list[Feature] | None:
        flux = block.dot(self._sum).tolist()
        self._frames += 1
        if self._frames % _FRAMES:
            self._loudest = list(map(max, self._loudest, flux))
            return None
        self._step(list(map(max, self._loudest, flux)))
        self._loudest = [0.0] * 3
        steps = self._frames // _FRAMES
        if steps % _EVERY:
            return None
        return [Feature("observation", time, self._observe(time, self._filter.read()))]

    def _step(self, flux: list[float]) -> None:
        relative = [f / max(m, _LEAST) for f, m in zip(flux, self._mean)]
        self._activity += _ACTIVITY * (sum(relative) / len(relative) - self._activity)
        self._filter.move()
        if self._activity > _QUIET:
            self._heard += 1
            rate = max(_SLOWEST, 1 / (self._heard + 20))
            self._mean = [m + rate * (f - m) for f, m in zip(flux, self._mean)]
            self._filter.hear(relative)

    def _observe(self, time: float, reading: Reading) -> BeatObservation:
        position = reading.position + _DELAY / reading.period
        drift = position - self._position - (time - self._time) / reading.period
        same = abs(reading.period / self._period - 1) < 0.08 and abs(drift - round(drift)) < 0.2
        self._time, self._position, self._period = time, position, reading.period
        relocated = False
        if same:
            self._stable += _EVERY * STEP
            self._tempo += max(_SLOW, _EVERY * STEP / self._stable) * (60.0 / reading.period - self._tempo)
            relocated = self._lost and self._stable >= 1.0
            self._lost &= not relocated
        else:
            self._lost |= self._stable >= 1.0
            self._stable = 0.0
            self._tempo = 60.0 / reading.period
        known = self._heard * STEP > 1.0
        confidence = _probability(reading.mass, self._stable) ** self._caution if known else 0.0
        return BeatObservation(
            time=time,
            tempo=self._tempo,
            phase=position % 1.0,
            confidence=confidence,
            relocated=relocated,
            evidence=self._activity > _QUIET,
        )

    def reset(self) -> None:
        self._filter.reset()
        self._loudest, self._mean = [0.0] * 3, [0.03] * 3
        self._activity, self._stable, self._lost = 0.0, 0.0, False
        self._frames, self._heard = 0, 0
        self._time, self._position, self._period = 0.0, 0.0, 1.0
        self._tempo = 60.0


def _bands() -> npt.NDArray[np.float32]:
    """Matrix (bands, 3): means over low, middle and high mel bands, from natural logarithms to powers of ten."""
    edges = [2595 * math.log10(1 + f / 700) for f in (FLUX_SPEC.fmin, FLUX_SPEC.fmax)]
    mel = np.linspace(edges[0], edges[1], FLUX_SPEC.bands + 2)
    centre = 700 * (10 ** (mel[1:-1] / 2595) - 1)
    member = (np.digitize(centre, _EDGES)[:, None] == np.arange(3)).astype(np.float64)
    return (member / member.sum(0) / math.log(10.0)).astype(np.float32)


def _probability(mass: float, stable: float) -> float:
    """How often a pulse so concentrated and stable for so long (s) was right on recordings (logistic fit)."""
    odds = math.log(max(mass, 0.02) / max(1 - mass, 0.02))
    return 1 / (1 + math.exp(0.8 - 0.54 * odds - 0.72 * math.log1p(min(stable, 10.0))))
