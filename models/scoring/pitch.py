"""``sidechain bench pitch DIR``: fundamental frequency.

DIR holds sets (folders) with ``audio/NAME.*``, ``truth/NAME.tsv`` (time, f0; 0 = unvoiced) and, optionally,
``truth/NAME.steps`` (time, f0 of sudden onsets and changes) and ``rivals/TRACKER/NAME.txt`` (time, f0,
confidence, time of emission). At each time of the truth the nearest estimate counts. RPA: share of voiced frames
within 50 cents, whatever the voicing; RCA: octaves folded; VR, VFA: voicing recall and false alarms; OA: overall
accuracy (J. Salamon et al., 2014); live: on the times of emission. Notes: share of files whose median is within
50 cents of the truth's. Steps: emission of the first of three right frames in a row after an onset and after a
jump, p50. ``--hosted PLUGIN`` (repeatable) adds a hosted published tracker: any plugin with the outputs ``hz`` and
``confidence`` and a parameter ``threshold``. ``--parts`` adds what periodicity and the network do alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.pitch.plugin import Pitch
from models.scoring.recordings import columns, listen, pairs, rivals
from realtime.bench.report import parser, publish
from realtime.errors import UserError
from realtime.hosting.plugin import PluginFactory
from realtime.hosting.registry import find

F64 = npt.NDArray[np.float64]
_CENTS, _HOLD = 50.0, 3
VOICED_FROM = {"crepe_tiny": 0.2, "pesto16": 0.5}
"""Confidence from which others' frames count as voiced; for the rest, any pitch above 0."""


