"""A clock that follows a tracker's observations and commits to beats; the hand on it is in ``transport``.

Beat numbers only ever go up by one. Corrections slew; the clock jumps only when it first locks, when the tracker
has clearly locked on another pulse, when sound was lost, or when asked to (``resync``), and says so each time.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import Literal, NamedTuple

from realtime.barring import BarCounter, BarHint
from realtime.course import Course, aligned, fold, slew_after, wrap
from realtime.musical import Beat, BeatObservation, LockState
from realtime.preset import TransportSettings
from realtime.timeline import Segment, Timeline

AGREE_BEATS = 0.2
"""A phase difference up to this is slewed away; a larger one is another pulse."""
AGREE_TEMPO = 1.13
"""Ratio of tempos up to which a change is followed at once."""
PATIENCE_BEATS = 2.0
"""How long a tracker must stand by another pulse, without having said that it relocated, to be believed."""
TOO_LATE = 0.005
"""Seconds after its instant at which a beat is not committed any more."""
HEEDED, TRUSTED = 0.25, 0.5
"""Of the confidence that locks: what corrects the clock towards the same pulse, and what counts as heard."""
MOVED = 0.75
"""Of the confidence that locks, what it takes to go along with a tracker that says it moved to another pulse."""
PROOF = 16
"""Beats for which a tracker must have been trusted before the clock goes on without it for as long as it may."""
FRESH = 1.0
"""Seconds after its last trusted observation that the tracker still counts as being followed."""


class TransportEvent(NamedTuple):
    """The clock locked, unlocked or jumped at stream second `time`; `label` says why."""

    time: float
    name: Literal["locked", "unlocked", "relocated"]
    label: str


class Follower:
    """Follows a tracker, coasts without it, commits to beats.

    Parameters
    ----------
    settings : TransportSettings

    Notes
    -----
    `observe` and `advance` are called on one thread, the fast lane, in stream order; nothing else is used as
    time, so equal input gives equal beats. `timeline` may be read from any thread.
    """

    def __init__(self, settings: TransportSettings) -> None:
        self.settings = settings
        self._course = Course()
        self._bars = BarCounter(settings.beats_per_bar, settings.phrase_bars)
        self._window = (settings.low_bpm, settings.high_bpm)
        self._now = 0.0
        self._number = 0
        self._last_time = -math.inf
        self._state: LockState = "searching"
        self._held = False
        self._locked_tempo = 0.0
        self._tapped = 0.0
        self._user_factor = 1.0
        self._fold = 1.0
        self._factor = 1.0
        self._shift = 0.0
        self._owed = 0.0
        self._nudge = 0.0
        self._latest: BeatObservation | None = None
        self._trusted: BeatObservation | None = None
        self._trusted_number = 0
        self._earned = 0  # beats for which the tracker has been trusted since the lock
        self._rival: tuple[float, float, float] | None = None
        self._let_go = False
        self._trace: deque[float] = deque(maxlen=128)
        self._events: deque[TransportEvent] = deque(maxlen=256)
        self._idle_until = -math.inf
        self._begun = 0  # number of the last beat before the latest jump
        self._jumps = 0
        self._relocations = 0
        self._rejected = 0
        self.timeline = self._draw()

    # ------------------------------------------------------------------ following the tracker

    def observe(self, obs: BeatObservation) -> None:
        """Take in what the tracker believes; rubbish (not finite, tempo ≤ 0) is counted and ignored."""
        total = obs.time + obs.tempo + obs.phase + obs.confidence
        if not math.isfinite(total) or not 10.0 <= obs.tempo <= 1000.0:
            self._rejected += 1
            return
        self._latest = obs
        if self._held:
            return
        if self._state == "searching":
            self._search(obs)
        else:
            self._let_go |= obs.relocated
            if obs.evidence and obs.confidence >= HEEDED * self.settings.lock_confidence:
                self._follow(obs)
        self.timeline = self._draw()

    def _search(self, obs: BeatObservation) -> None:
        """Be wherever the tracker is; lock once it is sure."""
        if not obs.evidence:
            return
        self._refold(obs)
        self._factor = self._fold * self._user_factor
        rate = obs.tempo / 60.0 * self._factor
        start = self._start()
        here = self._course.at(start)
        error = self._error(obs, start, here)
        if self.settings.send_unlocked and self._number and abs(error) <= AGREE_BEATS and self._near(rate):
            self._steer(start, here + self._owed + error, rate)
        else:
            self._jump(obs, "searching")
        if obs.confidence >= self.settings.lock_confidence:
            self._enter("locked")
            self._believe(obs)

    def _follow(self, obs: BeatObservation) -> None:
        """Locked or coasting, and the tracker is not lost: correct towards it, or, if it is sure, change over."""
        self._choose_factor(obs)
        tempo = obs.tempo * self._factor
        start = self._start()
        here = self._course.at(start)
        error = self._error(obs, start, here)
        own = self._tapped or self._locked_tempo
        similar = _within(tempo, own, 1.03 if self._locked_tempo else 1.06) if own else self._near(tempo / 60.0)
        if similar and abs(error) <= AGREE_BEATS:
            self._let_go, self._rival = False, None
            self._steer(start, here + self._owed + error, (self._locked_tempo or tempo) / 60.0)
            if obs.confidence >= TRUSTED * self.settings.lock_confidence:
                self._believe(obs)
        elif self._locked_tempo and not similar:
            return
        elif self._let_go and obs.confidence >= MOVED * self.settings.lock_confidence:
            self._relocate(obs, "tracker relocated")
        elif not self._tapped and self._insists(obs):
            self._relocate(obs, "tracker insists")

    def _choose_factor(self, obs: BeatObservation) -> None:
        if self._tapped:
            self._factor = 2.0 ** round(math.log2(self._tapped / obs.tempo))
            return
        self._refold(obs)
        wanted = self._fold * self._user_factor
        if wanted != self._factor and self._course.switch is None and not self._let_go:
            self._rescale(wanted / self._factor)

    def _believe(self, obs: BeatObservation) -> None:
        self._earned += self._number > self._trusted_number
        self._trusted, self._trusted_number = obs, self._number
        self._trace.append(self._course.rate)
        self._bars.hint(self._bar_hint(obs))
        if self._state == "coasting":
            self._state = "locked"

    def _insists(self, obs: BeatObservation) -> bool:
        """Whether the tracker has stood by one and the same other pulse for long enough."""
        if obs.confidence < self.settings.lock_confidence:
            return False
        if self._rival is not None:
            since, time, tempo = self._rival
            drift = wrap((obs.time - time) * obs.tempo / 60.0 - obs.phase)
            if abs(drift) <= AGREE_BEATS and _within(tempo, obs.tempo, 1.06):
                self._rival = (since, obs.time - obs.phase * 60.0 / obs.tempo, obs.tempo)
                return obs.time - since >= PATIENCE_BEATS * 60.0 / obs.tempo
        self._rival = (obs.time, obs.time - obs.phase * 60.0 / obs.tempo, obs.tempo)
        return False

    def _relocate(self, obs: BeatObservation, why: str) -> None:
        self._forget()
        self._refold(obs)
        self._factor = self._fold
        self._jump(obs, why)
        self._believe(obs)

    def _forget(self) -> None:
        """Let go of what a person said about the old pulse (a nudge stays: it belongs to the rig)."""
        self._user_factor, self._tapped, self._shift, self._owed = 1.0, 0.0, 0.0, 0.0
        self._rival, self._let_go = None, False

    def _enter(self, state: LockState) -> None:
        was, self._state = self._state, state
        if was == "searching" and state != "searching":
            self._trusted_number = self._number
            self._earned = 0 if state == "locked" else PROOF  # a hand needs no proof
            self._events.append(TransportEvent(self._now, "locked", state))
        elif state == "searching" and was != "searching":
            self._events.append(TransportEvent(self._now, "unlocked", was))

    def _refold(self, obs: BeatObservation) -> None:
        self._fold = fold(obs.tempo, *self._window, present=self._fold)

    def _near(self, rate: float) -> bool:
        return self._course.rate > 0.0 and _within(rate, self._course.rate, AGREE_TEMPO)

    def _beats(self, obs: BeatObservation, time: float) -> float:
        """Phase of the tracked pulse at `time`, in its own beats since its beat began."""
        return obs.phase + (time - obs.time - self._nudge) * obs.tempo / 60.0

    def _error(self, obs: BeatObservation, start: float, here: float) -> float:
        """How far the tracked pulse is ahead of the clock (`here` at `start`), less corrections by hand."""
        if self._owed:
            left = self._course.target.at(start) - here
            self._owed = max(min(left, 0.0), min(max(left, 0.0), self._owed))
        return aligned(self._beats(obs, start), self._factor, here + self._owed - self._shift)

    def _bar_hint(self, obs: BeatObservation) -> BarHint | None:
        metre, factor = obs.beats_per_bar, self._factor
        if not 1 <= obs.beat_in_bar <= metre or metre * factor % 1.0:
            return None
        start = self._start()
        began = self._course.target.at(start) - self._shift - self._beats(obs, start) * factor
        if factor >= 1.0:
            index, cycle = round((obs.beat_in_bar - 1) * factor) % metre, metre
        else:
            index, cycle = int((obs.beat_in_bar - 1) * factor), round(metre * factor)
        return BarHint(math.floor(began + 0.25 * min(1.0, factor)), index, cycle, metre, obs.downbeat_confidence)

    # ------------------------------------------------------------------ the course

    def _start(self) -> float:
        """The first instant that may still be bent."""
        return max(self._now, self._last_time)

    def _steer(self, start: float, position: float, rate: float) -> None:
        beats = math.inf if self._owed else self._number - self._begun  # what a hand asked for takes its time
        self._course.steer(start, Segment(start, position, rate), slew_after(beats, self.settings.max_slew))

    def _jump(self, obs: BeatObservation, why: str) -> None:
        rate = (self._locked_tempo or obs.tempo * self._factor) / 60.0
        lead = max(0, obs.beat_in_bar - 1) if self._factor < 1.0 else 0
        phase = ((lead + self._beats(obs, self._now)) * self._factor + self._shift) % 1.0
        self._jump_to(self._now - phase / rate, rate, why)

    def _jump_to(self, beat_time: float, rate: float, why: str) -> None:
        """Take over a pulse that has a beat at `beat_time`; its first beat that is not too near comes next."""
        sends = self._sends()
        start = self._start() if sends else self._now
        earliest = max(self._now, self._last_time + 0.5 / rate)
        following = beat_time + math.ceil((earliest - beat_time) * rate - 1e-9) / rate
        position = self._number + 1 - (following - start) * rate
        before = self._course.at(start)
        self._course.jump(start, Segment(start, position, rate), keep=sends)
        self._begun = self._number
        self._owed, self._rival, self._let_go = 0.0, None, False
        self._bars.release()
        if sends and self._number and abs(position - before) > 1e-6:
            self._relocated(why)

    def _sends(self) -> bool:
        return self._state != "searching" or self.settings.send_unlocked

    def _relocated(self, why: str) -> None:
        self._relocations += 1
        self._jumps += 1
        self._events.append(TransportEvent(self._now, "relocated", why))

    def _rescale(self, ratio: float) -> None:
        """Change the factor at the next beat that both pulses share: nothing jumps."""
        start = self._start()
        pending = self._course.switch[1] if self._course.switch else 1.0
        ratio *= pending
        number = max(self._number, math.floor(self._course.at(start) + 1e-9)) + 1
        step = round(1.0 / ratio) if ratio < 1.0 else 1
        if self._bars.metre % step == 0:
            number += (1 - self._bars.place(number).beat_in_bar) % step
        self._course.switch = (number, ratio) if ratio != 1.0 else None
        self._course.steer(start, self._course.target, self.settings.max_slew)

    def _pass_switch(self) -> None:
        start = self._start()
        ratio = self._course.pass_switch(start)
        if ratio is None:
            return
        self._factor *= ratio
        self._tapped *= ratio
        self._locked_tempo *= ratio
        self._owed *= ratio
        self._trace.clear()
        self._course.steer(start, self._course.target, self.settings.max_slew)

    def _draw(self) -> Timeline:
        """The timeline anew; whatever changes it ends the idle time."""
        self._idle_until = -math.inf
        locked = self._state != "searching"
        course = self._course
        return Timeline(course.segments, self._bars.maps, course.rate * 60.0, locked, self._jumps, course.broken)

    # ------------------------------------------------------------------ committing beats

    def advance(self, now: float) -> list[Beat]:
        """Go on to stream second `now`; returns the beats committed by that, at most a few.

        A beat is committed when it lies within the horizon; from then on its time stands. Beats that fell into
        lost sound are counted (outputs, which run on, have sent them) but not committed late.
        """
        if self._now <= now < self._idle_until:
            self._now = now
            return []
        if now < self._now or not math.isfinite(now):
            return []
        self._now = now
        if self._course.rate <= 0.0:
            return []
        self._pass_switch()
        sends = self._sends()
        missed = math.floor(self._course.at(now - TOO_LATE) - 1e-6) - self._number
        if missed > 0:
            if sends:
                self._number += missed
                self._relocated(f"{missed} beats fell into lost sound")
            else:
                self._course.renumber(missed)
        beats: list[Beat] = []
        while sends:
            time = self._course.when(self._number + 1, self._last_time)
            if time > now + self.settings.horizon_ms / 1000.0:
                break
            beats.append(self._commit(time))
            self._pass_switch()
        if self._state in ("locked", "coasting"):
            self._watch()
        if beats or missed > 0:
            self.timeline = self._draw()
        self._idle_until = self._busy_from()
        return beats

    def _busy_from(self) -> float:
        """Until when nothing has to be done if nothing is heard or asked: safely before the next beat."""
        if self._course.switch is not None:
            return self._now
        until = self._course.when(self._number + 1, self._last_time)
        if self._sends():
            until -= self.settings.horizon_ms / 1000.0
        if self._state == "locked":
            until = min(until, self._trusted.time + FRESH if self._trusted is not None else self._now)
        return until - 0.001

    def _commit(self, time: float) -> Beat:
        self._number += 1
        self._last_time = time
        switch = self._course.switch
        if switch is not None and switch[0] == self._number:
            self._bars.rescale(self._number, switch[1])
        place = self._bars.commit(self._number)
        tempo = self._course.rate * 60.0
        return Beat(
            time,
            self._now,
            self._number,
            place.beat_in_bar,
            place.beats_per_bar,
            place.bar,
            place.phrase,
            tempo,
        )

    def _watch(self) -> None:
        """Coast when the tracker has gone quiet; give up after the longest coasting allowed, but soon if it was
        trusted for some beats only: in speech and noise it may be sure for a moment."""
        trusted = self._trusted
        if self._state == "locked" and (trusted is None or self._now - trusted.time > FRESH):
            self._state = "coasting"
            self._bars.hint(None)
            if self._trace and not self._locked_tempo and self._course.switch is None:
                start = self._start()
                steady = Segment(start, self._course.target.at(start), median(self._trace))
                self._course.steer(start, steady, self.settings.max_slew)
            self.timeline = self._draw()
        quiet = self._number - self._trusted_number
        most = self.settings.coast_bars * self._bars.metre
        if self._earned < PROOF:
            most = min(most, 4 + 2 * self._earned)
        if quiet > most and not self._locked_tempo:
            self._forget()
            self._enter("searching")
            self.timeline = self._draw()

    def events(self) -> list[TransportEvent]:
        """What has happened since the last call, in order (at most the newest 256)."""
        if not self._events:
            return []
        found = list(self._events)
        self._events.clear()
        return found


def _within(a: float, b: float, ratio: float) -> bool:
    return b > 0.0 and b / ratio <= a <= b * ratio
