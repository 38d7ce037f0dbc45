"""Exact forward filter over tempo, position in the beat, beat of the bar and metre.

The state space is that of Krebs, Böck and Widmer, "An efficient state-space model for joint tempo and meter
tracking" (ISMIR 2015): one chain of positions per tempo, one position per 10 ms, tempo changes only at a beat,
with probability ``exp(-lambda |ratio - 1|)``. Two things make it cheap enough for plain numpy:

* A chain is a ring. Moving every state on by one position is moving one index per tempo; only the states that
  cross a beat are touched and mixed.
* An observation is told as a likelihood ratio against "no beat", so only the states near a beat are multiplied.

About 55 000 states cost well under 0.3 ms per 20 ms frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

STEP = 0.010
"""Seconds per position."""
CENTRE = 1
"""The position at which a beat lies: states one before and one after are near it, too."""


@dataclass(frozen=True)
class FilterConfig:
    """Constants of the filter.

    Attributes
    ----------
    metres : tuple of int
        Beats per bar that are considered.
    low, high : float
        Tempo range, BPM.
    spread : float
        Lambda: how unlikely a change of tempo is.
    restart : float
        Probability per step that the music is cut and everything starts anew.
    metre_change : float
        Probability per bar of another metre.
    evidence : tuple of float
        Exponents of the likelihood ratio at the positions before, at and after the beat.
    beat_prior, downbeat_prior : float
        Class priors that the network's probabilities are divided by.
    octave_centre, octave_width : float
        Log-normal prior of tempo at (re)start: BPM, octaves.
    """

    metres: tuple[int, ...] = (3, 4)
    low: float = 40.0
    high: float = 280.0
    spread: float = 100.0
    restart: float = 1e-5
    metre_change: float = 1e-3
    evidence: tuple[float, float, float] = (0.25, 0.5, 0.25)
    beat_prior: float = 0.10
    downbeat_prior: float = 0.27
    downbeat_weight: float = 1.0
    floor: float = 0.02
    octave_centre: float = 120.0
    octave_width: float = 1.0


def intervals(low: float, high: float, ratio: float = 0.012) -> I64:
    """Beat periods in positions: all whole ones, thinned where they lie closer than `ratio`."""
    out = [round(60 / high / STEP)]
    while True:
        following = max(out[-1] + 1, int(np.ceil(out[-1] * (1 + ratio))))
        if following > round(60 / low / STEP):
            return np.array(out, np.int64)
        out.append(following)


class BarPointer:
    """The filter. Owned by one thread; allocates only small temporaries per step.

    Attributes
    ----------
    periods : ndarray of int, shape (tempi,)
        Beat period of each chain in positions.
    belief : ndarray of float32, shape (states, beats)
        Weight of every (tempo and ring slot, beat of a metre); sums to 1 after :meth:`renew`.
    heads : ndarray of int, shape (tempi,)
        Ring slot of position 0 of each chain.
    later, earlier : ndarray of int, shape (beats,)
        ``bar[later]`` is `bar` as seen one beat later.
    """

    def __init__(self, config: FilterConfig | None = None) -> None:
        self.config = c = config or FilterConfig()
        self.periods = intervals(c.low, c.high)
        self.tempi = 60.0 / (self.periods * STEP)
        self.offsets = np.concatenate([[0], np.cumsum(self.periods)[:-1]]).astype(np.int64)
        self.states = int(self.periods.sum())
        self.beats = sum(c.metres)
        self.rows = [slice(sum(c.metres[:k]), sum(c.metres[: k + 1])) for k in range(len(c.metres))]
        ratio = self.periods[None, :] / self.periods[:, None]
        self._free = np.exp(-c.spread * np.abs(ratio - 1.0))
        self._succession = self._next_beat(c)
        self.earlier = np.concatenate([np.roll(np.arange(r.start, r.stop), -1) for r in self.rows])
        self.later = np.argsort(self.earlier)
        self._ones = np.ones(self.beats, np.float32)
        self._first = np.array([k for r in self.rows for k in (1.0, *[0.0] * (r.stop - r.start - 1))], np.float32)
        self._now = np.array([*c.evidence, 0.0])[:, None]
        self._before = np.array([0.0, *c.evidence])[:, None]
        self._near = np.arange(len(self._now))[:, None]
        self.chain = np.repeat(np.arange(len(self.periods)), self.periods)
        self.slot = np.arange(self.states) - self.offsets[self.chain]
        self.window(c.low, c.high)
        self.reset()

    def _next_beat(self, c: FilterConfig) -> F32:
        """``(beats, beats)``: from the beat that ends to the one that begins."""
        out = np.zeros((self.beats, self.beats), np.float32)
        for r in self.rows:
            for k in range(r.start, r.stop - 1):
                out[k, k + 1] = 1.0
            others = [q.start for q in self.rows if q is not r]
            out[r.stop - 1, r.start] = 1.0 - (c.metre_change if others else 0.0)
            for o in others:
                out[r.stop - 1, o] = c.metre_change / len(others)
        return out

    def window(self, low: float, high: float) -> None:
        """Allow only tempi in ``low … high`` BPM (at least the nearest one to it)."""
        inside = (self.tempi >= low * 0.995) & (self.tempi <= high * 1.005)
        if not inside.any():
            inside[np.argmin(np.abs(np.log(self.tempi / np.sqrt(low * high))))] = True
        c = self.config
        octaves = np.log2(self.tempi / c.octave_centre) / c.octave_width
        # equal weight per octave: chains lie the denser the slower they are
        density = np.gradient(np.log(self.periods))
        prior = np.where(inside, np.exp(-0.5 * octaves**2) * density, 0.0)
        prior /= prior.sum()
        metre = np.concatenate([np.full(m, 1.0 / (m * len(c.metres))) for m in c.metres])
        start = (prior / self.periods)[self.chain][:, None] * metre[None, :]
        self._start = start.astype(np.float32)
        change = self._free * inside[None, :]
        change[:, inside] += 1e-12
        self._change = (change / change.sum(1, keepdims=True)).astype(np.float32)

    def reset(self) -> None:
        """Know nothing."""
        self.heads = np.zeros(len(self.periods), np.int64)
        self.belief = self._start.copy()
        self._odd = np.zeros(len(self.periods))

    def begin(self, factor: float) -> None:
        """Make a downbeat about now `factor` times as likely as it was: music is starting."""
        for near, share in ((CENTRE - 1, 0.6), (CENTRE, 1.0), (CENTRE + 1, 1.0), (CENTRE + 2, 0.6)):
            slots = self.offsets + (self.heads + near) % self.periods
            self.belief[slots] *= 1 + np.float32((factor - 1) * share) * self._first

    def advance(self) -> None:
        """Move on by one position (10 ms)."""
        heads = self.heads
        heads -= 1
        heads += (heads < 0) * self.periods
        crossing = self.offsets + heads
        self.belief[crossing] = self._change.T @ (self.belief[crossing] @ self._succession)

    def coast(self, tempo: float, steps: int = 1) -> None:
        """Move on by `steps` at `tempo` without any doubt growing: every chain turns at that one speed."""
        self._odd += self.periods * (tempo * steps * STEP / 60.0)
        while (due := np.flatnonzero(self._odd >= 1.0)).size:
            self._odd[due] -= 1.0
            heads = self.heads[due] - 1
            heads += (heads < 0) * self.periods[due]
            self.heads[due] = heads
            crossing = self.offsets[due] + heads
            self.belief[crossing] = self.belief[crossing] @ self._succession

    def evidence(self, beat: float, downbeat: float, bar: F64 | float = 1.0, weight: float = 1.0) -> F64:
        """What the network says about an instant, as log likelihood ratios against "no beat".

        Parameters
        ----------
        beat : float
            Probability of a beat here.
        downbeat : float
            Probability that it is a downbeat if it is a beat.
        bar : ndarray, shape (beats,), or 1
            Likelihood of each beat of each metre, if a beat is here.
        weight : float
            Exponent, 0 … 1: how far to believe it.

        Returns
        -------
        ndarray, shape (beats,)
        """
        c = self.config
        a = min(max(beat, c.floor), 1.0 - c.floor)
        odds = a / (1 - a) * (1 - c.beat_prior) / c.beat_prior
        # away from beats the second answer means nothing, so it fades with the first
        q = min(max(downbeat, 0.02), 0.98) * beat + c.downbeat_prior * (1 - beat)
        p = c.downbeat_prior
        share = np.where(self._first > 0, q / p, (1 - q) / (1 - p)) ** c.downbeat_weight
        return np.log(odds * share * bar) * weight

    def observe(self, before: F64, now: F64) -> None:
        """Take the evidence of the last two steps at once: of the one before and of this one.

        Equal to observing after each step, since no state that was near a beat a step ago has crossed one since.
        """
        ratio = np.exp(self._now * now + self._before * before).astype(np.float32)
        slots = self.heads[None, :] + self._near
        slots -= (slots >= self.periods) * self.periods
        self.belief[self.offsets + slots] *= ratio[:, None, :]

    def renew(self, tempo: F64 | None = None, steps: int = 1) -> None:
        """Scale to 1 and leave room for a cut; every few frames will do.

        Parameters
        ----------
        tempo : ndarray, shape (tempi,), optional
            Likelihood of each chain's tempo, taken in at the same time.
        steps : int
            Steps since the last call.
        """
        weight = np.ones(len(self.periods)) if tempo is None else tempo
        marginal = self.marginal()
        total = float(np.add.reduceat(marginal, self.offsets).astype(float) @ weight)
        if not np.isfinite(total) or total <= 0:
            self.belief[:] = self._start
            return
        cut = self.config.restart * steps
        self.belief *= ((1.0 - cut) / total * weight).astype(np.float32)[self.chain, None]
        self.belief += self._start * np.float32(cut)

    def marginal(self) -> F32:
        """Weight per state, beats of the bar and metres summed, shape ``(states,)``."""
        return self.belief @ self._ones

    def turns(self, first: int, last: int) -> tuple[slice, I64, F64]:
        """States of chains ``first … last - 1``, their periods, and how far each is on its way to the next beat.

        The way is counted in beats from where the bar pointer steps on, ``CENTRE`` positions before the beat.
        """
        end = self.offsets[last] if last < len(self.offsets) else self.states
        states = slice(int(self.offsets[first]), int(end))
        chain = self.chain[states]
        periods = self.periods[chain]
        way = self.slot[states] - self.heads[chain]
        way += (way < 0) * periods
        return states, periods, way / periods
