"""``sidechain bench beat DIR``: our tracker and its rivals on recordings with known beats, by one scorer.

DIR holds ``audio/NAME.*``, ``truth/NAME.beats`` and, optionally, ``rivals/TRACKER/NAME.beats``; or, as the stress
set is rendered, ``NAME.ogg`` beside ``NAME.beats`` and ``NAME.json``. A NAME of the form ``SET__TRACK`` is grouped
under SET. Cuts for the relock time come from ``truth/NAME.cuts`` (one time a line) or ``cuts`` in ``NAME.json``.
Ours is run as the host runs it, plugin, then transport; a beat counts as sent at the later of its time and its
commitment.

    python -m models.beat.bench DIR [--per-track] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.beat import scoring
from models.beat.decoderconfig import DecoderConfig
from models.beat.features import HOP, PAIR, SAMPLE_RATE, blocks
from models.beat.recordings import Cropped, Following, Recordings
from models.beat.tracker import WEIGHTS, Tracker
from models.scoring.recordings import add_gain, amplitude
from realtime.errors import UserError
from realtime.preset import TransportSettings
from realtime.transport import Transport

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Scores = dict[str, dict[str, float]]
SHOWN = ("F70", "F70e", "F25e", "CMLt", "AMLt", "DB70", "Acc1", "Acc2", "Foct", "Foff", "lock", "biase")
OURS = "sidechain"


def track(sound: F32, tracker: Tracker, settings: TransportSettings | None) -> tuple[F64, float]:
    """Beats of a recording as rows ``time, beat in bar, sent``, and seconds spent in the tracker.

    Parameters
    ----------
    settings : TransportSettings or None
        None: the decoder's own predictions, without a transport.
    """
    tracker.reset()
    transport = Transport(settings) if settings else None
    rows: list[tuple[float, float, float]] = []
    spent = 0.0
    tick = HOP / SAMPLE_RATE / 4
    for block, end in blocks(sound):
        begin = time.thread_time()
        beat = tracker.step(block, end)
        spent += time.thread_time() - begin
        if transport is None:
            if beat:
                rows.append((beat.time, beat.number, max(beat.time, beat.emitted)))
            continue
        transport.observe(tracker.decoder.observation())
        for n in range(4 * PAIR):
            rows += [(b.time, b.beat_in_bar, max(b.time, b.emitted)) for b in transport.advance(end + n * tick)]
    return np.array(rows, float).reshape(-1, 3), spent


def relock_times(truth: F64, found: F64, cuts: F64, run: int = 4) -> list[float]:
    """Seconds from each cut until `run` true beats on end are hit; capped at the next cut or the end."""
    out = []
    ends = [*cuts[1:], truth[-1, 0]]
    for cut, end in zip(cuts, ends):
        part = truth[(truth[:, 0] >= cut) & (truth[:, 0] < end), 0]
        if len(part) > run:
            own = found[(found[:, 0] >= cut - 0.07) & (found[:, 0] <= end), 0]
            out.append(scoring.lock_time(part, own, end, run) - cut)
    return out


def _score(recordings: Recordings, estimate: Callable[[str], F64]) -> Scores:
    out: Scores = {}
    for name in recordings.names:
        truth, found = recordings.beats(name), estimate(name)
        one = out[name] = scoring.score_track(truth, found)
        one["octave"] = float(one["Acc1"] == 0 and one["Acc2"] == 1)
        one["offbeat"] = float(one["Foff"] > max(0.5, one["F70"]))
        cuts = recordings.cuts(name)
        times = relock_times(truth, found, cuts) if len(cuts) else []
        one["relock"] = float(np.mean(times)) if times else float("nan")
    return out


def _average(scores: Scores, names: list[str]) -> dict[str, float]:
    out = scoring.mean([scores[n] for n in names])
    for k in ("octave", "offbeat", "relock"):
        values = [scores[n][k] for n in names if not np.isnan(scores[n][k])]
        out[k] = float(np.mean(values)) if values else float("nan")
    return out


COLUMNS = (*SHOWN, "octave", "offbeat", "relock")
FORMS = {"lock": "{:.1f}", "relock": "{:.1f}", "biase": "{:+.0f}"}


def _row(label: str, values: dict[str, float]) -> str:
    cells = []
    for k in COLUMNS:
        v = values[k]
        form = FORMS.get(k, "{:.3f}").format(v)
        cells.append(f"{'-' if np.isnan(v) else form:>8}")
    return f"{label:<34}" + "".join(cells)


def run(
    recordings: Recordings,
    json_path: Path | None = None,
    weights: Path = WEIGHTS,
    through_transport: bool = True,
    per_track: bool = False,
    config: DecoderConfig | None = None,
    write: Path | None = None,
    gain_db: float = 0.0,
    say: Callable[[str], None] = print,
) -> dict[str, object]:
    """Score our tracker and the stored estimates of others; print the table; return all numbers.

    Parameters
    ----------
    recordings : Recordings
    json_path : Path, optional
        All numbers, also per track, go there.
    through_transport : bool
        Score what the transport sends as it comes, once it has locked; else the decoder's own predictions.
    write : Path, optional
        Folder for our estimates as ``.beats`` files.
    gain_db : float
        Of the input.
    """
    names, sets = recordings.names, recordings.sets
    settings = TransportSettings() if through_transport else None
    tracker = Tracker(weights, config)
    spent = length = 0.0

    def ours(name: str) -> F64:
        nonlocal spent, length
        before = recordings.before(name)
        sound = np.concatenate([before, recordings.sound(name)]) * amplitude(gain_db)
        found, seconds = track(sound, tracker, settings)
        spent, length = spent + seconds, length + len(sound) / SAMPLE_RATE
        found[:, [0, 2]] -= len(before) / SAMPLE_RATE
        found = found[found[:, 2] >= 0.0]
        if write:
            write.mkdir(parents=True, exist_ok=True)
            lines = (f"{t:.4f}\t{n:.0f}\t{e:.4f}\n" for t, n, e in found)
            (write / f"{name}.beats").write_text("".join(lines))
        return found

    def stored(rival: Path) -> Callable[[str], F64]:
        def load(name: str) -> F64:
            path = rival / f"{name}.beats"
            return scoring.load_beats(path, 3) if path.exists() else np.zeros((0, 3))

        return load

    scores = {OURS: _score(recordings, ours)}
    for rival in recordings.rivals:
        scores[rival.name] = _score(recordings, stored(rival))
    say(f"{'':<34}" + "".join(f"{c:>8}" for c in COLUMNS))
    if per_track:
        for n in names:
            say(_row(n[:33], scores[OURS][n]))
    for label, members in {**(sets if len(sets) > 1 else {}), "ALL": names}.items():
        for who in scores:
            if label == "ALL" or who == OURS or per_track:
                say(_row(f"{label} ({len(members)}) {who}"[:33], _average(scores[who], members)))
    intervals = _intervals(scores, names, say)
    rtf = spent / length
    say(f"real-time factor {rtf:.4f} ({1e6 * rtf * HOP / SAMPLE_RATE:.0f} us per 20 ms frame, one thread)")
    result: dict[str, object] = {
        "means": {w: {s: _average(scores[w], m) for s, m in {**sets, "ALL": names}.items()} for w in scores},
        "tracks": scores,
        "intervals": intervals,
        "rtf": rtf,
    }
    if json_path:
        json_path.write_text(json.dumps(_plain(result), indent=1))
    return result


def _intervals(scores: dict[str, Scores], names: list[str], say: Callable[[str], None]) -> dict[str, object]:
    """95 % bootstrap intervals over tracks: of our means, and of our lead over each rival on the same tracks."""
    out: dict[str, object] = {}
    say("95 % intervals over tracks (bootstrap; lead = ours minus theirs on the same tracks)")
    for who in scores:
        cells = []
        for k in ("F70e", "F25e", "CMLt", "AMLt", "DB70"):
            mine = [scores[OURS][n][k] for n in names]
            other = None if who == OURS else [scores[who][n][k] for n in names]
            low, high = scoring.interval(mine, other)
            out[f"{who}.{k}"] = (low, high)
            cells.append("      -      " if np.isnan(low) else f"{low:+.3f}…{high:+.3f}")
        say(f"  {('ours' if who == OURS else 'lead over ' + who):<32}" + "  ".join(cells))
    return out


def _plain(x: object) -> object:
    """For JSON: nan becomes null."""
    if isinstance(x, dict):
        return {k: _plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [_plain(v) for v in x]
    return None if isinstance(x, float) and np.isnan(x) else x


def _recordings(a: argparse.Namespace) -> Recordings:
    if a.crop is not None:
        return Cropped(a.folder, a.crop)
    return Recordings(a.folder) if a.after_silence is None else Following(a.folder, a.after_silence)


def main(argv: list[str] | None = None) -> int:
    """The bench from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folder", type=Path)
    ap.add_argument("--json", type=Path, metavar="FILE")
    ap.add_argument("--weights", type=Path, default=WEIGHTS)
    ap.add_argument("--decoder-only", action="store_true", help="the decoder's own predictions, no transport")
    ap.add_argument("--per-track", action="store_true")
    ap.add_argument("--write", type=Path, metavar="DIR", help="keep our estimates as .beats files")
    add_gain(ap)
    how = ap.add_mutually_exclusive_group()
    how.add_argument("--crop", type=int, metavar="SEED", help="begin each recording at a random place")
    how.add_argument(
        "--after-silence",
        type=float,
        metavar="SECONDS",
        help="each after another and so much silence",
    )
    a = ap.parse_args(argv)
    try:
        run(_recordings(a), a.json, a.weights, not a.decoder_only, a.per_track, write=a.write, gain_db=a.gain)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
