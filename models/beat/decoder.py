"""From the network's probabilities to beats, sent at the instant they fall, with tempo, bar and confidence.

The belief of :class:`~models.beat.barpointer.BarPointer` moves on by two frames at a time and is read at every
second move (in between, the last reading is carried on): the strongest tempo (with its near neighbours), the
strongest phase within it, and the mean phase around that peak, which is finer than the frames. The next beat
follows from there; it is committed on the last move before it falls, for the instant at which it falls. Bars are
numbered from the marginal over bar positions, and a number once given is kept unless another is clearly more
likely.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt

from models.beat.barpointer import CENTRE, F32, F64, STEPS, BarPointer
from models.beat.bars import METRES, BarCounter
from models.beat.confidence import confidence
from models.beat.decoderconfig import DecoderConfig
from models.beat.features import FPS, LABEL_DELAY, PAIR
from models.beat.inertia import Inertia
from models.beat.lone import SLOW, Lone
from models.beat.pending import Pending
from models.beat.reading import PredictedBeat, Reading, Window, tempo_of
from models.beat.rhythm import Rhythm
from models.beat.statespace import STEP
from models.beat.support import Music, Support
from models.beat.targets import TEMPO_BINS, bar_bins, tempo_position
from realtime.musical import BeatObservation

Probabilities = npt.NDArray[np.floating]
FRAME_SECONDS = 1.0 / FPS
MOVE_SECONDS = PAIR * FRAME_SECONDS
"""Seconds by which the belief moves."""
NEIGHBOURS = 5
"""Tempi counted as one: about 3 % to either side."""
BINS = 48
"""Of the phase, to find its strongest."""
GUESS = 0.3
"""Share of the belief below which a beat was hardly more than a guess."""
MOVED = 0.5
"""How likely the count of the bar is to begin anew when the pulse has become another one."""
COUNTED = 4
"""Beats to be followed before their count is worth anything to another pulse."""
ATTACK = 3.0
"""Rise, against its mean, of what counts as the first attack."""
_HALF = np.array(0.5, np.float32)
_LEAST_PHASE = np.array(0.1)
READ_EVERY = 2
"""Moves of the belief between two times at which it is read: a pulse does not change at once."""
RENEW_EVERY = 4
"""Moves of the belief between two uses of the network's tempo, which hardly changes from one to the next."""


