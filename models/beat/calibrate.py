"""How far the tracker's confidence can be trusted, and the constants that make it so.

    python -m models.beat.calibrate DIR [DIR …] [--without SOUNDS [SOUNDS …]]

Runs the shipped tracker on the recordings of each DIR (as for ``sidechain bench beat``) and notes, for every beat
sent, the belief's share, how long the pulse had been followed, how clearly its beats were heard, how surely there
was music, and whether a true beat lay within 70 ms. SOUNDS are folders of speech and noise, in which every beat is
wrong; up to three minutes of each are joined. Prints how often beats of each confidence were right and how many
had enough to lock the clock, then the constants that logistic regression finds on each folder alone, with the
calibration error they have on the others, and on all together.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.beat.confidence import CALIBRATION, evidence
from models.beat.features import SAMPLE_RATE, blocks
from models.beat.logistic import fit, probability
from models.beat.recordings import SOUND, Recordings, load_sound
from models.beat.tracker import Tracker
from realtime.errors import UserError
from realtime.preset import TransportSettings

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
TOLERANCE = 0.070
LOCKS = TransportSettings().lock_confidence


def collect(recordings: Recordings, tracker: Tracker) -> tuple[F64, F64]:
    """Per beat sent: what its confidence is made of, ``(n, 5)``; and ``(n,)`` right or not."""
    rows, right = [], []
    for name in recordings.names:
        truth = recordings.beats(name)[:, 0]
        for time, row in _sent(recordings.sound(name), tracker):
            if truth[0] - 0.2 <= time <= truth[-1] + 0.2:
                rows.append(row)
                right.append(float(np.abs(truth - time).min() <= TOLERANCE))
    return np.array(rows), np.array(right)


def collect_without(folder: Path, tracker: Tracker, seconds: float = 180.0) -> tuple[F64, F64]:
    """The same in sounds that have no beat."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SOUND)
    if not files:
        raise UserError(f"{folder}: no sounds; give a folder with speech or noise")
    rng = np.random.default_rng(1)
    parts: list[F32] = []
    while sum(map(len, parts)) < seconds * SAMPLE_RATE and files:
        parts.append(load_sound(files.pop(int(rng.integers(len(files))))))
        parts.append(np.zeros(int(rng.uniform(0.1, 0.8) * SAMPLE_RATE), np.float32))
    rows = np.array([row for _, row in _sent(np.concatenate(parts), tracker)])
    return rows, np.zeros(len(rows))


def _sent(sound: F32, tracker: Tracker) -> Iterator[tuple[float, tuple[float, ...]]]:
    """Time of each beat sent, and what its confidence is made of."""
    tracker.reset()
    for block, end in blocks(sound):
        sent = tracker.step(block, end)
        decoder = tracker.decoder
        if sent is not None and decoder.believed is not None:
            yield (
                sent.time,
                evidence(decoder.believed.mass, decoder.followed, decoder.support.value, decoder.music.value),
            )


def reliability(p: F64, y: F64) -> tuple[list[tuple[float, int, float, float]], float]:
    """Per tenth: lower end, beats, mean confidence, share that was right; and the expected calibration error."""
    rows, error = [], 0.0
    for low in np.arange(10) / 10:
        inside = (p >= low) & (p < low + 0.1)
        if inside.any():
            told, true = float(p[inside].mean()), float(y[inside].mean())
            rows.append((float(low), int(inside.sum()), told, true))
            error += float(inside.mean()) * abs(told - true)
    return rows, error


def main(argv: list[str] | None = None) -> int:
    """Print the tables."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folders", type=Path, nargs="+")
    ap.add_argument("--without", type=Path, nargs="+", default=[], help="folders of speech and noise")
    a = ap.parse_args(argv)
    try:
        tracker = Tracker()
        found = {f: collect(Recordings(f), tracker) for f in a.folders}
        found |= {f: collect_without(f, tracker) for f in a.without}
    except UserError as problem:
        print(problem, file=sys.stderr)
        return 2
    for folder, (x, y) in found.items():
        sure = probability(x, np.array(CALIBRATION))
        rows, error = reliability(sure, y)
        locks = sure >= LOCKS
        wrong = float(locks[y == 0].mean()) if (y == 0).any() else 0.0
        print(
            f"{folder.name}: {len(y)} beats, {y.mean():.3f} right; calibration error {error:.3f}; "
            f"{LOCKS} and more: {locks.mean():.3f}, of the wrong ones {wrong:.3f}"
        )
        for low, count, told, true in rows:
            print(f"  {low:.1f}… {count:6d} beats  confidence {told:.2f}  right {true:.2f}")
    for folder, (x, y) in found.items():
        constants = fit(x, y)
        others = [reliability(probability(v, constants), w)[1] for k, (v, w) in found.items() if k != folder]
        print(f"fitted on {folder.name}: {constants.round(3)}; error on the others {np.round(others, 3)}")
    x, y = (np.concatenate(part) for part in zip(*found.values()))
    print(f"fitted on all: {fit(x, y).round(3)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
