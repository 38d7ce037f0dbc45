"""How far the tracker's confidence can be trusted, and the constants that make it so.

    python -m models.beat.calibrate DIR [DIR …]

Runs the shipped tracker on the recordings of each DIR (as for ``sidechain bench beat``) and notes, for every beat
sent, the belief's share, how long the pulse had been followed, and whether a true beat lay within 70 ms. Prints
how often beats of each confidence were right, then the constants that logistic regression finds on each DIR alone,
with the calibration error they have on the others, and on all together.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.beat.confidence import CALIBRATION
from models.beat.features import HOP, SAMPLE_RATE, WINDOW
from models.beat.recordings import Recordings, load_sound
from models.beat.tracker import Tracker
from realtime.errors import UserError

F64 = npt.NDArray[np.float64]
TOLERANCE = 0.070


def collect(recordings: Recordings, tracker: Tracker) -> tuple[F64, F64]:
    """Per beat sent: ``(n, 3)`` of 1, log odds of the share, log of beats followed; and ``(n,)`` right or not."""
    rows, right = [], []
    for name in recordings.names:
        truth = recordings.beats(name)[:, 0]
        sound = load_sound(recordings.sounds[name])
        padded = np.concatenate([np.zeros(WINDOW - HOP, np.float32), sound])
        tracker.reset()
        for k in range(len(sound) // HOP):
            sent = tracker.step(padded[k * HOP : k * HOP + WINDOW], (k + 1) * HOP / SAMPLE_RATE)
            believed = tracker.decoder.believed
            if sent is None or believed is None or not truth[0] - 0.2 <= sent.time <= truth[-1] + 0.2:
                continue
            share = min(max(believed.mass, 1e-5), 1 - 1e-5)
            rows.append((1.0, np.log(share / (1 - share)), np.log1p(tracker.decoder.followed)))
            right.append(float(np.abs(truth - sent.time).min() <= TOLERANCE))
    return np.array(rows), np.array(right)


def fit(x: F64, y: F64, steps: int = 50) -> F64:
    """Logistic regression by Newton's method."""
    b = np.zeros(x.shape[1])
    for _ in range(steps):
        p = probability(x, b)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(len(b))
        b += np.linalg.solve(hessian, x.T @ (y - p))
    return b


def probability(x: F64, constants: F64) -> F64:
    """Confidence of each row."""
    out: F64 = 1.0 / (1.0 + np.exp(-(x @ constants)))
    return out


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
    a = ap.parse_args(argv)
    try:
        tracker = Tracker()
        found = {f: collect(Recordings(f), tracker) for f in a.folders}
    except UserError as problem:
        print(problem, file=sys.stderr)
        return 2
    for folder, (x, y) in found.items():
        rows, error = reliability(probability(x, np.array(CALIBRATION)), y)
        print(f"{folder.name}: {len(y)} beats, {y.mean():.3f} right; calibration error {error:.3f}")
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
