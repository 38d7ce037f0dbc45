"""``sidechain bench tempo DIR``: the untrained beat tracker, through the host's transport.

DIR holds ``audio/NAME.*``, ``truth/NAME.beats`` (time, beat in bar) and, optionally,
``rivals/TRACKER/NAME.beats``. The metrics are those of ``sidechain bench beat``. `calibration`: how often tempo
(within 6 %) and phase (within 0.17 beats) were right, by the confidence that the tracker told.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.beat.recordings import Recordings
from models.beat.scoring import load_beats, mean, score_track
from models.scoring.recordings import listen
from models.tempo.plugin import Tempo
from realtime.bench.report import parser, progress, publish
from realtime.hosting.plugin import ENGINE_RATE, TICK
from realtime.musical import BeatObservation
from realtime.preset import TransportSettings
from realtime.transport import Transport

F64 = npt.NDArray[np.float64]
SHOWN = ("F70", "F70e", "F25e", "CMLt", "AMLt", "Foct", "Foff", "Acc1", "Acc2", "lock", "biase")


def observations(path: Path) -> list[tuple[float, BeatObservation]]:
    """What the plugin says about a file, with the time of emission."""
    return [(e, f.value) for e, f in listen(Tempo, path) if isinstance(f.value, BeatObservation)]


def beats(observed: list[tuple[float, BeatObservation]], settings: TransportSettings) -> F64:
    """Beats that the transport sends, rows of time, beat in bar, emitted."""
    transport, rows = Transport(settings), []
    tick, now = TICK / ENGINE_RATE, 0.0
    for emitted, observation in observed:
        while now + tick <= emitted + 1e-9:
            now += tick
            rows += [(b.time, b.beat_in_bar, max(b.time, b.emitted)) for b in transport.advance(now)]
        transport.observe(observation)
    return np.array(rows, np.float64).reshape(-1, 3)


def right(truth: F64, observation: BeatObservation) -> bool | None:
    """Whether tempo and phase fit the true beats around; None outside them."""
    k = int(np.searchsorted(truth, observation.time))
    if not 0 < k < len(truth):
        return None
    period = float(truth[k] - truth[k - 1])
    off = (observation.phase - (observation.time - truth[k - 1]) / period + 0.5) % 1.0 - 0.5
    return abs(60 / observation.tempo / period - 1) < 0.06 and abs(off) < 0.17


def calibration(told: list[tuple[float, bool]]) -> list[dict[str, object]]:
    """Share right by tenths of confidence."""
    table = np.array(told, np.float64).reshape(-1, 2)
    rows: list[dict[str, object]] = []
    for low in np.arange(0, 1, 0.1):
        inside = table[(table[:, 0] >= low) & (table[:, 0] < low + 0.1), 1]
        share = float(inside.mean()) if len(inside) else float("nan")
        rows.append({"confidence from": float(round(low, 1)), "observations": len(inside), "right": share})
    return rows


def run(folder: Path) -> dict[str, list[dict[str, object]]]:
    """Tables of trackers and of calibration. Raises ``UserError`` if there are no recordings."""
    recordings = Recordings(folder)
    settings = TransportSettings()
    scores: list[dict[str, float]] = []
    told: list[tuple[float, bool]] = []
    for name in recordings.names:
        progress(name)
        truth, observed = recordings.beats(name), observations(recordings.sounds[name])
        scores.append(score_track(truth, beats(observed, settings)))
        judged = [(o.confidence, right(truth[:, 0], o)) for _, o in observed]
        told += [(c, r) for c, r in judged if r is not None]
    rows: list[dict[str, object]] = [_row("sidechain tempo", scores)]
    for other in recordings.rivals:
        found = [other / f"{n}.beats" for n in recordings.names]
        estimates = [load_beats(p, 3) if p.exists() else np.zeros((0, 3)) for p in found]
        truths = [recordings.beats(n) for n in recordings.names]
        rows.append(_row(other.name, [score_track(t, e) for t, e in zip(truths, estimates)]))
    return {"trackers": rows, "calibration": calibration(told)}


def _row(name: str, scores: list[dict[str, float]]) -> dict[str, object]:
    means = mean(scores)
    return {"tracker": name, **{k: means[k] for k in SHOWN}}


def main(argv: list[str] | None = None) -> int:
    """The bench."""
    arguments = parser("tempo", __doc__)
    arguments.add_argument("folder", type=Path)
    args = arguments.parse_args(argv)
    publish("tempo", args, run(args.folder))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
