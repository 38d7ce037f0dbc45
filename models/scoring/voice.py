"""``sidechain bench voice DIR``: voice activity detection.

DIR holds sets (folders) with ``audio/NAME.*``, ``truth/NAME.tsv`` (start, end, 0 or 1) and, optionally,
``rivals/DETECTOR/NAME.txt`` (time known, probability). Scored fully live, on a grid of 10 ms: a frame has the
label at its middle and the last value known at its end. Onset delay: from a true onset (100 ms of pause before,
100 ms of speech) to the first value at the threshold or above. Files without speech: switches from off to on per
minute, and the share of time on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.scoring.recordings import add_gain, columns, listen, pairs, rivals
from models.scoring.roc import auc
from models.silero.plugin import Silero
from models.voice.plugin import Voice
from realtime.bench.report import parser, publish
from realtime.errors import UserError
from realtime.hosting.plugin import Plugin

F64 = npt.NDArray[np.float64]
_GRID, _GAP = 0.01, 0.1


def spoken(rows: F64) -> list[tuple[float, float]]:
    """Intervals of speech, touching ones joined."""
    joined: list[tuple[float, float]] = []
    for begin, end, voiced in sorted(map(tuple, rows[:, :3])):
        if voiced and joined and begin - joined[-1][1] < 1e-6:
            joined[-1] = (joined[-1][0], end)
        elif voiced:
            joined.append((begin, end))
    return joined


def known(estimate: F64, times: F64) -> F64:
    """The last value known at each of `times`, 0 before the first."""
    at = np.searchsorted(estimate[:, 0], times + 1e-6, side="right") - 1
    return np.where(at >= 0, estimate[np.maximum(at, 0), 1], 0.0)


def onset_delays(speech: list[tuple[float, float]], start: float, estimate: F64, threshold: float) -> list[float]:
    """Seconds from each clear onset to the first value at `threshold`; already on or missed: left out."""
    delays = []
    for i, (begin, end) in enumerate(speech):
        before = speech[i - 1][1] if i else start
        if end - begin < _GAP - 1e-6 or begin - before < _GAP - 1e-6:
            continue
        inside = (estimate[:, 0] > begin) & (estimate[:, 0] <= end + 1e-6) & (estimate[:, 1] >= threshold)
        already = known(estimate, np.array([begin]))[0] >= threshold
        if not already and inside.any():
            delays.append(float(estimate[inside.argmax(), 0] - begin))
    return delays


def score(truths: Mapping[str, F64], estimates: Mapping[str, F64], threshold: float = 0.5) -> dict[str, float]:
    """Figures over all files of a set."""
    labels, values, delays = [], [], []
    silent, alarms, on = 0.0, 0, 0
    for name, truth in truths.items():
        found, speech = estimates[name], spoken(truth)
        start, end = float(truth[:, 0].min()), float(truth[:, 1].max())
        frames = np.arange(round(start / _GRID), round(end / _GRID)).astype(np.float64)
        value = known(found, (frames + 1) * _GRID)
        if not speech:
            state = np.concatenate([[False], value >= threshold])
            silent += len(frames) * _GRID
            alarms += int((state[1:] & ~state[:-1]).sum())
            on += int(state.sum())
            continue
        middle = (frames + 0.5) * _GRID
        labels.append(np.any([(middle >= b) & (middle < e) for b, e in speech], axis=0))
        values.append(value)
        delays += onset_delays(speech, start, found, threshold)
    if not labels:
        return {"alarms per min": alarms / silent * 60, "share on": on * _GRID / silent}
    label, value = np.concatenate(labels), np.concatenate(values)
    active = value >= threshold
    return {
        "AUC": auc(label, value),
        "F1": float(2 * (label & active).sum() / max(1, label.sum() + active.sum())),
        "false alarm rate": float(active[~label].mean()),
        "onset p50 ms": float(np.percentile(delays, 50) * 1000) if delays else float("nan"),
        "onset p90 ms": float(np.percentile(delays, 90) * 1000) if delays else float("nan"),
    }


def ours(path: Path, kind: type[Plugin] = Voice, gain_db: float = 0.0) -> F64:
    """Rows of emission time and probability."""
    return np.array(
        [(e, f.value) for e, f in listen(kind, path, gain_db) if f.output == "probability"], np.float64
    )


def run(folder: Path, silero: bool = False, gain_db: float = 0.0) -> dict[str, list[dict[str, object]]]:
    """Tables by set: one row a detector, ours first. Raises ``UserError`` if there are no recordings."""
    tables = {}
    for part in sorted(p for p in folder.iterdir() if (p / "truth").is_dir()) if folder.is_dir() else ():
        recordings = pairs(part, ".tsv")
        truths = {name: columns(truth, 3) for name, _, truth in recordings}
        sounds = {name: sound for name, sound, _ in recordings}
        found = {"sidechain": {n: ours(sounds[n], gain_db=gain_db) for n in truths}}
        if silero:
            found["silero, hosted"] = {n: ours(sounds[n], Silero, gain_db) for n in truths}
        for other in rivals(part):
            if all((other / f"{n}.txt").exists() for n in truths):
                found[other.name] = {n: columns(other / f"{n}.txt", 2) for n in truths}
        rows: list[dict[str, object]] = [{"detector": d, **score(truths, e)} for d, e in found.items()]
        tables[part.name] = rows
    if not tables:
        raise UserError(f"{folder}: no recordings; it must hold SET/audio/NAME.* and SET/truth/NAME.tsv")
    return tables


def main(argv: list[str] | None = None) -> int:
    """The bench."""
    arguments = parser("voice", __doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument(
        "--silero", action="store_true", help="score the plugin silero as well (needs its weights)"
    )
    add_gain(arguments)
    args = arguments.parse_args(argv)
    publish("voice", args, run(args.folder, args.silero, args.gain))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