class BeatDecoder:
    """One stream's decoder. Deterministic; owned by one thread.

    Call :meth:`step` once per frame; with every second one the belief moves on (:attr:`moved`), and then it
    returns the beat to send before the next move, or None.

    Attributes
    ----------
    believed, reading : Reading or None
        What the filter says after the last move, and what is made of it once inertia has had its say.
    followed : int
        Beats sent since the pulse was last another.
    """

    def __init__(self, config: DecoderConfig | None = None, bars: BarCounter | None = None) -> None:
        self.config = config or DecoderConfig()
        self.bars = bars if self.config.filter.metres == METRES else None
        self.filter = BarPointer(self.config.filter)
        self.rhythm = Rhythm(self.filter, self.config.accents)
        self._inertia = Inertia(*self.config.patience)
        self._pending = Pending(self.config.filter.beat_prior)
        self.support = Support()
        self.music = Music(FPS)
        self.lone = Lone(FPS)
        self._slow = self.filter.tempi <= SLOW
        self._bar_bins = bar_bins(self.config.filter.metres)
        self._axis = tempo_position(self.filter.tempi.astype(np.float32))
        apart = np.abs(np.subtract.outer(np.arange(self.filter.size), np.arange(self.filter.size)))
        self._neighbours = (apart <= NEIGHBOURS // 2).astype(np.float32)
        self._felt = self.filter.felt.astype(np.float32)
        away = np.abs((np.subtract.outer(np.arange(BINS), np.arange(BINS)) + BINS // 2) % BINS - BINS // 2)
        self._smoothing = np.clip(3.0 - away, 0.0, None)
        self._mode = np.zeros((), np.float32)
        self._reach = np.array(self.config.reach, np.float32)
        self._phase_weight = np.array(self.config.phase_weight)
        self._periods = self.filter.periods.astype(np.float64)
        self._bins = np.arange(TEMPO_BINS)
        self._circle = np.arange(-4, BINS + 5) % BINS
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        for part in (self.filter, self._inertia, self.support, self.lone, self.music, self._pending):
            part.reset()
        if self.bars is not None:
            self.bars.reset()
        self.coasting = True
        self.tempo = 120.0
        self.confidence = 0.0
        self.number, self.per_bar = 0, 0
        self.downbeat_confidence = 0.0
        self.reading: Reading | None = None
        self.believed: Reading | None = None
        self._activity = 0.0
        self._chain = -1
        self._window = Window(-1, np.zeros((0, 0), np.float32), np.zeros(0, np.int64))
        self._last = -np.inf
        self.followed = 0
        self._moves = self._index = 0
        self._begun = self._paused = False
        self._lost = self._loudest = 0.0
        self._recent: deque[tuple[int, float]] = deque(maxlen=17)

    def step(
        self,
        pulse: Probabilities | list[list[float]],
        end: float,
        tempo: Probabilities | None = None,
        phase: Probabilities | None = None,
        rise: F64 | None = None,
        frame: F32 | None = None,
        music: float | None = None,
    ) -> PredictedBeat | None:
        """Take one frame.

        Parameters
        ----------
        pulse : ndarray, shape (answers, 2) or (2,), or list of lists
            Probability of a beat; probability of a downbeat if it is one. Several answers, the first
            to the sound as it is, or one for all beliefs.
        end : float
            Stream seconds of the end of the frame.
        tempo : ndarray, shape (48,) or (views, 48), optional
            Probability of tempi, on the axis of :func:`models.beat.targets.tempo_position`; of several views of
            the sound, the mean counts.
        phase : ndarray, shape (16,), optional
            Probability of positions in the bar.
        rise : ndarray, shape (2, 3), optional
            From :class:`models.beat.rhythm.Accents`.
        frame : ndarray of float32, shape (144,), optional
            What the network heard, for the count of the bar.
        music : float, optional
            Probability that there is music at all.
        """
        if music is not None:
            self.music.hear(music)
        if self.bars is not None and frame is not None:
            self.bars.hear(frame, end)
        answers = pulse if isinstance(pulse, list) else np.atleast_2d(pulse).tolist()
        beat = answers[0][0]
        c = self.config
        self._loudest = max(beat, self._loudest)
        self._activity = max(beat, self._activity * math.exp(-FRAME_SECONDS / c.memory))
        self.lone.hear(beat)
        self.coasting = self._activity < (c.lively if self.coasting else c.quiet)
        # that there is no beat says something only while there are beats at all
        sure = (self._activity - c.quiet) / (c.certain - c.quiet)
        faith = 1.0 if self.lone.value else min(1.0, max(0.0, sure))
        self._pending.note(answers, faith, rise)
        time = end - LABEL_DELAY + c.offset
        self.support.hear(beat, self.coasting)
        if self._pending.full:
            self.believed = self._move(time, tempo, phase)
        if not self._begun and rise is not None and rise.max() > ATTACK:
            self._begin()
        if self.believed is None or not self.moved:
            return None
        self.reading = self._inertia.follow(self.believed)
        if self.relocated:
            self._lost = max(self._lost, MOVED if self.followed >= COUNTED else 1.0)
            self.followed = 0
            self.tempo = 60.0 / self.reading.period  # the line through the last beats is the old pulse's
        sent = self._emit(self.reading, end)
        if sent is not None:
            self.followed += 1
            self.support.sent()
        self.confidence = confidence(self.believed.mass, self.followed, self.support.value, self.music.value)
        return sent

    def silence_ended(self) -> None:
        """Sound is back after a silence; call before its first frame. The next attack may begin another piece."""
        self._begun, self._paused = False, True
        for part in (self.support, self.lone, self.music):
            part.reset()

    def _begin(self) -> None:
        """Here is the first attack of all, or after a silence."""
        if self._index:
            self.filter.doubt(self.config.afresh if self._paused else self.config.late)
            self._inertia.release()
            self._lost = max(self._lost, MOVED)
        self._begun = True
        self.filter.begin(self.config.opening, self._pending.frames * STEPS // PAIR)

    def _move(self, time: float, tempo: Probabilities | None, phase: Probabilities | None) -> Reading:
        """Move the belief on by what is waiting, and say what it is then."""
        old, rate = self.believed, None
        if self.coasting and old is not None and self._moves:
            self.filter.coast(self.tempo, MOVE_SECONDS)
            rate = self.tempo / 60.0  # as a frozen belief turns
        else:
            self._hear(tempo, phase)
            if old is not None and self._moves % READ_EVERY:
                rate = 1.0 / old.period
        self._pending.clear()
        if old is None or rate is None:
            return self._read(time)
        return old._replace(time=time, phase=(old.phase + rate * (time - old.time)) % 1.0)

    def _hear(self, tempo: Probabilities | None, phase: Probabilities | None) -> None:
        """Take in what is waiting, in which something is to be heard, or nothing ever was."""
        c, f = self.config, self.filter
        if self.coasting:
            f.advance()
            return
        # an answer far below those at the beats is doubt about the level of the pulse, told again at every beat
        prior = max(c.filter.beat_prior, min(c.relative * self.support.value, c.most))
        ratios = f.evidence(self._pending.instants, 1.0 if phase is None else self._bar_likelihood(phase), prior)
        rises = self._pending.rises
        if rises is None:
            f.advance(ratios)
        else:
            f.advance(ratios, self.rhythm.beats(rises))
            self.rhythm.between()
        self._moves += 1
        if self._moves % RENEW_EVERY == 0:
            f.renew(None if tempo is None else self._tempo_likelihood(tempo))

    def _tempo_likelihood(self, tempo: Probabilities) -> F64:
        """Of each chain's tempo, from the network's idea of it."""
        mean = tempo if tempo.ndim == 1 else np.add.reduce(tempo) / len(tempo)
        likely = np.interp(self._axis, self._bins, mean) * TEMPO_BINS + 0.5
        if self.lone.value:
            likely[self._slow] = likely.max()
        out: F64 = likely ** (self.config.tempo_weight * PAIR * RENEW_EVERY)
        return out

    def _bar_likelihood(self, phase: Probabilities) -> F64:
        """Of each beat of each metre, from the network's idea of the position in the bar."""
        likely = phase.astype(np.float64).dot(self._bar_bins)
        likely += _LEAST_PHASE
        out: F64 = np.power(likely, self._phase_weight, out=likely)
        return out

    def observation(self) -> BeatObservation:
        """The belief after the last frame, in the form the host's transport takes."""
        r = self.reading
        if r is None:
            return BeatObservation(0.0, 120.0, 0.0, evidence=False)
        number, per_bar = self.number, self.per_bar
        assert self.believed is not None
        if self._lost > MOVED:  # counted by guesses so far
            number, per_bar = self._place(int(np.argmax(self.bar())))
        elif per_bar:  # the last beat may have been committed a move before it falls
            since = round((r.time - r.phase * r.period - self._last) / r.period)
            number = (number - 1 + since) % per_bar + 1
        return BeatObservation(
            r.time,
            self.tempo,
            r.phase,
            number,
            per_bar,
            self.confidence,
            self.downbeat_confidence,
            self.relocated,
            not self.coasting,
        )

    def _read(self, time: float) -> Reading:
        c, f = self.config, self.filter
        tempi = f.marginal()
        groups = (self._neighbours @ tempi) * (1.0 if self.lone.value else self._felt)
        best = int(groups.argmax())
        held = self._chain
        if held >= 0 and abs(best - held) > NEIGHBOURS // 2:
            far = abs(math.log(f.periods[best] / f.periods[held])) > 0.1
            if far and groups[best] < c.switch_tempo * groups[held]:
                low, high = max(0, held - 3), min(len(groups), held + 4)
                best = low + int(groups[low:high].argmax())
        self._chain = best
        low, high = self._chains()
        mass, phase = f.around(low, high)
        if self._window.chain != self._chain:
            self._window = Window.of(self._chain, phase, BINS)
        phase = self._window.phase
        mode = self._strongest(mass, time)
        self._mode[()] = mode - 0.5
        away = phase - self._mode
        away -= np.floor(away)
        away -= _HALF
        weight = mass * (np.abs(away) < self._reach)
        by_chain = np.add.reduce(weight, axis=0)
        total = float(np.add.reduce(by_chain)) + 1e-30
        centre = mode + float(weight.ravel().dot(away.ravel())) / total
        period = float(by_chain.dot(self._periods[low:high])) / total * STEP
        return Reading(time, centre % 1.0, period, total)

    def _chains(self) -> tuple[int, int]:
        """The chains about the tempo that is followed."""
        return max(0, self._chain - 3), min(self.filter.size, self._chain + 4)

    @property
    def moved(self) -> bool:
        """Whether the last frame moved the belief on, so that what the filter says is of now."""
        return self.believed is not None and not self._pending.frames

    @property
    def relocated(self) -> bool:
        """Whether the last frame's pulse is another than that of the frame before."""
        return self._inertia.relocated

    def _strongest(self, mass: F32, time: float) -> float:
        """Peak of the phase, smoothed; the one followed so far stays unless another is clearly stronger."""
        smooth = self._smoothing.dot(np.bincount(self._window.bins, mass.ravel(), BINS))
        peak = int(smooth.argmax())
        if self.believed is not None:
            old = self.believed
            expected = int((old.phase + (time - old.time) / old.period) % 1.0 * BINS)
            around = self._circle[expected : expected + 9]
            mine = int(around[smooth[around].argmax()])
            if smooth[peak] < self.config.switch_phase * smooth[mine]:
                peak = mine
        return (peak + 0.5) / BINS

    def bar(self) -> F64:
        """Probability of each beat of each metre for the beat that the believed phase counts from."""
        f, r = self.filter, self.believed
        assert r is not None
        low, high = self._chains()
        mass, phase = f.around(low, high)
        away = (phase - r.phase + 0.5) % 1.0 - 0.5
        near = np.abs(away) < self.config.reach
        weight = np.where(near, mass, 0.0)
        share = f.joint(low, high) * near[:, None, :]
        # a state tells of the beat it is coming to, or, when that is just over, of the beat it counts from
        counted = -np.floor(r.phase + away)
        counted[CENTRE + 1 :] -= 1.0
        bar = np.zeros(f.beats)
        heard = counted[weight > 0.0]
        for shift in range(int(heard.min(initial=0.0)), int(heard.max(initial=-1.0)) + 1):
            part = np.add.reduce(share * (counted == shift)[:, None, :], axis=(0, 2))
            for _ in range(abs(shift)):
                part = part[f.later if shift > 0 else f.earlier]
            bar += part
        return bar / (bar.sum() + 1e-30)

    def _emit(self, r: Reading, end: float) -> PredictedBeat | None:
        c = self.config
        ahead = r.time + (1.0 - r.phase) * r.period
        due = passed = ahead - r.period
        if passed <= self._last + 0.55 * r.period or passed < end - 0.5 * r.period:
            due = ahead
        if due >= end + MOVE_SECONDS or due <= self._last + 0.45 * r.period or self._activity == 0.0:
            return None
        time = max(due, end)
        self._last = time
        assert self.believed is not None
        bar = self.bar()
        bar = bar if due == passed else bar[self.filter.later]
        if self.bars is not None:
            bar = self.bars.beat(time, self._lost, bar)
            # after a guess, nothing that was counted goes for the next beat
            self._lost = 1.0 - self.believed.mass if self.believed.mass < GUESS else 0.0
        self._count(bar)
        self._index += 1
        if self._loudest > c.quiet:  # a beat that was not heard tells nothing new about the tempo
            self._recent.append((self._index, due))
            self.tempo = tempo_of(self._recent, r.period)
        self._loudest = 0.0
        return PredictedBeat(time, end, self.number, self.per_bar)

    def _count(self, bar: F64) -> None:
        """Number the coming beat: by counting on, unless the belief clearly says otherwise."""
        rows = self.filter.rows
        following = self.number % self.per_bar + 1 if self.per_bar else 0
        counted = 0.0
        for r in rows:
            if r.stop - r.start == self.per_bar:
                counted = float(bar[r.start + following - 1])
        best = int(np.argmax(bar))
        if self.per_bar and self._inertia.slip:  # the belief's bar is another pulse's
            self.number = following
        elif bar[best] > self.config.renumber * counted:
            self.number, self.per_bar = self._place(best)
            self.downbeat_confidence = float(bar[best])
        else:
            self.number = following
            self.downbeat_confidence = counted

    def _place(self, row: int) -> tuple[int, int]:
        """Beat in bar, and beats a bar, of a row of the filter's."""
        bar = next(r for r in self.filter.rows if row < r.stop)
        return row - bar.start + 1, bar.stop - bar.start
