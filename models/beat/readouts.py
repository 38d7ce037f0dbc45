"""Ways of reading beats out of the network and the filter, compared: ``python -m models.beat.readouts DIR``.

All of them listen to one and the same run of the shipped tracker on the recordings of DIR (as for
``sidechain bench beat``), without a transport, so that nothing differs but the reading:

peak
    Local maxima of the network's beat probability, no filter; told when the frame after is known.
MAP crossing
    The most likely state of all passes a beat; told then, as in the usual online decoders.
MAP, predicted
    The same state, but the beat is sent ahead of time, at the instant at which that state will pass it.
mean, predicted
    Circular mean phase and mean period of the whole belief.
mode, predicted
    Mean phase around the strongest mode, with hysteresis (what ships, less the inertia).
lag 100, 300, 1000 ms
    The mode's phase, read so much after the beat that it places: better informed, and late.
shipped
    The decoder as it is.
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.beat import scoring
from models.beat.barpointer import CENTRE
from models.beat.decoder import FRAME_SECONDS, MOVE_SECONDS, BeatDecoder
from models.beat.features import LABEL_DELAY, PAIR, blocks
from models.beat.reading import PredictedBeat, Reading
from models.beat.recordings import Recordings, load_sound
from models.beat.statespace import STEP
from models.beat.tracker import WEIGHTS, Tracker
from realtime.errors import UserError

F64 = npt.NDArray[np.float64]
Row = tuple[float, float, float]
COLUMNS = ("F70", "F70e", "F25e", "CMLt", "AMLt", "DB70", "lock", "biase")


class ReadOut(Protocol):
    """Asked again and again for the beats to tell, as rows of time, beat in bar and time of telling."""

    def read(self, tracker: Tracker, sent: PredictedBeat | None, end: float) -> list[Row]:
        """Look at the tracker after it has heard up to `end`."""
        ...


class Peak:
    """Local maxima of the beat probability above `threshold`, at least `apart` seconds from one another."""

    def __init__(self, threshold: float = 0.3, apart: float = 0.2) -> None:
        self._threshold, self._apart = threshold, apart
        self._before = self._middle = np.zeros(2)
        self._last = -np.inf

    def read(self, tracker: Tracker, sent: PredictedBeat | None, end: float) -> list[Row]:
        rows: list[Row] = []
        for k, now in enumerate(tracker.pulse.astype(float), 1 - PAIR):
            before, middle = self._before, self._middle
            self._before, self._middle = middle, now
            at = end + (k - 1) * FRAME_SECONDS - LABEL_DELAY
            if middle[0] < self._threshold or middle[0] < now[0] or middle[0] <= before[0]:
                continue
            if at >= self._last + self._apart:
                self._last = at
                rows.append((at, 1.0 if middle[1] > 0.5 else 2.0, end))
        return rows


class Crossing:
    """The most likely state passes a beat."""

    def __init__(self) -> None:
        self._phase, self._last = 0.0, -np.inf

    def read(self, tracker: Tracker, sent: PredictedBeat | None, end: float) -> list[Row]:
        phase, period, beat = _most_likely(tracker.decoder)
        passed = phase < 0.5 <= self._phase
        self._phase = phase
        at = end - LABEL_DELAY - phase * period
        if not passed or tracker.decoder.coasting or at < self._last + 0.45 * period:
            return []
        self._last = at
        return [(at, beat, end)]


class Ahead:
    """Sends the next beat on the last move of the belief before it falls; `place` says where the pulse is."""

    def __init__(self, place: str) -> None:
        self._place = {"MAP": _most_likely, "mean": _whole_mean, "mode": _mode}[place]
        self._last = -np.inf

    def read(self, tracker: Tracker, sent: PredictedBeat | None, end: float) -> list[Row]:
        phase, period, beat = self._place(tracker.decoder)
        time = end - LABEL_DELAY + tracker.decoder.config.offset
        ahead = time + (1.0 - phase) * period
        due = ahead - period if ahead - period > self._last + 0.55 * period else ahead
        if due < end - 0.5 * period:
            due = ahead
        if due >= end + MOVE_SECONDS or due <= self._last + 0.45 * period or tracker.decoder.coasting:
            return []
        self._last = max(due, end)
        # the place counts from the beat passed; the one ahead is the next of its bar
        number = beat if due == ahead - period else beat % _metre(tracker.decoder) + 1
        return [(self._last, number, self._last)]


class Lagging:
    """Places each beat by the mode's phase `lag` seconds after it."""

    def __init__(self, lag: float) -> None:
        self._lag, self._last = lag, -np.inf

    def read(self, tracker: Tracker, sent: PredictedBeat | None, end: float) -> list[Row]:
        decoder = tracker.decoder
        phase, period, beat = _mode(decoder)
        time = end - LABEL_DELAY + decoder.config.offset
        since = int((self._lag / period) - phase + 1.0) if self._lag > phase * period else 0
        at = time - (phase + since) * period
        if decoder.coasting or time - at < self._lag or at < self._last + 0.45 * period:
            return []
        self._last = at
        return [(at, (beat - 1 - since) % _metre(decoder) + 1, end)]


