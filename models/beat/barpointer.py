"""Exact forward filter over tempo, position in the beat, beat of the bar and metre.

The state space is that of Krebs, Böck and Widmer, "An efficient state-space model for joint tempo and meter
tracking" (ISMIR 2015): one chain of positions per tempo, one position per 10 ms, tempo changes only at a beat,
with probability ``exp(-lambda |ratio - 1|)``. Three things make it cheap enough for plain numpy:

* States are kept by how long it is until they pass their beat. All that pass at one instant lie in one row of a
  ring, whatever their tempo: moving on moves one index, and only the rows that pass are mixed.
* An observation is told as a likelihood ratio against "no beat", so only the few rows near a beat are multiplied.
* Which beat of the bar it is shows only near beats. In between the shares of the beats of the bar within a state
  stay as they are, and everything else (accents, tempo, the reading of the phase) works on the states' weights.

The 50 778 states (7 254 places, 7 beats of two metres) cost about 0.05 ms per 20 ms frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

STEP = 0.010
"""Seconds per position."""
STEPS = 2
"""Positions per frame."""
CENTRE = 1
"""Steps before a state passes on at which its beat lies: one before and one after are near it, too."""
NEAR = 5
"""Rows in which something is observed during a frame, from the second on."""
_FOUR = 9.0
"""How many times as common bars of four beats are as those of each other metre."""
_LEAST = np.array(1e-30, np.float32)


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


def one_later(metres: tuple[int, ...]) -> I64:
    """``bar[one_later(metres)]`` is `bar`, one value a beat of every metre, as seen one beat later."""
    ends = np.cumsum(metres)
    return np.concatenate([np.roll(np.arange(e - m, e), 1) for e, m in zip(ends, metres)])


def usual(metres: tuple[int, ...]) -> F64:
    """Probability of each beat of every metre when nothing is known; shape ``(sum(metres),)``."""
    weights = [_FOUR if m == 4 else 1.0 for m in metres]
    return np.concatenate([np.full(m, w / (m * sum(weights))) for m, w in zip(metres, weights)])


class BarPointer:
    """The filter. Owned by one thread; allocates only small temporaries per step.

    Attributes
    ----------
    periods : ndarray of int, shape (tempi,)
        Beat period of each chain in positions.
    weight : ndarray of float32, shape (rows, tempi)
        Of every state, all beats of the bar together; row ``(head + n) % rows`` passes on after `n` more steps.
    share : ndarray of float32, shape (rows, beats, tempi)
        Within each state, of the beat that it is coming to; each sums to 1.
    head : int
        Row that passes on next.
    phase : ndarray of float32, shape (rows, tempi)
        Of the beat, [0, 1), by steps left and tempo.
    later, earlier : ndarray of int, shape (beats,)
        ``bar[later]`` is `bar` as seen one beat later.
    """

    def __init__(self, config: FilterConfig | None = None) -> None:
        self.config = c = config or FilterConfig()
        self.periods = intervals(c.low, c.high)
        self.tempi = 60.0 / (self.periods * STEP)
        self.size = len(self.periods)
        self.ring = int(self.periods[-1])
        self.beats = sum(c.metres)
        self.rows = [slice(sum(c.metres[:k]), sum(c.metres[: k + 1])) for k in range(len(c.metres))]
        ratio = self.periods[None, :] / self.periods[:, None]
        self._free = np.exp(-c.spread * np.abs(ratio - 1.0))
        self._succession = self._next_beat(c)
        self.later = one_later(c.metres)
        self.earlier = np.argsort(self.later)
        self.first = np.array([k for r in self.rows for k in (1.0, *[0.0] * (r.stop - r.start - 1))], np.float32)
        left = np.arange(self.ring)[:, None]
        self.phase = ((self.periods + CENTRE - left) / self.periods % 1.0).astype(np.float32)
        self._inside = left < self.periods
        before, at, after = c.evidence
        # what the two steps of a frame say about each row
        self._exponents = np.array([[after, 0.0], [at, after], [before, at], [0.0, before], [0.0, 0.0]])
        self._all = np.ones(self.ring, np.float32)
        lands = (left + self.periods) % self.ring
        self._landing = lands * self.size + np.arange(self.size)
        beat = np.arange(self.beats)[None, :, None]
        self._shares = (lands[:, None, :] * self.beats + beat) * self.size + np.arange(self.size)
        self._ahead = np.arange(2 * self.ring) % self.ring
        self._joint, self._passed, self._new = np.zeros((3, STEPS, self.beats, self.size), np.float32)
        self._passed_rows, self._new_rows = (a.reshape(-1, self.size) for a in (self._passed, self._new))
        self._factor = np.zeros((), np.float32)
        self._restart = np.zeros((self.beats, self.size), np.float32)
        # What is told about the rows: the logarithms of "another beat", of "first" against it, and of the bar.
        self._basis = np.stack([np.ones(self.beats), self.first, np.zeros(self.beats)])
        self.window(c.low, c.high)
        self.reset()

    def _next_beat(self, c: FilterConfig) -> F32:
        """``(beats, beats)``: to each beat from the one that is passed."""
        out = np.zeros((self.beats, self.beats), np.float32)
        for r in self.rows:
            for k in range(r.start, r.stop - 1):
                out[k + 1, k] = 1.0
            others = [q.start for q in self.rows if q is not r]
            out[r.start, r.stop - 1] = 1.0 - (c.metre_change if others else 0.0)
            for o in others:
                out[o, r.stop - 1] = c.metre_change / len(others)
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
        self._prior = (prior / prior.sum()).astype(np.float32)
        self._metre = usual(c.metres).astype(np.float32)
        change = self._free * inside[None, :]
        change[:, inside] += 1e-12
        self._change = (change / change.sum(1, keepdims=True)).astype(np.float32)
        # a cut lets everything start anew; whatever passes on makes room for that
        self._anew = np.float32(c.restart) * self._metre[:, None] * self._prior

    def reset(self) -> None:
        """Know nothing."""
        self.head = 0
        self.weight = (self._inside * (self._prior / self.periods)).astype(np.float32)
        self.share = np.tile(self._metre[:, None], (self.ring, 1, self.size))
        self.total = 1.0
        self._odd = np.zeros(self.size)
        self._frozen = 0.0

    def doubt(self, share: float) -> None:
        """Give `share`, 0–1, of the belief to that of somebody who has heard nothing."""
        if self._frozen:
            self._settle()
        fresh = np.roll(self._inside * (self._prior / self.periods), self.head, 0).astype(np.float32)
        fresh *= share / fresh.sum()
        self.weight *= (1.0 - share) / self.weight.sum()
        self.weight += fresh
        fresh /= self.weight + _LEAST
        self.share *= 1.0 - fresh[:, None, :]
        self.share += self._metre[:, None] * fresh[:, None, :]
        self.total = 1.0

    def begin(self, factor: float) -> None:
        """Make a downbeat about now `factor` times as likely as it was: music is starting."""
        likely = 1 + (factor - 1) * np.array([1.0, 1.0, 0.6])[:, None] * self.first
        self._multiply(self.head, likely.astype(np.float32))

    def advance(self, ratios: F32 | None = None) -> None:
        """Move on by a frame (two positions).

        Parameters
        ----------
        ratios : ndarray of float32, shape (NEAR, beats), optional
            Likelihood of each beat of the bar against "no beat", taken in on the way: from :meth:`evidence`,
            perhaps times something else.
        """
        if self._frozen:
            self._settle()
        if ratios is not None:
            self._multiply((self.head + 1) % self.ring, ratios)
        passing = self._rows(self.head, STEPS)
        np.multiply(self.share[passing], self.weight[passing][:, None, :], out=self._joint)
        np.matmul(self._succession, self._joint, out=self._passed)
        self._passed_rows.dot(self._change, self._new_rows)
        new = self._new
        self._factor[()] = self.total
        new += np.multiply(self._anew, self._factor, out=self._restart)
        mass = np.add.reduce(new, axis=1)
        new /= (mass + _LEAST)[:, None, :]
        self.weight[passing] = 0.0
        self.weight.put(self._landing[passing], mass)
        self.share.put(self._shares[passing], new)
        self.head = (self.head + STEPS) % self.ring

    def _rows(self, first: int, count: int) -> slice | I64:
        """So many rows from `first` on: quick to read and write in place unless they go over the ring's end."""
        end = first + count
        return slice(first, end) if end <= self.ring else self._ahead[first:end]

    def _multiply(self, first: int, ratios: F32) -> None:
        """Take in likelihoods ``(rows, beats)`` of the rows from `first` on."""
        rows = self._rows(first, len(ratios))
        share = self.share[rows]
        share *= ratios[:, :, None]
        mass = np.add.reduce(share, axis=1)
        self.weight[rows] *= mass
        share /= (mass + _LEAST)[:, None, :]
        if not isinstance(rows, slice):
            self.share[rows] = share

    def accent(self, places: I64, likely: F32) -> None:
        """Multiply the weights of single states.

        Parameters
        ----------
        places : ndarray of int
            ``steps left * tempi + tempo`` of each; no two the same.
        likely : ndarray of float32
        """
        flat = self.weight.reshape(-1)
        places = places + self.head * self.size
        flat.put(places, flat.take(places, mode="wrap") * likely, mode="wrap")

    def coast(self, tempo: float, seconds: float) -> None:
        """Turn at `tempo` without any doubt growing: every chain at that one speed, from the next use on."""
        self._frozen += tempo * seconds / 60.0

    def _settle(self) -> None:
        """Do what :meth:`coast` has put off."""
        exact = self.periods * self._frozen + self._odd
        turned = exact.astype(np.int64)
        self._odd, self._frozen = exact - turned, 0.0
        came = np.arange(self.ring)[:, None] + turned
        passed = came // self.periods
        source = np.where(self._inside, came % self.periods + self.head, 0) % self.ring
        chain = np.arange(self.size)
        weight, share = self.weight[source, chain], self.share.transpose(0, 2, 1)[source, chain]
        weight[~self._inside] = 0.0
        for beat in range(1, int(passed[self._inside].max()) + 1):
            on = passed >= beat
            share[on] = share[on] @ self._succession.T
        self.weight, self.share, self.head = weight, np.ascontiguousarray(share.transpose(0, 2, 1)), 0

    def evidence(self, steps: tuple[tuple[float, float, float], ...], bar: F64 | float = 1.0) -> F32:
        """What the network says about the two instants of a frame, for :meth:`advance`.

        Parameters
        ----------
        steps : tuple of (beat, downbeat, weight)
            Probability of a beat at each instant; that it is a downbeat if it is a beat; exponent, 0 … 1: how far
            to believe it.
        bar : ndarray, shape (beats,), or 1
            Likelihood of each beat of each metre, if a beat is here.

        Returns
        -------
        ndarray, shape (NEAR, beats)
            Likelihood ratios against "no beat".
        """
        c, p = self.config, self.config.downbeat_prior
        told = []
        for beat, downbeat, weight in steps:
            a = min(max(beat, c.floor), 1.0 - c.floor)
            odds = a / (1 - a) * (1 - c.beat_prior) / c.beat_prior
            # away from beats the second answer means nothing, so it fades with the first
            q = min(max(downbeat, 0.02), 0.98) * beat + p * (1 - beat)
            one, other = math.log(odds * q / p), math.log(odds * (1 - q) / (1 - p))
            told.append((weight * other, weight * (one - other), weight))
        np.log(bar, out=self._basis[-1])
        return np.exp(self._exponents.dot(told).dot(self._basis)).astype(np.float32)

    def renew(self, tempo: F64 | None = None) -> None:
        """Scale to 1; every few frames will do.

        Parameters
        ----------
        tempo : ndarray, shape (tempi,), optional
            Likelihood of each chain's tempo, taken in at the same time.
        """
        weight = np.ones(self.size) if tempo is None else tempo
        total = float(self.marginal() @ weight)
        if not np.isfinite(total) or total <= 0:
            self.reset()
            return
        self.weight *= (weight / total).astype(np.float32)
        self.total = 1.0

    def marginal(self) -> F32:
        """Weight of each tempo, shape ``(tempi,)``."""
        found: F32 = self._all @ self.weight
        self.total = float(np.add.reduce(found))
        return found

    def around(self, low: int, high: int) -> tuple[F32, F32, slice | I64]:
        """States of chains ``low … high - 1``.

        Returns
        -------
        weights, phases : ndarray of float32, shape (steps left, chains)
            To read only: they may be the filter's own.
        rows : slice or ndarray of int
            Of `weight` and `share`.
        """
        if self._frozen:
            self._settle()
        longest = int(self.periods[high - 1])
        rows = self._rows(self.head, longest)
        return self.weight[rows, low:high], self.phase[:longest, low:high], rows
