"""``sidechain bench fingerprint FOLDER``: how surely recordings are recognised, and others are not.

Half of the files are the library; queries of 10 s come from these, clean and in white noise, and from the others.

- right, wrong: share of queries told with a score of the plugin's default or more, at the right place (to
  0.5 s), and as another track or place.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from models.fingerprint.matching import Matcher
from models.fingerprint.plugin import WINDOW, Fingerprint
from realtime.bench.report import parser, publish
from realtime.errors import UserError
from realtime.library.build import sound_files
from realtime.library.indexfile import Library, Track
from realtime.library.prints import STEP, Chromaprint

F32 = npt.NDArray[np.float32]
PLACES = (12.345, 25.1)
NOISES: tuple[float | None, ...] = (None, 10.0, 0.0)
SPEEDS = (1.01, 1.03, 1.06)


class Trial:
    """A library of some files, and queries from these and from others."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._chromaprint = Chromaprint()
        self._rng = np.random.default_rng(0)
        least = Fingerprint.descriptor.parameter("least")
        assert least is not None
        self.least = least.default
        half = len(files) // 2
        self._known, self._others = list(files[:half]), list(files[half:])
        tracks, prints = [], []
        for path in self._known:
            sound, rate = _read(path)
            prints.append(self._chromaprint.fingerprint([sound], rate, 1))
            tracks.append(Track(str(path), path.stem, "", len(sound) / rate, 0, len(prints[-1])))
        vectors = np.zeros((0, 1), np.float16)
        self._matcher = Matcher(Library("none", "none", "0", 1.0, tuple(tracks), vectors, np.concatenate(prints)))

    def rows(self) -> list[dict[str, Any]]:
        """One row for each kind of query."""
        told = [self._row("known" if n is None else f"known, noise at {n:g} dB", self._known, n) for n in NOISES]
        told += [self._row(f"known, {100 * s - 100:.0f} % faster", self._known, None, s) for s in SPEEDS]
        return [*told, self._row("not in the library", self._others, None)]

    def _row(self, name: str, files: Sequence[Path], noise: float | None, speed: float = 1.0) -> dict[str, Any]:
        right = wrong = count = 0
        scores, costs = [], []
        for k, path in enumerate(files):
            sound, rate = _read(path)
            for at in PLACES:
                heard = sound[int(at * rate) : int((at + speed * WINDOW) * rate)]
                if speed != 1.0 and len(heard):
                    heard = faster(heard, speed)
                loud = float(np.sqrt(np.mean(heard**2))) if len(heard) else 0.0
                if len(heard) < int(WINDOW * rate) - 2 or loud < 1e-3:
                    continue
                if noise is not None:
                    hiss = self._rng.standard_normal(len(heard)).astype(np.float32)
                    heard = heard + hiss * np.float32(loud * 10 ** (-noise / 20))
                begun = time.process_time()
                match = self._matcher.match(self._chromaprint.fingerprint([heard], rate, 1))
                costs.append(time.process_time() - begun)
                score = 0.0 if match is None else 1 - 2 * match.errors
                here = match is not None and files is self._known and match.track == k
                placed = here and match is not None and abs(match.offset * STEP - at) < 0.5
                right += placed and score >= self.least
                wrong += score >= self.least and not placed
                count += 1
                scores.append(score)
        if not count:
            raise UserError("no file is long enough: 23 s or more are wanted")
        low, middle, high = np.quantile(scores, [0.0, 0.5, 1.0])
        return {
            "query": name, "queries": count, "right": right / count, "wrong": wrong / count,
            "least_score": float(low), "median_score": float(middle), "most_score": float(high),
            "cost_ms": 1000 * float(np.mean(costs)),
        }  # fmt: skip


def faster(sound: F32, speed: float) -> F32:
    """The same, played faster and higher (linear between samples)."""
    at = np.arange(int(len(sound) / speed)) * speed
    return np.interp(at, np.arange(len(sound)), sound).astype(np.float32)


def _read(path: Path) -> tuple[F32, int]:
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return sound.mean(axis=1), rate


def main(argv: list[str] | None = None) -> int:
    """The bench."""
    arguments = parser("fingerprint", __doc__)
    arguments.add_argument("folder", type=Path, help="music; the first half is the library, the rest is not in it")
    arguments.add_argument("--files", type=int, default=60, help="at most so many (default 60)")
    args = arguments.parse_args(argv)
    files = sound_files(args.folder)
    files = files[:: max(1, len(files) // max(2, args.files))][: args.files]
    if len(files) < 2:
        raise UserError(f"{args.folder}: two files or more are wanted")
    trial = Trial(files)
    args.folder = str(args.folder)
    publish("fingerprint", args, {"least score": trial.least, "queries of 10 s": trial.rows()})
    return 0