def cents(found: F64, truth: F64 | float) -> F64:
    """Signed distance; very large where nothing was found."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(found > 0, 1200 * np.log2(found / truth), 1e9)


def nearest(times: F64, at: F64) -> npt.NDArray[np.intp]:
    """Index of the nearest of sorted `times` for each of `at`."""
    k = np.clip(np.searchsorted(times, at), 0, len(times) - 1)
    earlier = (k > 0) & (np.abs(times[k - 1] - at) < np.abs(times[k] - at))
    return np.where(earlier, k - 1, k)


def frames(truth: F64, estimate: F64, live: bool) -> dict[str, float]:
    """Counts of one file; `estimate` has rows of time, f0, voiced (0 or 1), emitted."""
    times = estimate[:, 3 if live else 0]
    order = np.argsort(times, kind="stable")
    order = order[np.append(np.diff(times[order]) > 1e-7, True)]
    order = order[times[order] >= 0] if (times[order] >= 0).any() else order[-1:]
    rows = estimate[order][nearest(times[order], truth[:, 0])]
    voiced, told = truth[:, 1] > 0, (rows[:, 2] > 0) & (rows[:, 1] > 0)
    off = cents(rows[:, 1], np.where(voiced, truth[:, 1], 1.0))
    right = voiced & (np.abs(off) < _CENTS)
    folded = voiced & (rows[:, 1] > 0) & (np.abs((off + 600) % 1200 - 600) < _CENTS)
    return {
        "frames": len(truth),
        "voiced": int(voiced.sum()),
        "RPA": int(right.sum()),
        "RCA": int(folded.sum()),
        "VR": int((voiced & told).sum()),
        "VFA": int((~voiced & told).sum()),
        "OA": int((right & told).sum() + (~voiced & ~told).sum()),
    }


def steps(estimate: F64, changes: F64) -> list[float]:
    """Seconds from each step to the first of three right frames; nan where they never come."""
    emitted, found = estimate[:, 3], []
    for i, (at, pitch) in enumerate(changes):
        end = changes[i + 1, 0] if i + 1 < len(changes) else np.inf
        right = (estimate[:, 2] > 0) & (np.abs(cents(estimate[:, 1], float(pitch))) < _CENTS) & (emitted > at)
        run = right[: len(right) - _HOLD + 1].copy()
        for k in range(1, _HOLD):
            run &= right[k : len(right) - _HOLD + 1 + k]
        first = np.flatnonzero(run & (emitted[: len(run)] < end))
        found.append(float(emitted[first[0]] - at) if len(first) else float("nan"))
    return found


def note_is_right(truth: F64, estimate: F64) -> bool:
    """Whether the median pitch within the truth's span is within 50 cents of the truth's median."""
    inside = (estimate[:, 0] >= truth[0, 0]) & (estimate[:, 0] <= truth[-1, 0]) & (estimate[:, 1] > 0)
    voiced = inside & (estimate[:, 2] > 0)
    chosen = voiced if voiced.any() else inside
    if not chosen.any():
        return False
    return bool(
        abs(1200 * np.log2(np.median(estimate[chosen, 1]) / np.median(truth[truth[:, 1] > 0, 1]))) < _CENTS
    )


def score(truths: Mapping[str, F64], changes: Mapping[str, F64], estimates: Mapping[str, F64]) -> dict[str, float]:
    """Figures over all files of a set, pooled over frames."""
    told = [frames(t, estimates[n], live=False) for n, t in truths.items()]
    live = [frames(t, estimates[n], live=True) for n, t in truths.items()]

    def share(rows: list[dict[str, float]], key: str, count: float) -> float:
        return sum(r[key] for r in rows) / count if count else float("nan")

    total, voiced = sum(r["frames"] for r in told), sum(r["voiced"] for r in told)
    result = {
        "RPA": share(told, "RPA", voiced),
        "RCA": share(told, "RCA", voiced),
        "VR": share(told, "VR", voiced),
        "VFA": share(told, "VFA", total - voiced),
        "OA": share(told, "OA", total),
        "OA live": share(live, "OA", total),
        "notes": float(np.mean([note_is_right(t, estimates[n]) for n, t in truths.items() if t[:, 1].any()])),
    }
    if changes:
        responses = np.array([steps(estimates[n], c) for n, c in changes.items()])
        for k, name in enumerate(("onset p50 ms", "jump p50 ms")[: responses.shape[1]]):
            heard = responses[np.isfinite(responses[:, k]), k]
            result[name] = float(np.median(heard) * 1000) if len(heard) else float("nan")
    return result


def ours(path: Path, **parameters: float) -> F64:
    """Rows of the plugin: time, f0 whatever the voicing, voiced, emitted."""
    voicing = [f.value for _, f in listen(Pitch, path, **parameters) if f.output == "hz"]
    found = listen(Pitch, path, **parameters | {"threshold": 0.0, "gate": 90.0})
    anyway = [(f.time, f.value, e) for e, f in found if f.output == "hz"]
    return np.array([(t, hz, bool(v), e) for (t, hz, e), v in zip(anyway, voicing)], np.float64)


def hosted(kind: PluginFactory, path: Path) -> F64:
    """The same rows of another plugin: voiced where its confidence reaches its own threshold."""
    threshold = kind.descriptor.parameter("threshold")
    if threshold is None or kind.descriptor.output("hz") is None:
        raise UserError(f"--hosted {kind.descriptor.identifier}: needs an output 'hz' and a parameter 'threshold'")
    found = listen(kind, path, threshold=0.0)
    sure = {f.time: f.value for _, f in found if f.output == "confidence"}
    told = [(f.time, f.value, sure[f.time], e) for e, f in found if f.output == "hz"]
    rows = np.array(told, np.float64).reshape(-1, 4)
    rows[:, 2] = rows[:, 2] >= threshold.default
    return rows


def _stored(path: Path, least: float) -> F64:
    rows = columns(path, 4)
    if not len(rows):
        return np.zeros((1, 4))
    hz = np.where(np.isfinite(rows[:, 1]), np.maximum(rows[:, 1], 0.0), 0.0)
    return np.stack([rows[:, 0], hz, (hz > 0) & (rows[:, 2] >= least), rows[:, 3]], axis=1).astype(np.float64)


def run(folder: Path, others: Sequence[str] = (), parts: bool = False) -> dict[str, list[dict[str, object]]]:
    """Tables by set: one row a tracker, ours first. Raises ``UserError`` if there are no recordings."""
    tables, kinds = {}, {name: find(name) for name in others}
    for part in sorted(p for p in folder.iterdir() if (p / "truth").is_dir()) if folder.is_dir() else ():
        recordings = pairs(part, ".tsv")
        truths = {name: columns(truth, 2) for name, _, truth in recordings}
        jumps = {n: t.with_suffix(".steps") for n, _, t in recordings}
        changes = {n: columns(p, 2) for n, p in jumps.items() if p.exists()}
        found = {"sidechain": {name: ours(sound) for name, sound, _ in recordings}}
        for name, share in (("periodicity alone", 0.0), ("network alone", 1.0)) if parts else ():
            found[name] = {n: ours(sound, network=share) for n, sound, _ in recordings}
        for name, kind in kinds.items():
            found[f"{name}, hosted"] = {n: hosted(kind, sound) for n, sound, _ in recordings}
        for other in rivals(part):
            least = VOICED_FROM.get(other.name, -np.inf)
            if all((other / f"{n}.txt").exists() for n in truths):
                found[other.name] = {n: _stored(other / f"{n}.txt", least) for n in truths}
        rows: list[dict[str, object]] = [{"tracker": t, **score(truths, changes, e)} for t, e in found.items()]
        tables[part.name] = rows
    if not tables:
        raise UserError(f"{folder}: no recordings; it must hold SET/audio/NAME.* and SET/truth/NAME.tsv")
    return tables


def main(argv: list[str] | None = None) -> int:
    """The bench."""
    arguments = parser("pitch", __doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--hosted", action="append", default=[], metavar="PLUGIN")
    arguments.add_argument("--parts", action="store_true", help="also score periodicity and the network alone")
    args = arguments.parse_args(argv)
    publish("pitch", args, run(args.folder, args.hosted, args.parts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
