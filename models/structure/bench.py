"""``sidechain bench structure DIR``: sections and events on rendered pieces of some minutes.

DIR is a folder of ``models.structure.render``, whose held-out pieces are scored (``seed % 50 == 7``), as
published, live. An event counts as found if one of its name is reported within 2.5 s of it.

- alarms/h: reported events that nothing in the truth stands for, per hour of music.
- delay: from the true instant to the report, median and 90 %, of those found.
- on bar: share of those found whose nearest bar line (of the true grid) is the true instant.
- sections: share of the time, from 10 s on, in which the published word was right.
- energy: means by true section; AUC: chance that a moment of full force has more energy than one of a breakdown.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.scoring.recordings import add_gain, amplitude
from models.scoring.roc import auc
from models.structure.labels import EVENTS, STATES
from models.structure.tracker import RATE, StructureTracker
from models.structure.truth import IGNORE, events, states
from models.tags.features import HOP, INPUT
from models.training.dataset import is_validation, load_piece, pieces, read_audio
from realtime.bench.report import parser, progress, publish
from realtime.errors import UserError

F64 = npt.NDArray[np.float64]
NEAR = 2.5
FROM = 10.0


def match(truth: list[float], found: list[float]) -> list[tuple[float, int]]:
    """Pairs of a true instant and the number of its report: nearest first, each used once."""
    options = sorted((abs(t - f), t, k) for t in truth for k, f in enumerate(found) if abs(t - f) <= NEAR)
    pairs: list[tuple[float, int]] = []
    for _, t, k in options:
        if all(t != a and k != b for a, b in pairs):
            pairs.append((t, k))
    return pairs


class Listener:
    """Runs the tracker over pieces and gathers what it says."""

    def __init__(self, sensitivity: float) -> None:
        self.tracker = StructureTracker()
        self.tracker.sensitivity = sensitivity
        self.counts = {name: [0, 0, 0] for name in EVENTS}  # true, reported, found
        self.delays: dict[str, list[float]] = {name: [] for name in EVENTS}
        self.on_bar: dict[str, list[bool]] = {name: [] for name in EVENTS}
        self.section: list[npt.NDArray[np.int64]] = []
        self.truth: list[npt.NDArray[np.int64]] = []
        self.energy: list[F64] = []
        self.hours = self.spent = 0.0

    def hear(self, sound: npt.NDArray[np.float32], truth: dict[str, Any], bars: F64) -> None:
        """One piece."""
        self.tracker.reset()
        padded = np.concatenate([np.zeros(INPUT.length - HOP, np.float32), sound])
        count = len(sound) // HOP
        section, energy = np.empty(count, np.int64), np.empty(count)
        said: dict[str, list[tuple[float, float]]] = {name: [] for name in EVENTS}
        begin = time.thread_time()
        for k in range(count):
            for f in self.tracker.step(padded[k * HOP : k * HOP + INPUT.length]):
                now = (k + 1) / RATE
                said[f.event].append((now - f.ago, now))
            section[k], energy[k] = self.tracker.state.chosen, self.tracker.energy
        self.spent += time.thread_time() - begin
        self.hours += count / RATE / 3600
        self.section.append(section)
        self.energy.append(energy)
        self.truth.append(states(truth, (1 + np.arange(count)) / RATE))
        for name in EVENTS:
            true = [t for t, e in events(truth) if e == name]
            pairs = match(true, [t for t, _ in said[name]])
            self.counts[name] = [
                a + b for a, b in zip(self.counts[name], (len(true), len(said[name]), len(pairs)))
            ]
            for t, k in pairs:
                at, sent = said[name][k]
                self.delays[name].append(sent - t)
                nearest = bars[np.abs(bars - at).argmin()] if len(bars) else np.inf
                self.on_bar[name].append(bool(abs(nearest - t) < 0.1))

    def events_table(self) -> list[dict[str, object]]:
        """One row an event."""
        rows = []
        for name, (true, reported, found) in self.counts.items():
            late = self.delays[name] or [float("nan")]
            rows.append(
                {
                    "event": name,
                    "true/h": true / self.hours,
                    "recall": found / max(1, true),
                    "precision": found / max(1, reported),
                    "F": 2 * found / max(1, true + reported),
                    "alarms/h": (reported - found) / self.hours,
                    "delay p50 s": float(np.median(late)),
                    "p90": float(np.percentile(late, 90)),
                    "on bar": float(np.mean(self.on_bar[name])) if self.on_bar[name] else float("nan"),
                }
            )
        return rows

    def sections_table(self) -> dict[str, object]:
        """Sections and energy."""
        late = [np.arange(len(t)) / RATE >= FROM for t in self.truth]
        truth, found, energy, keep = (np.concatenate(x) for x in (self.truth, self.section, self.energy, late))
        asked = (truth != IGNORE) & keep
        rows: list[dict[str, object]] = []
        for k, name in enumerate(STATES):
            here = asked & (truth == k)
            said = {f"said {s}": float((found[here] == j).mean()) for j, s in enumerate(STATES)}
            share, force = float(here.sum() / asked.sum()), float(energy[here].mean())
            rows.append({"section": name, "share": share, **said, "energy": force})
        ends = asked & ((truth == 0) | (truth == 3))
        return {
            "section right": float((found == truth)[asked].mean()),
            "mean over sections": float(np.mean([float(str(r[f"said {r['section']}"])) for r in rows])),
            "energy AUC, drop against breakdown": auc(truth[ends] == 3, energy[ends]),
            "sections": rows,
        }


def run(folder: Path, sensitivity: float, gain_db: float = 0.0) -> dict[str, object]:
    """Score; raises ``UserError`` if there are no held-out pieces."""
    paths = [p for p in pieces(folder) if is_validation(p.stem)]
    if not paths:
        raise UserError(f"{folder}: no held-out pieces; render some with models.structure.render --held-out")
    listener = Listener(sensitivity)
    for number, path in enumerate(paths):
        progress(f"piece {number + 1} of {len(paths)}")
        piece = load_piece(path)
        if piece.truth["source"] == "composer":
            bars = piece.beats[piece.beats[:, 1] == 1, 0]
            listener.hear(read_audio(piece.audio) * amplitude(gain_db), piece.truth, bars)
    return {
        "pieces": len(listener.truth),
        "hours": listener.hours,
        "ms of CPU per 100 ms": 1000 * listener.spent / (listener.hours * 3600 * RATE),
        "events": listener.events_table(),
        **listener.sections_table(),
    }


def main(argv: list[str] | None = None) -> int:
    """The bench."""
    arguments = parser("structure", __doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--sensitivity", type=float, default=1.0)
    add_gain(arguments)
    args = arguments.parse_args(argv)
    publish("structure", args, run(args.folder, args.sensitivity, args.gain))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
