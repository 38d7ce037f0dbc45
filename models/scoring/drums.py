"""``sidechain bench drums DIR``: drum hits and their classes.

DIR is laid out as for ``sidechain bench onset``. Onsets: any drum, hits within 30 ms of the first of a group being
one, scored as there, with the stored figures of others beside. Classes: ``drums.hit`` by label against the hits of
that class (KD, SD, HH), at ±50 ms and ±25 ms of the time of emission (e) and of the time told, pooled over
files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.drums.plugin import Drums
from models.scoring.onsets import match, score, stored, truth_of
from models.scoring.recordings import SOUND, add_gain, listen, rivals
from realtime.bench.report import parser, publish
from realtime.errors import UserError

F64 = npt.NDArray[np.float64]
TRUTH = {"KD": "kick", "SD": "snare", "HH": "hihat"}
_GROUP = 0.03
Told = dict[str, F64]
"""By class, and ``any``: rows of told and emitted time."""


def classes_of(path: Path) -> dict[str, F64]:
    """True hits by class, doubles within 30 ms merged."""
    found: dict[str, list[float]] = {name: [] for name in TRUTH.values()}
    rows = sorted((float(p[0]), p[1]) for p in (line.split() for line in path.read_text().splitlines()) if p)
    for time, label in rows:
        name = TRUTH.get(label)
        if name and (not found[name] or time - found[name][-1] > _GROUP):
            found[name].append(time)
    return {name: np.array(times, np.float64) for name, times in found.items()}


def ours(path: Path, gain_db: float = 0.0) -> Told:
    """What the plugin tells of a file."""
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in ("any", *TRUTH.values())}
    for emitted, feature in listen(Drums, path, gain_db):
        if feature.output == "onset":
            rows["any"].append((feature.time, emitted))
        elif feature.output == "hit":
            rows[str(feature.label)].append((feature.time, emitted))
    return {name: np.array(r, np.float64).reshape(-1, 2) for name, r in rows.items()}


def class_table(truths: Mapping[str, dict[str, F64]], told: Mapping[str, Told]) -> list[dict[str, object]]:
    """One row a class, and their mean."""
    rows: list[dict[str, object]] = []
    for name in TRUTH.values():
        counts = {"true": 0, "told": 0}
        hits = dict.fromkeys(("F50", "F25", "F50e", "F25e"), 0)
        delays: list[float] = []
        for file, truth in truths.items():
            found = told[file][name]
            counts["true"] += len(truth[name])
            counts["told"] += len(found)
            for key, column, window in (
                ("F50", 0, 0.05),
                ("F25", 0, 0.025),
                ("F50e", 1, 0.05),
                ("F25e", 1, 0.025),
            ):
                matched = match(truth[name], found[:, column], window)
                hits[key] += len(matched)
                if key == "F50e":
                    delays += [found[j, 1] - truth[name][i] for i, j in matched]
        both = counts["true"] + counts["told"]
        row: dict[str, object] = {"class": name, **{k: 2 * n / max(1, both) for k, n in hits.items()}}
        row["precision e"] = hits["F50e"] / max(1, counts["told"])
        row["recall e"] = hits["F50e"] / max(1, counts["true"])
        for q in (50, 90):
            row[f"delay p{q} ms"] = float(np.percentile(delays, q) * 1000) if delays else float("nan")
        rows.append({**row, **counts})
    means = {key: float(np.mean([float(str(r[key])) for r in rows])) for key in hits}
    return [*rows, {"class": "mean", **means}]


def run(folder: Path, gain_db: float = 0.0) -> dict[str, list[dict[str, object]]]:
    """Tables of onsets and of classes for every mix.

    Raises
    ------
    UserError
        If the folder holds no recordings with truth.
    """
    tables: dict[str, list[dict[str, object]]] = {}
    paths = {p.name.removesuffix("_class.txt"): p for p in sorted((folder / "truth").glob("*_class.txt"))}
    for mix in sorted(p for p in folder.iterdir() if (p / "audio").is_dir()) if folder.is_dir() else ():
        sounds = {p.stem: p for p in sorted((mix / "audio").iterdir()) if p.suffix.lower() in SOUND}
        names = [n for n in paths if n in sounds]
        if not names:
            continue
        told = {n: ours(sounds[n], gain_db) for n in names}
        found = {"sidechain": {n: told[n]["any"] for n in names}}
        for other in rivals(mix):
            found[other.name] = {n: stored(other / f"{n}.txt") for n in names}
        truths = {n: truth_of(paths[n]) for n in names}
        tables[f"{mix.name}: onsets"] = [{"detector": d, **score(truths, e)} for d, e in found.items()]
        tables[f"{mix.name}: classes"] = class_table({n: classes_of(paths[n]) for n in names}, told)
    if not tables:
        raise UserError(f"{folder}: no recordings; it must hold truth/NAME_class.txt and MIX/audio/NAME.*")
    return tables


def main(argv: list[str] | None = None) -> int:
    """The bench."""
    arguments = parser("drums", __doc__)
    arguments.add_argument("folder", type=Path)
    add_gain(arguments)
    args = arguments.parse_args(argv)
    publish("drums", args, run(args.folder, args.gain))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
