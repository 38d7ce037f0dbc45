"""Exact forward filter over tempo, position in the beat, beat of the bar and metre.

The state space is that of Krebs, Böck and Widmer, "An efficient state-space model for joint tempo and meter
tracking" (ISMIR 2015): one chain of positions per tempo, one position per 10 ms, tempo changes only at a beat,
with probability ``exp(-lambda |ratio - 1|)``; now and then by an octave, too, for which level of the metre is the
beat shows late, or changes. Three things make it cheap enough for plain numpy:

* States are kept by how long it is until they pass their beat. All that pass at one instant lie in one row of a
  ring, whatever their tempo: moving on moves one index, and only the rows that pass are mixed. Of a period that is
  not whole, what passes goes on in two rows, in proportion.
* An observation is told as a likelihood ratio against "no beat", so only the few rows near a beat are multiplied.
* Which beat of the bar it is shows only near beats. In between the shares of the beats of the bar within a state
  stay as they are, and everything else (accents, tempo, the reading of the phase) works on the states' weights.

How far each source of evidence is to be trusted differs from music to music, and is not known beforehand. So
several beliefs go side by side, each with a trust of its own, and what is read is their mean (M. Stone, "The
opinion pool", 1961; J. Hoeting et al., "Bayesian model averaging: a tutorial", 1999): a pulse on which most of
them agree wins, as in a committee of trackers (J. Zapata, M. Davies, E. Gómez, "Multi-feature beat tracking",
2014). Beliefs that hear beats alike share what they think of the beat of the bar.

The 39 949 states (5 707 places, 7 beats of two metres) of three beliefs move on by 40 ms at a time. That is exact:
no state passes two beats in one move, and what is heard meanwhile is taken in at the place where a state was then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.beat.features import FPS, PAIR
from models.beat.statespace import STEP, FilterConfig, felt, intervals, octaves, one_later, succession, usual

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Instant = tuple[float, float, float]

STEPS = round(PAIR / FPS / STEP)
"""Positions per move."""
CENTRE = 1
"""Steps before a state passes on at which its beat lies: one before and one after are near it, too."""
NEAR = STEPS + 3
"""Rows in which something is observed during a move, from the second on."""
_LEAST = np.array(1e-30, np.float32)


class BarPointer:
    """The filter. Owned by one thread; allocates only small temporaries per step.

    Attributes
    ----------
    periods : ndarray, shape (tempi,)
        Beat period of each chain in positions, whole or not.
    weight : ndarray of float32, shape (rows, beliefs, tempi)
        Of every state, all beats of the bar together; row ``(head + n) % rows`` passes on after `n` more steps.
    share : ndarray of float32, shape (rows, kinds, beats, tempi)
        Within each state, of the beat that it is coming to; each sums to 1. Beliefs that hear beats alike are of
        one kind, and share this.
    head : int
        Row that passes on next.
    phase : ndarray of float32, shape (rows, tempi)
        Of the beat, [0, 1), by steps left and tempo.
    felt : ndarray, shape (tempi,)
        How readily each tempo is felt as the beat, 1 at most.
    total : ndarray of float32, shape (beliefs,)
        Of each belief's weights, when it was last scaled or asked.
    later, earlier : ndarray of int, shape (beats,)
        ``bar[later]`` is `bar` as seen one beat later.
    """

    def __init__(self, config: FilterConfig | None = None) -> None:
        self.config = c = config or FilterConfig()
        self.periods = intervals(c.low, c.high, c.per_octave)
        self.tempi = 60.0 / (self.periods * STEP)
        self.size = len(self.periods)
        whole = self.periods.astype(np.int64)
        self.ring = int(whole[-1]) + 1
        self.beats = sum(c.metres)
        self.beliefs = len(c.beliefs)
        # kinds that go by accents first, and one belief of each kind before all others: both are slices then
        kinds = sorted(dict.fromkeys(b.hears for b in c.beliefs), key=lambda kind: not kind[1])
        hear = [b.hears for b in c.beliefs]
        first = [hear.index(kind) for kind in kinds]
        beliefs = [c.beliefs[k] for k in (*first, *(k for k in range(self.beliefs) if k not in first))]
        self.kinds = len(kinds)
        self._struck = slice(sum(accents for _, accents, _ in kinds))
        self.answers = 1 + max(answer for *_, answer in kinds)
        self._leaders = slice(self.kinds)
        self._kind = np.array([kinds.index(b.hears) for b in beliefs])
        self._by_accents = np.flatnonzero([b.accents for b in beliefs])
        self._by_tempo = np.array([b.tempo for b in beliefs])[:, None]
        self.rows = [slice(sum(c.metres[:k]), sum(c.metres[: k + 1])) for k in range(len(c.metres))]
        self.felt = felt(self.tempi, c.octave_centre, c.octave_width)
        ratio = self.periods[None, :] / self.periods[:, None]
        self._free = np.exp(-c.spread * np.abs(ratio - 1.0)) + c.octave_change * octaves(ratio)
        self._succession = succession(c.metres, c.metre_change).astype(np.float32)
        self.later = one_later(c.metres)
        self.earlier = np.argsort(self.later)
        self.first = np.array([k for r in self.rows for k in (1.0, *[0.0] * (r.stop - r.start - 1))], np.float32)
        left = np.arange(self.ring)[:, None]
        self.phase = ((CENTRE - left) / self.periods % 1.0).astype(np.float32)
        self._inside = left < self.periods
        # what the steps of a move say about each row, to each kind
        near = np.subtract.outer(np.arange(NEAR), np.arange(STEPS))
        told = np.select([near == CENTRE + 1 - k for k in range(3)], c.evidence)
        exponents = np.zeros((NEAR, self.kinds, self.answers, STEPS))
        for k, (evidence, _, answer) in enumerate(kinds):
            exponents[:, k, answer] = told * evidence
        self._exponents = exponents.reshape(NEAR * self.kinds, -1)
        self._all = np.ones(self.ring, np.float32)
        self.weight = np.zeros((self.ring, self.beliefs, self.size), np.float32)
        self.share = np.zeros((self.ring, self.kinds, self.beats, self.size), np.float32)
        # What passes: weights, and below them the beats of the bar of each kind; one product mixes them all.
        parts = self.beliefs + self.kinds * self.beats
        self._joint = np.zeros((STEPS, self.kinds, self.beats, self.size), np.float32)
        self._passing = np.zeros((STEPS, parts, self.size), np.float32)
        self._passed = np.zeros((STEPS + 2, parts, self.size), np.float32)  # nothing before and after
        self._new = np.zeros((STEPS + 1, parts, self.size), np.float32)
        # the belief that each part belongs to: those of a kind to its first
        self._of_belief = np.concatenate([np.arange(self.beliefs), np.repeat(np.arange(self.kinds), self.beats)])
        self._over = (self.periods - whole).astype(np.float32)
        lands, chain = ((left + whole) % self.ring)[:, None, :], np.arange(self.size)
        self._to_weight, self._to_share = (
            (lands * n + np.arange(n)[:, None]) * self.size + chain for n in (self.beliefs, parts - self.beliefs)
        )
        self._ahead = np.arange(2 * self.ring) % self.ring
        # What is told about the rows: the logarithms of "another beat", of "first" against it, and of the bar.
        self._basis = np.stack([np.ones(self.beats), self.first, np.zeros(self.beats)])
        self.window(c.low, c.high)
        self.reset()

    def _parts(self, states: F32) -> tuple[F32, F32]:
        """Views of what passes, shape ``(n, parts, tempi)``: weights, and the beats of the bar of each kind."""
        of_kinds = states[:, self.beliefs :].reshape(len(states), self.kinds, self.beats, self.size)
        return states[:, : self.beliefs], of_kinds

    def window(self, low: float, high: float) -> None:
        """Allow only tempi in ``low … high`` BPM (at least the nearest one to it)."""
        inside = (self.tempi >= low * 0.995) & (self.tempi <= high * 1.005)
        if not inside.any():
            inside[np.argmin(np.abs(np.log(self.tempi / np.sqrt(low * high))))] = True
        c = self.config
        # equal weight per octave: chains lie the denser the slower they are
        density = np.gradient(np.log(self.periods))
        prior = np.where(inside, self.felt * density, 0.0)
        self._prior = (prior / prior.sum()).astype(np.float32)
        self._metre = usual(c.metres).astype(np.float32)
        change = self._free * inside[None, :]
        change[:, inside] += 1e-12
        self._change = (change / change.sum(1, keepdims=True)).astype(np.float32)
        # a cut lets everything start anew; whatever passes on makes room for that
        share = np.concatenate([np.ones(self.beliefs, np.float32), *[self._metre] * self.kinds])
        self._anew = np.float32(c.restart) * share[:, None] * self._prior

    def reset(self) -> None:
        """Know nothing."""
        self.head = 0
        self.weight[:] = self._fresh()[:, None, :]
        self.share[:] = self._metre[:, None]
        self.total = np.ones(self.beliefs, np.float32)
        self._odd = np.zeros(self.size)
        self._frozen = 0.0

    def _fresh(self) -> F32:
        """Weights of somebody who has heard nothing, ``(rows, tempi)``, from row 0 on."""
        there = np.clip(self.periods - np.arange(self.ring)[:, None], 0.0, 1.0)
        fresh: F32 = (there * (self._prior / self.periods)).astype(np.float32)
        return fresh

    def doubt(self, share: float) -> None:
        """Give `share`, 0–1, of every belief to that of somebody who has heard nothing."""
        if self._frozen:
            self._settle()
        fresh = np.roll(self._fresh(), self.head, 0)[:, None, :]
        fresh = fresh * (share / fresh.sum())
        self.weight *= (1.0 - share) / self.weight.sum((0, 2), keepdims=True)
        self.weight += fresh
        fresh = (fresh / (self.weight[:, self._leaders] + _LEAST))[:, :, None, :]
        self.share *= 1.0 - fresh
        self.share += self._metre[:, None] * fresh
        self.total[:] = 1.0

    def begin(self, factor: float, ahead: int = 0) -> None:
        """Make a downbeat so many steps ahead `factor` times as likely as it was: music is starting."""
        likely = 1 + (factor - 1) * np.array([1.0, 1.0, 0.6])[:, None] * self.first
        self._multiply((self.head + ahead) % self.ring, likely.astype(np.float32)[:, None, :])

    def advance(self, ratios: F32 | None = None, struck: F32 | None = None) -> None:
        """Move on by :data:`STEPS` positions.

        Parameters
        ----------
        ratios : ndarray of float32, shape (NEAR, kinds, beats), optional
            Likelihood of each beat of the bar against "no beat", taken in on the way: from :meth:`evidence`.
        struck : ndarray of float32, shape (NEAR, beats), optional
            The same from the accents, for those beliefs that go by them; with `ratios` only, which it changes.
        """
        if self._frozen:
            self._settle()
        if ratios is not None:
            if struck is not None:
                ratios[:, self._struck] *= struck[:, None, :]
            self._multiply((self.head + 1) % self.ring, ratios)
        rows = self._rows(self.head, STEPS)
        passing, passed = self._passing, self._passed[1:-1]
        weight, joint = self._parts(passing)
        weight[:] = self.weight[rows]
        self.weight[rows] = 0.0
        np.multiply(self.share[rows], weight[:, self._leaders, None], out=self._joint)
        np.matmul(self._succession, self._joint, out=joint)
        passing.reshape(-1, self.size).dot(self._change, passed.reshape(-1, self.size))
        passed += self._anew * self.total.take(self._of_belief)[:, None]
        self._land()
        self.head = (self.head + STEPS) % self.ring

    def _land(self) -> None:
        """Put what has passed where it passes next, a part of each row one row later."""
        passed, new = self._passed, self._new
        np.subtract(passed[:-1], passed[1:], out=new)
        new *= self._over
        new += passed[1:]
        weight, joint = self._parts(new)
        weights, shares = self.weight.reshape(-1), self.share.reshape(-1)
        rows = self._rows(self.head, STEPS + 1)
        to_weight, to_share = self._to_weight[rows], self._to_share[rows]
        there = weights[to_weight[0]]  # of the last move
        told = shares[to_share[0]].reshape(self.kinds, self.beats, self.size)
        weight[0] += there
        joint[0] += told * there[self._leaders, None]
        joint /= weight[:, self._leaders, None] + _LEAST
        # flat and by plain indexing, which is twice as quick as put
        weights[to_weight.reshape(-1)] = weight.reshape(-1)
        shares[to_share.reshape(-1)] = joint.reshape(-1)

    def _rows(self, first: int, count: int) -> slice | I64:
        """So many rows from `first` on: quick to read and write in place unless they go over the ring's end."""
        end = first + count
        return slice(first, end) if end <= self.ring else self._ahead[first:end]

    def _multiply(self, first: int, ratios: F32) -> None:
        """Take in likelihoods ``(rows, kinds or 1, beats)`` of the rows from `first` on."""
        rows = self._rows(first, len(ratios))
        share = self.share[rows]
        share *= ratios[..., None]
        mass = np.add.reduce(share, axis=2)
        self.weight[rows] *= mass.take(self._kind, axis=1)
        share /= (mass + _LEAST)[:, :, None]
        if not isinstance(rows, slice):
            self.share[rows] = share

    def places(self, left: I64, chain: I64) -> I64:
        """Where :meth:`accent` finds states with so many steps left, shape ``(beliefs that go by accents, n)``."""
        row = left * self.beliefs + self._by_accents[:, None]
        return row * self.size + chain

    def accent(self, places: I64, likely: F32) -> None:
        """Multiply the weights of single states, of those beliefs that go by accents.

        Parameters
        ----------
        places : ndarray of int
            From :meth:`places`; no two the same.
        likely : ndarray of float32, shape (n,)
        """
        flat = self.weight.reshape(-1)
        places = places + (self.head - self.ring) * self.beliefs * self.size  # from the end on where negative
        flat[places] *= likely

    def coast(self, tempo: float, seconds: float) -> None:
        """Turn at `tempo` without any doubt growing: every chain at that one speed, from the next use on."""
        self._frozen += tempo * seconds / 60.0

    def _settle(self) -> None:
        """Do what :meth:`coast` has put off."""
        beats = int(self._frozen + 1e-9)
        exact = self.periods * max(0.0, self._frozen - beats) + self._odd
        around = exact >= self.periods
        exact -= self.periods * around
        turned = np.floor(exact)
        self._odd, self._frozen = exact - turned, 0.0
        came = np.arange(self.ring)[:, None] + turned
        passed = beats + around + (came // self.periods).astype(np.int64)
        source = np.where(self._inside, came % self.periods, 0.0).astype(np.int64)
        chain = np.arange(self.size)
        weight = self.weight.transpose(0, 2, 1)[(source + self.head) % self.ring, chain]
        share = self.share.transpose(0, 3, 1, 2)[(source + self.head) % self.ring, chain]
        weight[~self._inside] = 0.0
        for beat in range(1, int(passed[self._inside].max()) + 1):
            on = passed >= beat
            share[on] = share[on] @ self._succession.T
        self.weight[:] = weight.transpose(0, 2, 1)
        self.share[:] = share.transpose(0, 2, 3, 1)
        self.head = 0

    def evidence(
        self, answers: Sequence[Sequence[Instant]], bar: F64 | float = 1.0, prior: float | None = None
    ) -> F32:
        """What the network says about the instants of a move, for :meth:`advance`.

        Parameters
        ----------
        answers : sequence of :data:`STEPS` (beat, downbeat, weight) each
            Of the network, or one for all beliefs (what none goes by is left out): probability of a beat at each
            instant; that it is a downbeat if it is a beat; exponent, 0 … 1: how far to believe it.
        bar : ndarray, shape (beats,), or 1
            Likelihood of each beat of each metre, if a beat is here.
        prior : float, optional
            Probability from which on an answer speaks for a beat (default: the configuration's).

        Returns
        -------
        ndarray, shape (NEAR, kinds, beats)
            Likelihood ratios against "no beat".
        """
        c, p = self.config, self.config.downbeat_prior
        prior = prior or c.beat_prior
        against = (1.0 - prior) / prior
        told = []
        for beat, downbeat, weight in (instant for answer in answers[: self.answers] for instant in answer):
            a = min(max(beat, c.floor), 1.0 - c.floor)
            odds = a / (1 - a) * against
            # away from beats the second answer means nothing, so it fades with the first
            q = min(max(downbeat, 0.02), 0.98) * beat + p * (1 - beat)
            one, other = math.log(odds * q / p), math.log(odds * (1 - q) / (1 - p))
            told.append((weight * other, weight * (one - other), weight))
        np.log(bar, out=self._basis[-1])
        if len(answers) == 1:
            told *= self.answers
        likely = np.exp(self._exponents.dot(told).dot(self._basis)).astype(np.float32)
        return likely.reshape(NEAR, self.kinds, self.beats)

    def renew(self, tempo: F64 | None = None) -> None:
        """Scale every belief to 1; every few frames will do.

        Parameters
        ----------
        tempo : ndarray, shape (tempi,), optional
            Likelihood of each chain's tempo, taken in at the same time by the beliefs that go by it.
        """
        told = np.ones((1, self.size)) if tempo is None else tempo**self._by_tempo
        total = np.add.reduce(self._marginals() * told, axis=1, keepdims=True)
        if not np.isfinite(total).all() or total.min() <= 0:
            self.reset()
            return
        self.weight *= (told / total).astype(np.float32)
        self.total[:] = 1.0

    def _marginals(self) -> F32:
        """Weight of each tempo in each belief, shape ``(beliefs, tempi)``."""
        found: F32 = (self._all @ self.weight.reshape(self.ring, -1)).reshape(self.beliefs, self.size)
        return found

    def marginal(self) -> F32:
        """Probability of each tempo in the mean of the beliefs, shape ``(tempi,)``.

        :meth:`around` mixes the beliefs as they were weighed here.
        """
        found = self._marginals()
        np.add.reduce(found, axis=1, out=self.total)
        mean: F32 = self._pool_weights().dot(found)
        return mean

    def _pool_weights(self) -> F32:
        """Factors with which the beliefs count for the same, shape ``(beliefs,)``."""
        out: F32 = (1.0 / self.beliefs) / (self.total + _LEAST)
        return out

    def around(self, low: int, high: int) -> tuple[F32, F32]:
        """States of chains ``low … high - 1`` in the mean of the beliefs.

        Returns
        -------
        weights, phases : ndarray of float32, shape (steps left, chains)
            `phases` to read only: they are the filter's own.
        """
        if self._frozen:
            self._settle()
        longest = self._span(high)
        rows = self._rows(self.head, longest)
        return self._pool_weights() @ self.weight[rows, :, low:high], self.phase[:longest, low:high]

    def _span(self, high: int) -> int:
        """Rows that the chains below `high` have."""
        return math.ceil(self.periods[high - 1])

    def joint(self, low: int, high: int) -> F32:
        """States of the first belief by the beat of the bar that each is coming to.

        Returns
        -------
        ndarray of float32, shape (steps left, beats, chains)
        """
        rows = self._rows(self.head, self._span(high))
        out: F32 = self.share[rows, 0, :, low:high] * self.weight[rows, :1, low:high]
        return out
