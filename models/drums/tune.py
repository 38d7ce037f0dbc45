"""Find the plugin's thresholds on recordings with known hits: the best mean F at emission over all mixes.

    python -m models.drums.tune DIR        # laid out as for: sidechain bench drums DIR

Prints one threshold for any hit and one for each class, with the F at ±50 ms that each mix reaches there.
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
from realtime.errors import UserError

F64 = npt.NDArray[np.float64]
GRID = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8)
NAMES = ("any", *CLASSES)


def curves(path: Path) -> tuple[F64, F64]:
    """Emission times and the network's curves, shape ``(frames, 4)``."""
    rows = [(e, f.value) for e, f in listen(Drums, path) if f.output == "activation"]
    return np.array([e for e, _ in rows]), np.array([v for _, v in rows], np.float64)


def hits(emitted: F64, curve: F64, threshold: float) -> F64:
    """Emission times of the hits that a threshold gives."""
    picker = Picker((threshold,), round(0.04 * FPS))
    return emitted[[bool(picker.step(np.array([v], np.float32))) for v in curve.tolist()]]


def main() -> None:
    """Tune from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folder", type=Path)
    folder: Path = ap.parse_args().folder
    truths: dict[str, dict[str, F64]] = {}
    for path in sorted((folder / "truth").glob("*_class.txt")):
        truths[path.name.removesuffix("_class.txt")] = {"any": truth_of(path), **classes_of(path)}
    heard: dict[str, list[tuple[str, F64, F64]]] = {}
    for sound in sorted(p for p in folder.glob("*/audio/*") if p.suffix.lower() in SOUND and p.stem in truths):
        heard.setdefault(sound.parent.parent.name, []).append((sound.stem, *curves(sound)))
    if not heard:
        raise UserError(f"{folder}: no recordings; it must hold truth/NAME_class.txt and MIX/audio/NAME.*")
    for column, name in enumerate(NAMES):
        best = max(((_scores(heard, truths, column, t), t) for t in GRID), key=lambda b: sum(b[0].values()))
        print(f"{name:8} {best[1]:.2f}", {k: round(v, 3) for k, v in best[0].items()})


def _scores(
    heard: dict[str, list[tuple[str, F64, F64]]], truths: dict[str, dict[str, F64]], column: int, threshold: float
) -> dict[str, float]:
    """Pooled F at ±50 ms by mix."""
    out = {}
    for mix, recordings in heard.items():
        found, both = 0, 0
        for name, emitted, values in recordings:
            truth, told = truths[name][NAMES[column]], hits(emitted, values[:, column], threshold)
            found += len(match(truth, told, 0.05))
            both += len(truth) + len(told)
        out[mix] = 2 * found / max(1, both)
    return out


if __name__ == "__main__":
    main()
