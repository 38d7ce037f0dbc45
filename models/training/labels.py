"""Time-based labels of rendered music: cut to a window, shifted, warped."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.training.mix import Mix
from models.training.score import Piece

Row = list[object]
Labels = dict[str, list[Row]]

TIMED = {"beats": 1, "valid": 2, "drums": 1, "chords": 2, "key": 2, "sections": 1, "vocals": 2, "cuts": 1}
"""Lists of labels and how many leading columns of their rows are instants in seconds."""


def times_of(row: Row, columns: int) -> list[float]:
    """The leading instants of a row."""
    return [float(value) for value in row[:columns]]  # type: ignore[arg-type]


def labels_of(piece: Piece, dry: Mix, start: float, seconds: float) -> Labels:
    """Labels of the rendered window, in seconds from its start."""

    def spans(rows: list[tuple[float, float, str]]) -> list[Row]:
        out: list[Row] = []
        for a, z, name in rows:
            lo, hi = max(0.0, float(piece.time(a)) - start), min(seconds, float(piece.time(z)) - start)
            if hi > lo:
                out.append([lo, hi, name])
        return out

    beats: list[Row] = [[t - start, n, m] for t, n, m in piece.numbering() if 0 <= t - start < seconds]
    sections: list[Row] = []
    for at, name in piece.sections:
        t = float(piece.time(at)) - start
        if t <= 0:
            sections = []
        if t < seconds:
            sections.append([max(t, 0.0), name])
    return {
        "beats": beats,
        "valid": [row[:2] for row in spans([(a, z, "") for a, z in piece.valid])],
        "drums": [[t, c, v] for t, c, v in dry.hits],
        "chords": spans(piece.chords),
        "key": spans(piece.key),
        "sections": sections,
        "vocals": [[a, z] for a, z in dry.vocals],
    }


def map_times(labels: Labels, convert: Callable[[np.ndarray], np.ndarray]) -> Labels:
    """Apply a vectorised time mapping to every instant."""
    out: Labels = {}
    for name, columns in TIMED.items():
        rows = labels.get(name, [])
        times = np.array([times_of(row, columns) for row in rows]).reshape(len(rows), columns)
        moved = convert(times.reshape(-1)).reshape(times.shape)
        out[name] = [[*m, *row[columns:]] for m, row in zip(moved.tolist(), rows, strict=True)]
    return out


def append(labels: Labels, new: Labels, offset: float) -> None:
    """Add labels, later by `offset` seconds."""
    for name, rows in map_times(new, lambda t: t + offset).items():
        labels.setdefault(name, []).extend(rows)


def rounded(labels: Labels) -> dict[str, object]:
    """Numbers rounded to 10 microseconds, for the file."""
    return {
        k: [[round(v, 5) if isinstance(v, float) else v for v in row] for row in rows]
        for k, rows in labels.items()
    }
