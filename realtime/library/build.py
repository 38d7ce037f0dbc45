"""From a folder to an index: every file is heard once; what was heard is kept by the content of the file.

A run that is broken off, or a library that grows, costs only what has not been heard yet.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import platformdirs
import soundfile

from realtime.audio.file import open_sound_file
from realtime.errors import UserError
from realtime.library.embedding import Embedder
from realtime.library.indexfile import MOST_SIZE, Library, Track, words
from realtime.library.prints import Chromaprint

SOUND = frozenset(
    (
        ".wav",
        ".wave",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".aif",
        ".aiff",
        ".aifc",
        ".w64",
        ".rf64",
        ".caf",
        ".au",
    )
)
UNREAD = frozenset((".m4a", ".aac", ".wma", ".ape", ".wv", ".mp4", ".alac", ".mpc"))
"""Music that libsndfile does not read: named, not passed over in silence."""
_BLOCK = 1 << 16
_MOST_ENTRY = 512 << 20


class Heard(NamedTuple):
    """What is kept of one file."""

    vectors: npt.NDArray[np.float16]
    prints: npt.NDArray[np.uint32]


@dataclass
class Report:
    """How it went.

    Attributes
    ----------
    heard, known : int
        Files heard now, and files whose content had been heard before.
    bad : list of str
        One line for each file that was left out.
    """

    heard: int = 0
    known: int = 0
    bad: list[str] = field(default_factory=list)


def default_cache() -> Path:
    """Where what was heard is kept (``SIDECHAIN_CACHE`` overrides the platform's cache folder)."""
    return Path(os.environ.get("SIDECHAIN_CACHE") or platformdirs.user_cache_dir("sidechain")) / "index"


def sound_files(folder: Path) -> list[Path]:
    """Files that may hold sound, in order of their names, hidden ones and links to folders left out.

    Raises
    ------
    UserError
        There is no such folder, or no such file in it.
    """
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        found += [
            Path(place, n)
            for n in sorted(names)
            if not n.startswith(".") and Path(n).suffix.lower() in SOUND | UNREAD
        ]
    if not found:
        raise UserError(f"{folder}: no sound files in it (it looks for {' '.join(sorted(SOUND))})")
    return found


class Builder:
    """Makes an index.

    Parameters
    ----------
    embedder : Embedder
        Prepared.
    chromaprint : Chromaprint or None
        None: without fingerprints.
    cache : Path
        Folder of what was heard before.
    """

    def __init__(self, embedder: Embedder, chromaprint: Chromaprint | None, cache: Path) -> None:
        self._embedder, self._chromaprint = embedder, chromaprint
        self._folder = cache / "".join(c if c.isalnum() or c in "-." else "_" for c in embedder.key)

    def build(self, files: list[Path], progress: Callable[[float, float], None]) -> tuple[Library, Report]:
        """Hear what has not been heard yet; `progress` is told seconds of sound done and in all.

        Raises
        ------
        UserError
            What was heard cannot be kept (disk full, no rights). A bad sound file is no error: see ``Report.bad``.
        """
        report, tracks, heard = Report(), [], []
        lengths = dict(self._lengths(files, report))
        total, done = sum(lengths.values()), 0.0
        seen: set[str] = set()
        for path, seconds in lengths.items():
            try:
                digest = _digest(path)
                if digest not in seen:
                    kept = self._recall(digest)
                    if kept is None:
                        kept = self._hear(path, lambda s, at=done: progress(at + s, total))  # type: ignore[misc]
                        self._keep(digest, kept)
                        report.heard += 1
                    else:
                        report.known += 1
                    seen.add(digest)
                    counts = len(kept.vectors), len(kept.prints)
                    tracks.append(Track(str(path), _title(path), digest, round(seconds, 3), *counts))
                    heard.append(kept)
                else:
                    report.bad.append(f"{path}: the same sound as another file of the library")
            except _Unkept as e:
                raise UserError(str(e)) from e
            except UserError as e:
                report.bad.append(str(e))
            except OSError as e:
                report.bad.append(f"{path}: cannot be read ({e.strerror})")
            except Exception as e:  # one odd file, or anybody's plugin, does not end a night's work
                report.bad.append(f"{path}: {e.__class__.__name__}: {e}"[:500])
            done += seconds
            progress(done, total)
        return self._library(tracks, heard), report

    def _library(self, tracks: list[Track], heard: list[Heard]) -> Library:
        e, d = self._embedder, self._embedder.descriptor
        vectors = [h.vectors for h in heard if len(h.vectors)] or [np.zeros((0, e.size), np.float16)]
        if len({v.shape[1] for v in vectors}) > 1:
            raise UserError(f"plugin '{d.identifier}' gives vectors of different lengths; an index wants one")
        prints = [h.prints for h in heard] or [np.zeros(0, np.uint32)]
        return Library(
            *(d.identifier, e.output, d.version, e.every, tuple(tracks)),
            np.concatenate(vectors),
            np.concatenate(prints),
        )

    @staticmethod
    def _lengths(files: list[Path], report: Report) -> Iterator[tuple[Path, float]]:
        for path in files:
            try:
                if path.suffix.lower() in UNREAD:
                    raise UserError(f"{path}: a kind of file that cannot be read; convert it to FLAC or Ogg")
                with open_sound_file(path) as file:
                    yield path, file.frames / file.samplerate
            except UserError as e:
                report.bad.append(str(e))

    def _hear(self, path: Path, progress: Callable[[float], None]) -> Heard:
        vectors = self._embedder.vectors(path, progress).astype(np.float16)
        if self._chromaprint is None:
            return Heard(vectors, np.zeros(0, np.uint32))
        with open_sound_file(path) as file:
            # Chromaprint takes mono or stereo
            pieces = (b[:, :2] for b in file.blocks(_BLOCK, dtype="float32", always_2d=True))
            prints = self._chromaprint.fingerprint(pieces, file.samplerate, min(2, file.channels))
        return Heard(vectors, prints)

    # -- what was heard before --------------------------------------------------------------------------------

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest}{'-prints' if self._chromaprint else ''}.npz"

    def _recall(self, digest: str) -> Heard | None:
        """What was heard of such a file before; None if nothing was, or it cannot be read (it is heard again)."""
        path = self._path(digest)
        try:
            if path.stat().st_size > _MOST_ENTRY:
                return None
            with np.load(path, allow_pickle=False) as stored:
                vectors, prints = stored["vectors"], stored["prints"]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
        right = vectors.dtype == np.float16 and vectors.ndim == 2 and 1 <= vectors.shape[1] <= MOST_SIZE
        right = right and prints.dtype == np.uint32 and prints.ndim == 1
        return Heard(vectors, prints) if right and np.isfinite(vectors).all() else None

    def _keep(self, digest: str, heard: Heard) -> None:
        temporary = ""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
            with os.fdopen(handle, "wb") as file:
                np.savez(file, vectors=heard.vectors, prints=heard.prints)
            os.replace(temporary, self._path(digest))
        except OSError as e:
            with suppress(OSError):
                os.unlink(temporary)
            raise _Unkept(f"{self._folder}: what was heard cannot be kept ({e.strerror})") from e


class _Unkept(Exception):
    """The disk does not take it."""


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _title(path: Path) -> str:
    """Artist and title where the file says them, else its name."""
    with suppress(soundfile.LibsndfileError, RuntimeError, OSError), soundfile.SoundFile(path) as file:
        said = file.copy_metadata()
        artist, title = words(said.get("artist", "")), words(said.get("title", ""))
        if title:
            return f"{artist} – {title}" if artist else title
    return words(path.stem)
