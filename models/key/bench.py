"""``sidechain bench key DIR``: key and chords on rendered music, ours and templates without training.

DIR is a folder of ``models.training.render``; its held-out pieces are scored (``seed % 50 == 7``), less DJ mixes,
pieces without harmony, and those played so fast or slow that they lie between two keys. Scored as published, live:

- chord: share of the time with a major or minor chord, or none, in which the last word was right; ``seen`` allows
  for the declared delay of 0.3 s.
- key: share of the time from 10 s on in which the key was right; ``end``: at the end of the piece; ``MIREX``: the
  same with half a point for a fifth, .3 for the relative, .2 for the parallel key.
- changes: keys and chords announced per minute; first: seconds until the first right key.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.key import templates
from models.key.features import FPS, HOP, LONG, RATE
from models.key.plugin import DELAY
from models.key.tracker import KeyTracker
from models.key.truth import IGNORE, labels
from models.scoring.recordings import add_gain, amplitude
from models.training.dataset import is_validation, load_piece, pieces, read_audio
from realtime.bench.report import parser, publish
from realtime.errors import UserError

I64 = npt.NDArray[np.int64]
FROM = 10.0


def follow(sound: npt.NDArray[np.float32], tracker: KeyTracker) -> tuple[I64, I64, float]:
    """Chord and key published after each hop (-1: none yet), and seconds of CPU."""
    tracker.reset()
    padded = np.concatenate([np.zeros(LONG - HOP, np.float32), sound])
    count = len(sound) // HOP
    chord, key = np.empty(count, np.int64), np.empty(count, np.int64)
    begin = time.thread_time()
    for k in range(count):
        tracker.step(padded[k * HOP : k * HOP + LONG])
        chord[k], key[k] = tracker.chord.chosen, tracker.key.chosen
    return chord, key, time.thread_time() - begin


def mirex(found: int, truth: int) -> float:
    """Points of a key: 1 right, .5 a fifth off, .3 relative, .2 parallel."""
    if found == truth:
        return 1.0
    if found < 0:
        return 0.0
    same_mode = (found < 12) == (truth < 12)
    if same_mode:
        return 0.5 if (found - truth) % 12 in (5, 7) else 0.0
    if found % 12 == truth % 12:
        return 0.2
    relative = (truth + 9) % 12 + 12 if truth < 12 else (truth + 3) % 12
    return 0.3 if found == relative else 0.0


class Score:
    """Collects one method's figures over pieces."""

    def __init__(self) -> None:
        self.sums: dict[str, list[float]] = {}

    def add(self, name: str, value: float) -> None:
        """One piece's figure."""
        if not np.isnan(value):
            self.sums.setdefault(name, []).append(value)

    def piece(self, chord: I64, key: I64, true: tuple[I64, I64, I64]) -> None:
        """Score one piece: published chord and key by hop; truth: chord now, chord when heard, key."""
        now, heard, keys = true
        for name, truth in (("chord", now), ("chord seen", heard)):
            asked = truth != IGNORE
            self.add(name, float((chord == truth)[asked].mean()) if asked.any() else float("nan"))
        late = np.arange(len(keys)) / FPS >= FROM
        asked = (keys != IGNORE) & late
        if asked.any():
            self.add("key", float((key == keys)[asked].mean()))
            last = int(np.flatnonzero(asked)[-1])
            self.add("key end", float(key[last] == keys[last]))
            self.add("MIREX end", mirex(int(key[last]), int(keys[last])))
            right = np.flatnonzero(key == keys)
            self.add("first s", right[0] / FPS if len(right) else float("nan"))
        minutes = len(key) / FPS / 60
        self.add("keys/min", float(np.count_nonzero(np.diff(key)) / minutes))
        self.add("chords/min", float(np.count_nonzero(np.diff(chord)) / minutes))

    def row(self, name: str) -> dict[str, object]:
        """Means, as a row of the table."""
        order = ("chord", "chord seen", "key", "key end", "MIREX end", "first s", "keys/min", "chords/min")
        return {"method": name, **{k: float(np.mean(self.sums.get(k, [float("nan")]))) for k in order}}


def _preceding(other: npt.NDArray[np.float32], silence: float) -> npt.NDArray[np.float32]:
    """40 s of another piece and so many seconds of silence, in whole hops."""
    heard = other[: min(40 * RATE, len(other) // HOP * HOP)]
    return np.concatenate([heard, np.zeros(round(silence * FPS) * HOP, np.float32)])


def run(folder: Path, most: int, silence: float | None = None, gain_db: float = 0.0) -> dict[str, object]:
    """Score, each piece alone or after 40 s of another and so much silence; raises ``UserError`` if there are no
    held-out pieces."""
    paths = [p for p in pieces(folder) if is_validation(p.stem)][:most]
    tracker, scores, spent, length, count = KeyTracker(), dict[str, Score](), 0.0, 0.0, 0
    factor = amplitude(gain_db)
    for n, path in enumerate(paths):
        piece = load_piece(path)
        sound = read_audio(piece.audio) * factor
        times = (1 + np.arange(len(sound) // HOP)) / FPS
        now, keys = labels(piece.truth, times)
        heard, _ = labels(piece.truth, times - DELAY)
        if not ((now != IGNORE).any() or (keys != IGNORE).any()):
            continue
        count += 1
        before = np.zeros(0, np.float32)
        if silence is not None:
            other = read_audio(load_piece(paths[(n + len(paths) // 2) % len(paths)]).audio) * factor
            before = _preceding(other, silence)
        chord, key, seconds = follow(np.concatenate([before, sound]), tracker)
        spent, length = spent + seconds, length + (len(before) + len(sound)) / RATE
        true = now, heard, keys
        own = slice(len(before) // HOP, None)
        scores.setdefault("sidechain", Score()).piece(chord[own], key[own], true)
        tracker.salience.reset()
        semitones = tracker.salience.clip(sound)
        plain = templates.chords(semitones)
        for name, profiles in (("Krumhansl", templates.KRUMHANSL), ("Temperley", templates.TEMPERLEY)):
            found = templates.keys(semitones, profiles)
            scores.setdefault(f"templates, {name}", Score()).piece(plain, found, true)
    if not count:
        raise UserError(f"{folder}: no held-out pieces with harmony; render more with models.training.render")
    rows = [s.row(n) for n, s in scores.items()]
    return {"pieces": count, "minutes": length / 60, "cpu share of real time": spent / length, "scores": rows}


def main(argv: list[str] | None = None) -> int:
    """The bench."""
    arguments = parser("key", __doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--most", type=int, default=1000, help="pieces to score")
    arguments.add_argument(
        "--after-silence", type=float, metavar="SECONDS", help="each after another and so much silence"
    )
    add_gain(arguments)
    args = arguments.parse_args(argv)
    publish("key", args, run(args.folder, args.most, args.after_silence, args.gain))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
