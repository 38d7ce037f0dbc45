"""Beat-tracking scores, on the times a tracker writes and on the times at which a live run could have sent them.

Definitions: F-measure and continuity as in Davies, Degara and Plumbley, "Evaluation methods for musical audio
beat tracking algorithms" (2009); the rest is said at :func:`score_track`. Beats are rows ``time, beat in bar``
(0 = unknown); estimates have the emission time as a third column.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from realtime.errors import UserError

F64 = npt.NDArray[np.float64]
METRICS = (
    "F70",
    "F70e",
    "F25e",
    "CMLt",
    "AMLt",
    "Foct",
    "Foff",
    "DB70",
    "Acc1",
    "Acc2",
    "lock",
    "bias",
    "biase",
)


def load_beats(path: Path, columns: int) -> F64:
    """Rows of a ``.beats`` file sorted by time; missing columns are nan.

    Raises
    ------
    UserError
        If a line does not hold numbers.
    """
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        cells = line.split()
        if not cells or cells[0].startswith("#"):
            continue
        try:
            rows.append(([float(c) for c in cells[:columns]] + [np.nan] * columns)[:columns])
        except ValueError as error:
            raise UserError(f"{path}:{number}: expected numbers, found {line!r}") from error
    beats = np.array(rows, float).reshape(-1, columns)
    return beats[np.argsort(beats[:, 0], kind="stable")]


def f_measure(truth: F64, found: F64, tolerance: float = 0.07) -> float:
    """F-measure of the largest one-to-one matching within `tolerance` seconds; both sorted."""
    if not len(truth) or not len(found):
        return 0.0
    hits, i, j = 0, 0, 0
    while i < len(truth) and j < len(found):  # on sorted points a greedy matching is a largest one
        if found[j] > truth[i] + tolerance:
            i += 1
        elif found[j] < truth[i] - tolerance:
            j += 1
        else:
            hits, i, j = hits + 1, i + 1, j + 1
    return 2.0 * hits / (len(truth) + len(found))


def _continuous(truth: F64, found: F64, tolerance: float = 0.175) -> float:
    """Share of beats in continuous correct runs at the level of `truth` (CMLt for the annotated level)."""
    correct = np.zeros(len(found), bool)
    taken = np.zeros(len(truth), bool)
    for m, beat in enumerate(found):
        distance = np.abs(beat - truth)
        n = int(np.argmin(distance))
        if taken[n]:
            continue
        if m == 0 or n == 0:
            reference = truth[n + 1] - truth[n] if n + 1 < len(truth) else truth[n] - truth[n - 1]
            interval = found[m + 1] - beat if m + 1 < len(found) else beat - found[m - 1]
        else:
            reference, interval = truth[n] - truth[n - 1], beat - found[m - 1]
        phase, period = distance[n] / reference, abs(1 - interval / reference)
        taken[n] = correct[m] = phase < tolerance and period < tolerance
    return float(correct.sum()) / max(len(found), len(truth))


def continuity(truth: F64, found: F64) -> tuple[float, float]:
    """CMLt and AMLt; AMLt allows off-beat, double and half tempo of either phase."""
    if len(truth) < 3 or len(found) < 3:
        return 0.0, 0.0
    double = np.interp(np.arange(0, len(truth) - 0.5, 0.5), np.arange(len(truth)), truth)
    off = double[1::2]
    levels = [truth, off, double, truth[::2], truth[1::2]]
    shares = [_continuous(level, found) if len(level) > 1 else 0.0 for level in levels]
    return shares[0], max(shares)


def _bias(truth: F64, found: F64) -> float:
    """Median signed distance in ms of estimates within 100 ms of a beat."""
    if not len(truth) or not len(found):
        return float("nan")
    nearest = truth[np.argmin(np.abs(found[:, None] - truth[None, :]), axis=1)]
    error = found - nearest
    error = error[np.abs(error) < 0.1]
    return float(1000 * np.median(error)) if len(error) else float("nan")


def lock_time(truth: F64, found: F64, never: float, run: int = 8, tolerance: float = 0.07) -> float:
    """First beat from which `run` beats on end are all hit; `never` if there is none."""
    if not len(found):
        return never
    hit = np.min(np.abs(truth[:, None] - found[None, :]), axis=1) <= tolerance
    for k in range(len(hit) - run + 1):
        if hit[k : k + run].all():
            return float(truth[k])
    return never


def _tempo_right(truth: F64, found: F64, factors: tuple[float, ...]) -> float:
    since = truth[-1] / 3
    real, own = np.diff(truth[truth >= since]), np.diff(np.unique(found[found >= since]))
    if not len(real) or not len(own):
        return 0.0
    ratio = float(np.median(real) / np.median(own))
    return float(any(abs(ratio / f - 1) <= 0.04 for f in factors))


def score_track(truth: F64, found: F64, skip: float = 5.0, never: float = 90.0) -> dict[str, float]:
    """Every metric of one track; nan where one does not apply.

    Parameters
    ----------
    truth : ndarray, shape (n, 2)
        Time, beat in bar.
    found : ndarray, shape (m, 3)
        Time, beat in bar, emission time (nan: the same as the time).
    skip : float
        Seconds left out at the start; the judged span is from there to half a beat after the last beat.
    never : float
        Lock time of a track that never locks.

    Returns
    -------
    dict
        ``F70`` at written times, ``F70e``/``F25e`` at emission within 70/25 ms; ``CMLt``, ``AMLt``; ``Foct`` best
        F70 over double and half tempo; ``Foff`` F70 against the off-beats only; ``DB70`` downbeats; ``Acc1``,
        ``Acc2`` median tempo of the last two thirds within 4 %; ``lock`` s; ``bias``, ``biase`` ms.
    """
    at, written = truth[:, 0], found[:, 0]
    sent = np.where(np.isnan(found[:, 2]), written, found[:, 2])
    half = 0.5 * float(np.median(np.diff(at)))
    low, high = max(skip, at[0] - half), at[-1] + half

    def cut(x: F64) -> F64:
        return np.sort(x[(x >= low) & (x <= high)])

    t, e, m = cut(at), cut(written), cut(sent)
    middle = (at[1:] + at[:-1]) / 2
    cml, aml = continuity(t, e)
    levels = (t, cut(np.concatenate([at, middle])), cut(at[::2]), cut(at[1::2]))
    has_bars = bool((truth[:, 1] == 1).any()) and (not len(found) or bool((found[:, 1] > 0).any()))
    heard = written[written <= high]
    return {
        "F70": f_measure(t, e),
        "F70e": f_measure(t, m),
        "F25e": f_measure(t, m, 0.025),
        "CMLt": cml,
        "AMLt": aml,
        "Foct": max(f_measure(level, e) for level in levels),
        "Foff": f_measure(cut(middle), e),
        "DB70": f_measure(cut(at[truth[:, 1] == 1]), cut(written[found[:, 1] == 1])) if has_bars else float("nan"),
        "Acc1": _tempo_right(at, heard, (1.0,)),
        "Acc2": _tempo_right(at, heard, (1.0, 2.0, 0.5, 3.0, 1 / 3)),
        "lock": lock_time(at, written, never),
        "bias": _bias(t, e),
        "biase": _bias(t, m),
    }


def mean(tracks: list[dict[str, float]]) -> dict[str, float]:
    """Mean of every metric over the tracks to which it applies."""
    out = {}
    for k in METRICS:
        values = [t[k] for t in tracks if not np.isnan(t[k])]
        out[k] = float(np.mean(values)) if values else float("nan")
    return out


def interval(values: list[float], other: list[float] | None = None, draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over tracks, or (paired) of the mean difference to `other`."""
    x = np.asarray(values, float) - (0.0 if other is None else np.asarray(other, float))
    x = x[~np.isnan(x)]
    if not len(x):
        return float("nan"), float("nan")
    rng = np.random.default_rng(1)
    means = x[rng.integers(len(x), size=(draws, len(x)))].mean(1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))
