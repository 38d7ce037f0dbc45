"""``sidechain bench tags DIR …``: how well the tags tell sounds apart.

A DIR is a folder of ``models.tags.render``, whose held-out clips are scored tenth by tenth of a second against
exact truth, or a folder of recordings laid out as ``vad/*``, ``pitch/phil``, ``onsets/*``, ``beats``: real sound,
of which only the kind of whole files is known (for speech, the spoken parts). No smoothing.

- AP: average precision. AUC: chance that a step (for whole files: a file) with the tag has the higher value.
- share: of steps or files that have the tag, which is the AP of guessing.
- right at 0.5: share of steps or files on the right side of one half, mean of those with and without the tag.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.beat.recordings import load_sound as load
from models.scoring.recordings import SOUND, columns
from models.scoring.roc import auc
from models.tags.features import HOP, INPUT
from models.tags.labels import FAMILIES, FRAME, LEARNT, TAGS
from models.tags.tagger import Tagger
from models.tags.truth import clip_truth
from models.training.dataset import is_validation
from realtime.bench.report import parser, progress, publish
from realtime.errors import UserError

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
SETTLE = 5
"""Steps at the start of a recording that are not scored."""

PHIL = {
    "strings": ("violin", "viola", "cello", "double-bass"),
    "brass": ("trumpet", "trombone", "tuba", "french-horn"),
    "winds": (
        "flute",
        "oboe",
        "clarinet",
        "bass-clarinet",
        "bassoon",
        "contrabassoon",
        "english-horn",
        "saxophone",
    ),
    "guitar": ("guitar", "banjo", "mandolin"),
}


def average_precision(label: Bools, value: F64) -> float:
    """Mean precision at each positive, from the highest value down."""
    order = np.argsort(-value, kind="stable")
    hits = label[order]
    if not hits.any():
        return float("nan")
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


class Listener:
    """Runs the tagger over sound and keeps count of what it costs."""

    def __init__(self) -> None:
        self.tagger = Tagger()
        self.spent = self.length = 0.0

    def hear(self, sound: npt.NDArray[np.float32]) -> F64:
        """Tags of each step, shape ``(steps, 13)``."""
        self.tagger.reset()
        padded = np.concatenate([np.zeros(INPUT.length - HOP, np.float32), sound])
        begin = time.thread_time()
        rows = [self.tagger.step(padded[k * HOP : k * HOP + INPUT.length]) for k in range(len(sound) // HOP)]
        self.spent += time.thread_time() - begin
        self.length += len(sound) / INPUT.sample_rate
        return np.array(rows).reshape(-1, len(TAGS))


def row(tag: str, label: Bools, value: F64, **more: object) -> dict[str, object]:
    """One line of a table."""
    on = value >= 0.5
    sides = [float(on[label].mean()), float((~on[~label]).mean())] if label.any() and (~label).any() else [np.nan]
    return {
        "tag": tag,
        **more,
        "AP": average_precision(label, value),
        "AUC": auc(label, value),
        "right at 0.5": float(np.mean(sides)),
        "share": float(label.mean()),
    }


def rendered(folder: Path, listener: Listener) -> list[dict[str, object]]:
    """Figures of the held-out clips of a rendered folder."""
    names = [p for p in sorted(folder.glob("*.json")) if is_validation(p.stem)]
    if not names:
        raise UserError(f"{folder}: no held-out clips; render some with models.tags.render --held-out")
    values, targets, weights = [], [], []
    for number, path in enumerate(names):
        progress(f"clip {number + 1} of {len(names)}")
        found = listener.hear(load(path.with_suffix(".flac")))[SETTLE:, 1:]
        target, weight = clip_truth(json.loads(path.read_text()), len(found) + SETTLE)
        values.append(found)
        targets.append(target[SETTLE:])
        weights.append(weight[SETTLE:])
    value, target, weight = np.concatenate(values), np.concatenate(targets), np.concatenate(weights)
    rows = []
    for k, tag in enumerate(LEARNT):
        asked = weight[:, k] > 0
        rows.append(row(tag, target[asked, k] > 0, value[asked, k], steps=int(asked.sum())))
    mean: dict[str, object] = {"tag": "mean", "steps": int(sum(int(str(r["steps"])) for r in rows))}
    for key in ("AP", "AUC", "right at 0.5", "share"):
        known = [v for r in rows if not np.isnan(v := float(str(r[key])))]
        mean[key] = float(np.mean(known)) if known else float("nan")
    return [*rows, mean]


def files(folder: Path) -> list[Path]:
    """Sound files of a set, in ``audio`` or at hand."""
    inner = folder / "audio" if (folder / "audio").is_dir() else folder
    return sorted(p for p in inner.iterdir() if p.suffix.lower() in SOUND) if inner.is_dir() else []


def spoken(path: Path, steps: int) -> Bools:
    """Steps that lie wholly within speech, from ``truth/NAME.tsv``."""
    truth = columns(path.parent.parent / "truth" / f"{path.stem}.tsv", 3)
    ends = (1 + np.arange(steps)) * FRAME
    inside = np.zeros(steps, bool)
    for begin, end, voiced in truth[:, :3]:
        if voiced:
            inside |= (ends - FRAME >= begin) & (ends <= end + 0.05)
    return inside


def recordings(folder: Path, listener: Listener) -> dict[str, object]:
    """Figures on real sound: means per set, and how well sets are told apart."""
    means: dict[str, list[F64]] = {}

    def take(name: str, paths: Iterable[Path], part: Callable[[Path, int], Bools] | None = None) -> None:
        for path in paths:
            progress(f"{name}: {path.stem}")
            found = listener.hear(load(path))
            keep = part(path, len(found)) if part else found[:, 0] < 0.5
            keep[: min(SETTLE, len(keep) // 3)] = False
            if keep.any():
                means.setdefault(name, []).append(found[keep].mean(axis=0))

    for noise in ("emodb_snr10", "emodb_snr0"):
        take(f"speech, {noise}", files(folder / "vad" / noise), spoken)
    take("music without voice", files(folder / "vad" / "music"))
    take("music", files(folder / "beats"))
    take("drums alone", files(folder / "onsets" / "drum_only"))
    take("singing", files(folder / "pitch" / "misc"))
    phil = files(folder / "pitch" / "phil")
    for family, members in PHIL.items():
        take(f"notes, {family}", [p for p in phil if p.stem.split("_")[0] in members])
    if not means:
        raise UserError(f"{folder}: neither rendered clips nor vad/, pitch/phil, onsets/ or beats/ to listen to")
    table = [
        {
            "set": name,
            "files": len(rows),
            **{t: round(float(np.mean([r[k] for r in rows])), 2) for k, t in enumerate(TAGS)},
        }
        for name, rows in means.items()
    ]
    return {"mean of each tag": table, "told apart, whole files": _apart(means)}


def _apart(means: dict[str, list[F64]]) -> list[dict[str, object]]:
    def compare(tag: str, yes: tuple[str, ...], no: tuple[str, ...]) -> list[dict[str, object]]:
        with_, without = (
            [r[TAGS.index(tag)] for name, rows in means.items() if name.startswith(group) for r in rows]
            for group in (yes, no)
        )
        if not with_ or not without:
            return []
        label = np.array([True] * len(with_) + [False] * len(without))
        what = f"{' + '.join(yes)} against {' + '.join(no)}"
        return [row(tag, label, np.array([*with_, *without]), files=len(label), what=what)]

    rows = []
    for noise in ("emodb_snr10", "emodb_snr0"):
        rows += compare("speech", (f"speech, {noise}",), ("music", "drums", "notes", "singing"))
    rows += compare("music", ("music",), ("speech",))
    rows += compare("drums", ("drums", "music"), ("speech", "notes", "singing"))
    for family in PHIL:
        others = tuple(f"notes, {f}" for f in PHIL if f != family)
        rows += compare(family, (f"notes, {family}",), others)
    notes = [(name.split(", ")[1], r) for name, found in means.items() if name.startswith("notes") for r in found]
    if notes:
        here = [TAGS.index(f) for f in FAMILIES]
        right = np.mean([FAMILIES[int(np.argmax(r[here]))] == family for family, r in notes])
        what = "notes: likeliest of the eight is right"
        last: dict[str, object] = {"tag": "family", "files": len(notes), "what": what, "AP": "", "AUC": ""}
        rows.append(last | {"right at 0.5": float(right), "share": 1 / len(FAMILIES)})
    return rows


def main(argv: list[str] | None = None) -> int:
    """The bench."""
    arguments = parser("tags", __doc__)
    arguments.add_argument("folder", type=Path, nargs="+")
    args = arguments.parse_args(argv)
    listener, figures = Listener(), dict[str, object]()
    for folder in args.folder:
        clips = folder.is_dir() and any(folder.glob("[0-9]*.json"))
        made = {"held-out rendered clips": rendered(folder, listener)} if clips else recordings(folder, listener)
        figures.update(made)
    figures["ms of CPU per 100 ms"] = 100 * listener.spent / max(listener.length, 1e-9)
    args.folder = [str(f) for f in args.folder]
    publish("tags", args, figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
