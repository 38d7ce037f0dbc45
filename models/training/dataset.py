"""Reads rendered training data: pairs ``NAME.flac`` + ``NAME.json``, also while the renderer still writes.

Features are computed once and kept beside one another in a cache folder as ``NAME.npy`` (float16), by the very
code that runs live; training then reads memory-mapped slices.

    python -m models.training.dataset DATA CACHE --features models.beat.features:Features [--follow]
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import soundfile

from realtime.errors import UserError, reported

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]


class Extractor(Protocol):
    """Whatever turns a recording into frames."""

    def clip(self, samples: F32) -> F32:
        """Frames of a recording, shape ``(frames, size)``."""
        ...


@dataclass(frozen=True)
class Piece:
    """One rendered piece and what is true of it.

    Attributes
    ----------
    audio : Path
        FLAC, mono, 24 kHz.
    beats : ndarray, shape (n, 3)
        Time in s, beat in bar (1 = downbeat, 0 = unknown), beats per bar.
    valid : ndarray, shape (m, 2)
        Spans in s within which the beats may be trained on.
    truth : dict
        Everything the renderer wrote.
    """

    name: str
    audio: Path
    beats: F64
    valid: F64
    truth: dict[str, Any]


def load_piece(path: Path) -> Piece:
    """Read ``NAME.json``.

    Raises
    ------
    UserError
        If the file is not what the renderer writes.
    """
    try:
        truth = json.loads(path.read_text())
        beats = np.asarray(truth["beats"], float).reshape(-1, 3)
        valid = np.asarray(truth["valid"], float).reshape(-1, 2)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: not a rendered piece ({error}); render the folder again") from error
    return Piece(path.stem, path.with_suffix(".flac"), beats, valid, truth)


def pieces(folder: Path) -> list[Path]:
    """The ``.json`` of every complete piece, in order of name."""
    found = sorted(p for p in folder.glob("*.json") if p.stem != "index" and p.with_suffix(".flac").exists())
    if not found:
        raise UserError(f"{folder}: no rendered pieces (NAME.flac with NAME.json); render some first")
    return found


def read_audio(path: Path, rate: int = 24_000) -> F32:
    """Mono samples of a file whose rate must be `rate`."""
    samples, found = soundfile.read(path, dtype="float32", always_2d=True)
    if found != rate:
        raise UserError(f"{path}: {found} Hz, expected {rate} Hz")
    return samples.mean(axis=1)


def named_files(folders: Sequence[Path], kinds: Collection[str]) -> list[tuple[str, Path]]:
    """Files of some suffixes in `folders`, to any depth, in order; each with a name by its place in its folder."""
    found = sorted((d, p) for d in folders for p in d.rglob("*") if p.suffix.lower() in kinds and p.is_file())
    return [(re.sub(r"[^A-Za-z0-9]+", "_", str(p.relative_to(d).with_suffix("")))[-100:], p) for d, p in found]


def save_frames(path: Path, frames: F32) -> None:
    """Write frames of a recording atomically, in half precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.save(file, frames.astype(np.float16))
    os.replace(partial, path)


def cache_features(folder: Path, cache: Path, extractor: Extractor) -> Iterator[Path]:
    """Write ``NAME.npy`` for every piece that has none yet; yields each as it is done."""
    for path in pieces(folder):
        target = cache / f"{path.stem}.npy"
        if target.exists():
            continue
        frames = extractor.clip(read_audio(path.with_suffix(".flac")))
        save_frames(target, frames)
        yield target


def cached_pieces(folder: Path, cache: Path, known: Collection[Path] = ()) -> list[tuple[Piece, Path]]:
    """Every piece whose features are ready, less those whose cache file is in `known`."""
    found = ((p, cache / f"{p.stem}.npy") for p in pieces(folder))
    return [(load_piece(p), path) for p, path in found if path not in known and path.exists()]


def is_validation(name: str) -> bool:
    """Whether a piece is held out: one seed in fifty, as the renderer marks them."""
    return name.isdigit() and int(name) % 50 == 7


def _extractor(where: str) -> Extractor:
    module, _, name = where.partition(":")
    make: Callable[[], Extractor] = getattr(importlib.import_module(module), name)
    return make()


def main() -> None:
    """Fill a feature cache from the command line."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("data", type=Path)
    ap.add_argument("cache", type=Path)
    ap.add_argument("--features", required=True, metavar="MODULE:CLASS")
    ap.add_argument("--follow", action="store_true", help="go on until index.json is there and all is cached")
    a = ap.parse_args()
    extractor = _extractor(a.features)
    while True:
        complete = (a.data / "index.json").exists()
        try:
            done = sum(1 for _ in cache_features(a.data, a.cache, extractor))
        except UserError:
            if not a.follow:
                raise
            done = 0
        print(f"{done} pieces added", flush=True)
        if not a.follow or (complete and not done):
            return
        if not done:
            time.sleep(5.0)


if __name__ == "__main__":
    reported(main)
