"""The musical clock with a hand on it: what a person can do to it during a show, and what is shown of it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from statistics import median
from typing import Any

from realtime.clockstate import Glance, TransportState
from realtime.course import aligned, fold, wrap
from realtime.errors import UserError
from realtime.follower import FRESH, PROOF, Follower
from realtime.musical import BeatObservation, LockState
from realtime.preset import TransportSettings
from realtime.tapping import TapFit, Taps
from realtime.timeline import Segment

CONFIRMS = 0.08
"""Taps within so many beats of a tracker that is followed confirm it; its phase is finer than a hand's."""

SYNCED = 2.0
"""Seconds after the last word of another clock that the tracker stays unheard."""


class Transport(Follower):
    """The musical clock.

    Parameters
    ----------
    settings : TransportSettings

    Notes
    -----
    `observe`, `advance`, `act` and `state` are called on one thread, the fast lane, in stream order; nothing else
    is used as time, so equal input gives equal beats. `timeline` may be read from any thread.
    """

    def __init__(self, settings: TransportSettings) -> None:
        super().__init__(settings)
        self._taps = Taps()
        self._synced_until = -math.inf
        self._actions: dict[str, Callable[[Mapping[str, Any], float], None]] = {
            "tap": lambda _, now: self._tap(now),
            "nudge": lambda p, _: self._nudge_by(_number(p, "ms", -1000.0, 1000.0) / 1000.0),
            "double": lambda _, __: self._scale(2.0),
            "halve": lambda _, __: self._scale(0.5),
            "lock": lambda p, _: self._lock_tempo(_flag(p, "on", not self._locked_tempo)),
            "hold": lambda p, _: self._hold(_flag(p, "on", not self._held)),
            "one": lambda _, now: self._one(now),
            "resync": lambda _, now: self._resync(now),
            "metre": lambda p, _: self._metre_by_hand(_number(p, "beats", 0, 12)),
            "window": lambda p, _: self._window_by_hand(
                _number(p, "low", 20.0, 400.0), _number(p, "high", 20.0, 400.0)
            ),
            "sync": lambda p, now: self._sync(
                _number(p, "bpm", 20.0, 999.0), _number(p, "beat", 0.0, 64.0), _number(p, "beats", 1, 64), now
            ),
        }

    def act(self, name: str, params: Mapping[str, Any], now: float) -> None:
        """Do what a person asked for.

        Parameters
        ----------
        name : str
            ``tap``; ``nudge`` (``ms``, positive = beats come later); ``double``, ``halve`` (in force from the
            next beat until the tracker relocates or ``resync``); ``lock`` (``on``: keep this tempo); ``hold``
            (``on``: keep tempo and phase whatever is heard); ``one`` (the nearest beat is the first of a phrase);
            ``resync`` (jump to what is wanted now: tapped pulse if taps are recent, else the tracker's, and
            forget corrections); ``metre`` (``beats``, 2–12, 0 = as the tracker says); ``window`` (``low``,
            ``high`` BPM); ``sync`` (``bpm``, ``beat`` from 0 within a bar of ``beats``: follow another clock,
            such as Link, instead of the tracker for the next two seconds). ``lock`` and ``hold`` toggle without
            ``on``.
        params : mapping
        now : float
            Stream seconds of the action.

        Raises
        ------
        UserError
            Unknown action, missing or impossible parameter, or nothing to act on yet.
        """
        action = self._actions.get(name)
        if action is None:
            near = difflib.get_close_matches(name, self._actions, n=1, cutoff=0.4)
            raise UserError(
                f"unknown transport action '{name}'" + (f"; did you mean '{near[0]}'?" if near else "")
            )
        if not math.isfinite(now):
            raise UserError(f"transport.{name}: the time of the action is not a number")
        action(params, now)
        self.timeline = self._draw()

    def configure(self, settings: TransportSettings) -> None:
        """Go on by other settings; the pulse and the count are kept. On the fast lane's thread."""
        before, self.settings = self.settings, settings
        if (before.low_bpm, before.high_bpm) != (settings.low_bpm, settings.high_bpm):
            self._set_window(settings.low_bpm, settings.high_bpm)
        if before.beats_per_bar != settings.beats_per_bar:
            self._metre(settings.beats_per_bar)
        self._bars.regroup(settings.phrase_bars)
        self.timeline = self._draw()

    # ------------------------------------------------------------------ tapping

    def _tap(self, now: float) -> None:
        count = self._taps.add(now)
        fit = self._taps.fit()
        if fit is not None and not self._locked_tempo:
            self._tap_tempo(fit)
        elif count >= 2 and self._course.rate > 0.0:
            self._tap_phase()

    def _followed(self) -> BeatObservation | None:
        """The newest observation, if the clock runs by it."""
        obs = self._latest if self._state == "searching" else self._trusted
        if obs is None or self._state not in ("searching", "locked") or self._now - obs.time > FRESH:
            return None
        return obs if obs.evidence else None

    def _tap_phase(self) -> None:
        line = self._course.target
        offsets = [wrap(line.at(t)) for t in self._taps.times]
        spread = [wrap(o - offsets[-1]) for o in offsets]
        middle = median(spread)
        if max(abs(s - middle) for s in spread) > 0.25:
            return
        self._move(-wrap(offsets[-1] + middle))

    def _tap_tempo(self, fit: TapFit) -> None:
        tempo = 60.0 / fit.period
        if not 20.0 <= tempo <= 400.0:
            return
        obs = self._followed()
        octave = round(math.log2(tempo / obs.tempo)) if obs else 0
        if obs and abs(octave) <= 2 and 1 / 1.06 <= tempo / obs.tempo / 2.0**octave <= 1.06:
            self._factor = 2.0**octave
            self._user_factor = self._factor / self._fold
            self._tapped = 0.0
            rate = obs.tempo * self._factor / 60.0
        else:
            obs = None
            self._tapped, self._shift = tempo, 0.0
            rate = tempo / 60.0
        self._course.switch = None
        self._rival = None
        self._trace.clear()
        if self._state == "searching":
            self._jump_to(fit.time, rate, "tapped")
            self._enter("coasting")
            return
        start = self._start()
        here = self._course.at(start)
        phase = wrap((start - fit.time) * rate - here)
        if obs is not None:
            heard = aligned(self._beats(obs, start), self._factor, here + phase)
            self._shift = 0.0 if abs(heard) <= CONFIRMS else -heard
            phase += heard + self._shift
        elif self._state == "locked":
            self._state = "coasting"
        self._trusted_number, self._earned = self._number, PROOF
        self._owed = phase
        self._course.steer(start, Segment(start, here + phase, rate), self.settings.max_slew)

    def _move(self, beats: float) -> None:
        """Shift the pulse by hand, `beats` forward; the clock slews there."""
        followed = self._followed() is not None
        if followed and abs(beats) <= CONFIRMS:
            return
        if followed:
            self._shift = wrap(self._shift + beats)
        self._push(beats)

    def _push(self, beats: float) -> None:
        target, start = self._course.target, self._start()
        moved = target._replace(position=target.position + beats)
        if not self._sends():
            self._course.jump(start, moved, keep=False)
            return
        self._owed += beats
        if abs(moved.at(start) - self._course.at(start)) > 0.5:
            whole = round(moved.at(start) - self._course.at(start))
            moved = moved._replace(position=moved.position - whole)
            self._owed -= whole
        self._course.steer(start, moved, self.settings.max_slew)

    # ------------------------------------------------------------------ the other actions

    def _nudge_by(self, seconds: float) -> None:
        nudge = self._nudge + seconds
        if abs(nudge) > 2.0:
            raise UserError(
                f"transport.nudge: more than 2 s in all ({nudge * 1000:.0f} ms); 'resync' forgets nudges"
            )
        self._nudge = nudge
        if self._course.rate > 0.0:
            self._push(-seconds * self._course.rate)

    def _scale(self, ratio: float) -> None:
        self._need_tempo("double" if ratio > 1.0 else "halve")
        pending = self._course.switch[1] if self._course.switch else 1.0
        tempo = self._course.rate * 60.0 * pending * ratio
        if not 15.0 <= tempo <= 600.0:
            raise UserError(f"transport: {tempo:.0f} BPM is out of reach (15–600)")
        self._user_factor *= ratio
        if self._sends():
            self._rescale(ratio)
            return
        self._factor *= ratio
        start = self._start()
        target = self._course.target
        self._course.jump(start, Segment(start, target.at(start), target.rate * ratio), keep=False)

    def _lock_tempo(self, on: bool) -> None:
        if on:
            self._need_tempo("lock")
        pending = self._course.switch[1] if self._course.switch else 1.0
        self._locked_tempo = self._course.rate * 60.0 if on else 0.0
        if on and pending != 1.0 and not self._sends():
            self._locked_tempo *= pending

    def _hold(self, on: bool) -> None:
        if on == self._held:
            return
        if on:
            self._need_tempo("hold")
            self._held = True
            self._enter("held")
        else:
            self._held = False
            self._state = "coasting"
            self._trusted_number, self._earned = self._number, PROOF
            self._rival, self._let_go = None, False

    def _one(self, now: float) -> None:
        self._need_tempo("one")
        nearest = round(self._course.at(now))
        following = self._number + 1
        self._bars.one(following, max(0, following - nearest))

    def _resync(self, now: float) -> None:
        if self._course.rate > 0.0 and (now - self._taps.last()) * self._course.rate <= 8.0:
            line = self._course.target
            self._jump_to(line.when(math.floor(line.at(self._now))), line.rate, "resync")
            return
        obs = self._latest
        if obs is None or not obs.evidence or self._now - obs.time > FRESH:
            raise UserError("transport.resync: no pulse is heard now; tap it first")
        self._forget()
        self._nudge = 0.0
        self._fold = fold(obs.tempo, *self._window)
        self._factor = self._fold
        self._jump(obs, "resync")

    def _metre(self, beats: float) -> None:
        if beats != int(beats) or beats == 1:
            raise UserError(f"transport.metre: {beats:g} is not a metre; 2 to 12, or 0 to follow the tracker")
        self._bars.set_metre(self._number + 1, int(beats))

    def _metre_by_hand(self, beats: float) -> None:
        self._metre(beats)
        self.settings = self.settings.model_copy(update={"beats_per_bar": int(beats)})

    def _window_by_hand(self, low: float, high: float) -> None:
        self._set_window(low, high)
        self.settings = self.settings.model_copy(update={"low_bpm": low, "high_bpm": high})

    def _set_window(self, low: float, high: float) -> None:
        if high < 1.5 * low:
            raise UserError(f"transport.window: {low:g}–{high:g} is too narrow; high must be 1.5 × low or more")
        self._window = (low, high)
        rate = self._course.rate
        if rate <= 0.0 or self._locked_tempo or self._tapped:
            return
        self._fold = fold(rate * 60.0 / self._factor, low, high)
        wanted = self._fold * self._user_factor
        pending = self._course.switch[1] if self._course.switch else 1.0
        if wanted != self._factor * pending and self._sends():
            self._rescale(wanted / (self._factor * pending))

    def observe(self, obs: BeatObservation) -> None:
        """Take in what the tracker believes, unless another clock is followed at present."""
        if not obs.time <= self._synced_until:  # not a number: let it be counted as rubbish
            super().observe(obs)

    def _sync(self, bpm: float, beat: float, beats: float, now: float) -> None:
        index = math.floor(beat)
        self._synced_until = now + SYNCED
        super().observe(
            BeatObservation(now, bpm, min(beat - index, 0.999999), index % int(beats) + 1, int(beats), 1.0, 1.0)
        )

    def _need_tempo(self, action: str) -> None:
        if self._course.rate <= 0.0:
            raise UserError(f"transport.{action}: there is no tempo yet; wait for a lock or tap four times")

    # ------------------------------------------------------------------ what is shown

    def describe(self) -> dict[str, Any]:
        """The state as plain data."""
        return asdict(self.state())

    @property
    def lock(self) -> LockState:
        """Whether it is locked, and to what."""
        return self._state

    def _fresh(self) -> BeatObservation | None:
        """What the tracker believes now, if it hears anything."""
        obs = self._latest
        return obs if obs is not None and obs.evidence and self._now - obs.time <= FRESH else None

    def glance(self) -> Glance:
        """The pulse as it stands at the last `advance`."""
        position = self._course.at(self._now)
        number = max(0, math.floor(position + 1e-9))
        beat_in_bar, beats_per_bar, bar, phrase = self.timeline.place(max(1, number))
        phase = min(max(position - number, 0.0), 0.999999)
        obs = self._fresh()
        return Glance(
            self._course.rate * 60.0,
            phase,
            (beat_in_bar - 1 + phase) / beats_per_bar,
            beat_in_bar,
            beats_per_bar,
            number,
            bar,
            phrase,
            obs.confidence if obs is not None else 0.0,
            self._state != "searching",
        )

    def state(self) -> TransportState:
        """The clock as it stands at the last `advance`."""
        obs = self._fresh()
        pending = self._course.switch[1] if self._course.switch else 1.0
        return TransportState(
            **self.glance()._asdict(),
            state=self._state,
            downbeat_confidence=obs.downbeat_confidence if obs is not None else 0.0,
            multiplier=self._factor * pending,
            tempo_locked=self._locked_tempo > 0.0,
            held=self._held,
            taps=len(self._taps.times) if self._now - self._taps.last() < 2.6 else 0,
            nudge_ms=self._nudge * 1000.0,
            low_bpm=self._window[0],
            high_bpm=self._window[1],
            relocations=self._relocations,
            rejected=self._rejected,
        )


def _number(params: Mapping[str, Any], key: str, low: float, high: float) -> float:
    value = params.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UserError(f"'{key}' must be a number from {low:g} to {high:g} (given {value!r})")
    if not low <= value <= high:
        raise UserError(f"'{key}' must lie between {low:g} and {high:g} (given {value:g})")
    return float(value)


def _flag(params: Mapping[str, Any], key: str, default: bool) -> bool:
    value = params.get(key, default)
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return bool(value)
    raise UserError(f"'{key}' must be true or false (given {value!r})")
