"""Find the plugin's thresholds on recordings with known hits.

    python -m models.drums.tune DIR        # laid out as for: sidechain bench drums DIR

Thresholds for drums alone are those with the best F at emission (±50 ms) on ``drum_only``, those under a band
the best on the other mixes; of any hit under a band the best that finds at least 92 % of the hits, if its F
stays above .8. Prints both sets, with F, precision and recall.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.drums.features import CLASSES, FPS
from models.drums.picker import Picker
from models.drums.plugin import Drums
from models.scoring.drums import classes_of
from models.scoring.onsets import match, truth_of
from models.scoring.recordings import SOUND, listen
from realtime.errors import UserError, reported
from realtime.hosting.plugin import Array, Feature

F64 = npt.NDArray[np.float64]
GRID = tuple(round(0.05 * k, 2) for k in range(2, 17))
NAMES = ("any", *CLASSES)
ALONE = "drum_only"
RECALL, LEAST = 0.92, 0.8
Heard = list[tuple[str, F64, F64, F64]]
"""Of each recording: name, emission times, curves (frames, 4), how surely a band plays."""


class Probe(Drums):
    """The plugin, telling what it decides on instead of what it decides."""

    def process(self, block: Array, time: float) -> list[Feature]:
        answer, band = self.hear(block)
        return [Feature("curves", time, (*answer[: len(NAMES)].tolist(), band))]


def curves(path: Path) -> tuple[F64, F64, F64]:
    """Emission times, curves and belief of a recording."""
    rows = [(e, f.value) for e, f in listen(Probe, path)]
    values = np.array([v for _, v in rows], np.float64)
    return np.array([e for e, _ in rows]), values[:, :-1], values[:, -1]


def score(heard: Heard, truths: dict[str, dict[str, F64]], column: int, alone: float, band: float) -> F64:
    """F, precision and recall at ±50 ms, pooled."""
    found, true, told = 0, 0, 0
    for name, emitted, values, belief in heard:
        picker = Picker((alone,), (band,), round(0.04 * FPS))
        rows = zip(values[:, column].astype(np.float32)[:, None], belief.tolist())
        hits = emitted[[bool(picker.step(v, b)) for v, b in rows]]
        truth = truths[name][NAMES[column]]
        found, true, told = found + len(match(truth, hits, 0.05)), true + len(truth), told + len(hits)
    return np.array([2 * found / max(1, true + told), found / max(1, told), found / max(1, true)])


def best(heard: Heard, truths: dict[str, dict[str, F64]], column: int, other: float, alone: bool) -> float:
    """The threshold of one kind of mix, the other kind's being `other`."""
    scores = {t: score(heard, truths, column, *((t, other) if alone else (other, t))) for t in GRID}
    wide = {t: s for t, s in scores.items() if s[2] >= RECALL and s[0] >= LEAST}
    if column == 0 and not alone and wide:
        scores = wide
    return max(scores, key=lambda t: float(scores[t][0]))


def main() -> None:
    """Tune from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folder", type=Path)
    ap.add_argument("--network", type=Path, default=Probe.weights, help="another network, to compare trainings")
    a = ap.parse_args()
    folder: Path = a.folder
    Probe.weights = a.network
    truths: dict[str, dict[str, F64]] = {}
    for path in sorted((folder / "truth").glob("*_class.txt")):
        truths[path.name.removesuffix("_class.txt")] = {"any": truth_of(path), **classes_of(path)}
    kinds: dict[bool, Heard] = {True: [], False: []}
    for sound in sorted(p for p in folder.glob("*/audio/*") if p.suffix.lower() in SOUND and p.stem in truths):
        kinds[sound.parent.parent.name == ALONE].append((sound.stem, *curves(sound)))
    if not all(kinds.values()):
        raise UserError(f"{folder}: lacks recordings; it must hold truth/NAME_class.txt and MIX/audio/NAME.*")
    for kind, heard in kinds.items():
        belief = float(np.mean([b.mean() for *_, b in heard]))
        print(f"{'alone' if kind else 'band'}: belief in a band {belief:.2f}")
    for column, name in enumerate(NAMES):
        alone, band = 0.5, 0.3
        for _ in range(2):
            alone = best(kinds[True], truths, column, band, True)
            band = best(kinds[False], truths, column, alone, False)
        for kind, threshold in ((True, alone), (False, band)):
            f, p, r = score(kinds[kind], truths, column, alone, band)
            print(f"{name:6} {'alone' if kind else 'band':6} {threshold:.2f}  F {f:.3f}  P {p:.3f}  R {r:.3f}")


if __name__ == "__main__":
    reported(main)
