"""Choose thresholds, their timing and the filter of the sections, on training pieces that were not trained on.

    python -m models.structure.tune --data LONG --cache LONG/features OUT/structure.onnx

Prints for each event the threshold with the best F and the median delay of what it finds (``AGO`` of the tracker),
and for the filter the three best settings by the mean over the sections.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.dsp.belief import Belief
from models.dsp.stepper import Stepper
from models.structure.bench import FROM, match
from models.structure.features import condense
from models.structure.labels import EVENTS, STATES
from models.structure.tracker import RATE, Curves, Rise, StructureTracker
from models.structure.train import for_tuning
from models.structure.truth import IGNORE, events, states
from models.training.dataset import cached_pieces, is_validation
from realtime.errors import UserError, reported

F32 = npt.NDArray[np.float32]
LIMITS = tuple(np.arange(0.1, 0.96, 0.05).round(2).tolist())


class Heard(NamedTuple):
    """A piece: its truth, the network's states and the curves of the events, each ``(steps, 4)``."""

    truth: dict[str, Any]
    state: F32
    event: F32


def hear(net: Stepper, truth: dict[str, Any], path: Path) -> Heard:
    """The network's answers to a piece's features."""
    net.reset()
    frames = np.asarray(np.load(path), np.float32)
    curves = Curves()
    answers = [[a.copy() for a in net.step(x)] for x in condense(frames, frames[0])]
    said = np.array([curves.step(state, event) for state, event in answers], np.float32)
    return Heard(truth, np.array([a[0] for a in answers]), said)


def told(pieces: list[Heard], name: str, limit: float, ago: float) -> tuple[float, float, float, float]:
    """F, recall, precision of an event, and the median of report less truth, as the tracker would tell it."""
    k = EVENTS.index(name)
    true = reported = found = 0
    late: list[float] = []
    for piece in pieces:
        rise = Rise(StructureTracker.APART[name])
        said = [(n + 1) / RATE - ago for n, v in enumerate(piece.event[:, k].tolist()) if rise.step(v, limit)]
        truth = [t for t, e in events(piece.truth) if e == name]
        pairs = match(truth, said)
        true, reported, found = true + len(truth), reported + len(said), found + len(pairs)
        late += [said[j] + ago - t for t, j in pairs]
    f = 2 * found / max(1, true + reported)
    return f, found / max(1, true), found / max(1, reported), float(np.median(late)) if late else 0.0


def filtered(pieces: list[Heard], stay: float, temper: float, sure: float) -> tuple[float, float]:
    """Mean over the sections of the share that was right, and the share of all."""
    right = np.zeros((2, len(STATES)))
    for piece in pieces:
        belief = Belief(len(STATES), RATE, stay, temper, sure)
        truth = states(piece.truth, (1 + np.arange(len(piece.state))) / RATE)
        for n, answer in enumerate(piece.state):
            belief.step(answer)
            if truth[n] != IGNORE and n >= FROM * RATE:
                right[:, truth[n]] += belief.chosen == truth[n], 1
    return float((right[0] / np.maximum(right[1], 1)).mean()), float(right[0].sum() / right[1].sum())


def main() -> None:
    """Choose from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("network", type=Path)
    ap.add_argument("--data", type=Path, required=True)
    ap.add_argument("--cache", type=Path, required=True)
    a = ap.parse_args()
    net = Stepper(a.network, ("state", "event"))
    found = [p for p in cached_pieces(a.data, a.cache) if for_tuning(p[0].name) and not is_validation(p[0].name)]
    if not found:
        raise UserError(f"{a.cache}: no pieces to tune on; render and cache more")
    pieces = [hear(net, p.truth, path) for p, path in found]
    print(f"{len(pieces)} pieces")
    for name in EVENTS:
        ago = StructureTracker.AGO[name]
        best = max((told(pieces, name, limit, ago), limit) for limit in LIMITS)
        (f, recall, precision, late), limit = best
        print(f"{name:10} {limit:.2f}  F {f:.2f} recall {recall:.2f} precision {precision:.2f} late {late:.2f} s")
    settings = product((2.0, 8.0), (0.35, 0.6, 1.0), (0.5, 0.6))
    scored = sorted(((filtered(pieces, *s), s) for s in settings), reverse=True)
    for (mean, share), s in scored[:3]:
        print(f"stay {s[0]} temper {s[1]} sure {s[2]}: mean {mean:.3f}, right {share:.3f}")


if __name__ == "__main__":
    reported(main)
