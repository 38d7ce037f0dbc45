"""``sidechain bench onset DIR``: onset detection on drums.

DIR holds ``truth/NAME_class.txt`` (time, class) and one folder a mix (``drum_only``, ``full``) with
``audio/NAME.*`` and, optionally, ``rivals/DETECTOR/NAME.txt`` (time, class, time of emission). Hits within 30 ms
of the first of a group are one onset. F at ±50 and ±25 ms on the times told and (e) on the times of emission,
pooled over files; delay: emission after the true onset, of the onsets found within ±50 ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.onset.plugin import Onset
from models.scoring.recordings import SOUND, listen, rivals
from realtime.bench.report import parser, publish
from realtime.errors import UserError

F64 = npt.NDArray[np.float64]
_GROUP = 0.03


def truth_of(path: Path) -> F64:
    """Onsets of a file of hits, groups merged."""
    times = sorted(float(line.split()[0]) for line in path.read_text().splitlines() if line.split())
    merged: list[float] = []
    for t in times:
        if not merged or t - merged[-1] > _GROUP:
            merged.append(t)
    return np.array(merged)


def match(truth: F64, found: F64, window: float) -> list[tuple[int, int]]:
    """A largest one-to-one matching of two sorted series within `window` seconds."""
    hits, i, j = [], 0, 0
    while i < len(truth) and j < len(found):
        if abs(truth[i] - found[j]) <= window:
            hits.append((i, j))
            i, j = i + 1, j + 1
        elif truth[i] < found[j]:
            i += 1
        else:
            j += 1
    return hits


def score(truths: Mapping[str, F64], estimates: Mapping[str, F64]) -> dict[str, float]:
    """Figures over all files; estimates are rows of told and emitted time."""
    count = {"truth": 0, "found": 0}
    hits = dict.fromkeys(("F50", "F25", "F50e", "F25e"), 0)
    delays: list[float] = []
    for name, truth in truths.items():
        rows = estimates[name]
        count["truth"] += len(truth)
        count["found"] += len(rows)
        for key, column, window in (("F50", 0, 0.05), ("F25", 0, 0.025), ("F50e", 1, 0.05), ("F25e", 1, 0.025)):
            ordered = rows[np.argsort(rows[:, column], kind="stable")]
            matched = match(truth, ordered[:, column], window)
            hits[key] += len(matched)
            if key == "F50":
                delays += [ordered[j, 1] - truth[i] for i, j in matched]
    both = count["truth"] + count["found"]
    result = {key: 2 * n / max(1, both) for key, n in hits.items()}
    result["precision"] = hits["F50"] / max(1, count["found"])
    result["recall"] = hits["F50"] / max(1, count["truth"])
    for q in (50, 90):
        result[f"delay p{q} ms"] = float(np.percentile(delays, q) * 1000) if delays else float("nan")
    return result


def ours(path: Path) -> F64:
    """Onsets of the plugin in a file, rows of told and emitted time."""
    rows = [(f.time, e) for e, f in listen(Onset, path) if f.output == "onset"]
    return np.array(rows, np.float64).reshape(-1, 2)


def stored(path: Path) -> F64:
    """Stored estimates of another detector, rows of told and emitted time; none where there is no file."""
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return np.array([(float(r[0]), float(r[2])) for r in rows if len(r) > 2], np.float64).reshape(-1, 2)


def run(folder: Path) -> dict[str, list[dict[str, object]]]:
    """Tables by mix: one row a detector, ours first.

    Raises
    ------
    UserError
        If the folder holds no recordings with truth.
    """
    tables = {}
    truths = {p.name.removesuffix("_class.txt"): truth_of(p) for p in (folder / "truth").glob("*_class.txt")}
    for mix in sorted(p for p in folder.iterdir() if (p / "audio").is_dir()) if folder.is_dir() else ():
        sounds = {p.stem: p for p in (mix / "audio").iterdir() if p.suffix.lower() in SOUND}
        known = {name: truths[name] for name in sorted(sounds) if name in truths}
        if known:
            found = {"sidechain": {n: ours(sounds[n]) for n in known}}
            for other in rivals(mix):
                found[other.name] = {n: stored(other / f"{n}.txt") for n in known}
            rows: list[dict[str, object]] = [{"detector": d, **score(known, e)} for d, e in found.items()]
            tables[mix.name] = rows
    if not tables:
        raise UserError(f"{folder}: no recordings; it must hold truth/NAME_class.txt and MIX/audio/NAME.*")
    return tables


def main(argv: list[str] | None = None) -> int:
    """The bench."""
    arguments = parser("onset", __doc__)
    arguments.add_argument("folder", type=Path)
    args = arguments.parse_args(argv)
    publish("onset", args, run(args.folder))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