class Shipped:
    """What the decoder itself sends."""

    def read(self, tracker: Tracker, sent: PredictedBeat | None, end: float) -> list[Row]:
        return [(sent.time, sent.number, max(sent.time, sent.emitted))] if sent else []


def _metre(decoder: BeatDecoder) -> int:
    return decoder.per_bar or 4


def _beat_in_bar(decoder: BeatDecoder, column: int) -> float:
    return next(column - r.start + 1.0 for r in decoder.filter.rows if r.start <= column < r.stop)


def _most_likely(decoder: BeatDecoder) -> tuple[float, float, float]:
    """Phase, period in s and beat in bar of the most likely state of all."""
    f = decoder.filter
    f.marginal()  # the decoder asks it at every second move only
    weight, phase = f.around(0, f.size)
    left, chain = np.unravel_index(int(np.argmax(weight)), weight.shape)
    beat = _beat_in_bar(decoder, int(np.argmax(f.joint(0, f.size)[left, :, chain])))
    if left > CENTRE:  # the state tells of the beat it is coming to
        beat = (beat - 2) % _metre(decoder) + 1
    return float(phase[left, chain]), int(f.periods[chain]) * STEP, beat


def _whole_mean(decoder: BeatDecoder) -> tuple[float, float, float]:
    """Circular mean phase and mean period of the whole belief; the most likely beat of the bar."""
    f = decoder.filter
    f.marginal()
    weight, phase = f.around(0, f.size)
    mass = weight / weight.sum()
    mean = float(np.angle(np.sum(mass * np.exp(2j * np.pi * phase))) / (2 * np.pi)) % 1.0
    coming = _beat_in_bar(decoder, int(np.argmax(f.joint(0, f.size).sum((0, 2)))))
    return mean, float(mass.sum(axis=0) @ f.periods) * STEP, (coming - 2) % _metre(decoder) + 1


def _mode(decoder: BeatDecoder) -> tuple[float, float, float]:
    """The decoder's own reading before its inertia."""
    r = decoder.believed
    assert isinstance(r, Reading)
    return r.phase, r.period, _beat_in_bar(decoder, int(np.argmax(decoder.bar())))


def readouts() -> dict[str, ReadOut]:
    """A fresh one of each, by name."""
    return {
        "peak": Peak(),
        "MAP crossing": Crossing(),
        "MAP, predicted": Ahead("MAP"),
        "mean, predicted": Ahead("mean"),
        "mode, predicted": Ahead("mode"),
        "lag 100 ms": Lagging(0.1),
        "lag 300 ms": Lagging(0.3),
        "lag 1000 ms": Lagging(1.0),
        "shipped": Shipped(),
    }


def read_all(sound: npt.NDArray[np.float32], tracker: Tracker) -> dict[str, F64]:
    """Beats of one recording by every read-out, rows of time, beat in bar, time of telling."""
    tracker.reset()
    ways = readouts()
    rows: dict[str, deque[Row]] = {k: deque() for k in ways}
    for block, end in blocks(sound):
        sent = tracker.step(block, end)
        for name, way in ways.items():
            rows[name].extend(way.read(tracker, sent, end))
    return {k: np.array(v, float).reshape(-1, 3) for k, v in rows.items()}


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folder", type=Path)
    ap.add_argument("--weights", type=Path, default=WEIGHTS)
    a = ap.parse_args(argv)
    try:
        recordings, tracker = Recordings(a.folder), Tracker(a.weights)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    scores: dict[str, list[dict[str, float]]] = {}
    for name in recordings.names:
        truth = recordings.beats(name)
        for way, found in read_all(load_sound(recordings.sounds[name]), tracker).items():
            scores.setdefault(way, []).append(scoring.score_track(truth, found))
    print(f"{'read-out':<18}" + "".join(f"{c:>8}" for c in COLUMNS))
    for way, tracks in scores.items():
        means = scoring.mean(tracks)
        cells = (f"{means[c]:8.1f}" if c in ("lock", "biase") else f"{means[c]:8.3f}" for c in COLUMNS)
        print(f"{way:<18}" + "".join(cells))
    return 0


if __name__ == "__main__":
    sys.exit(main())
