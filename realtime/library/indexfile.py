"""The index of a library as one file: which tracks, what they sound like, and their fingerprints.

Layout, all little-endian: ``SIDECHAIN-INDEX\\n``, version (u32), length of the header (u32), header (JSON, UTF-8),
vectors (float16, tracks one after another), fingerprints (u32), and a BLAKE2b checksum of all before it (16
bytes). Nothing in it is code, every size is checked before it is believed, and a file is replaced whole or not.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs

from realtime.errors import NotFetched, UserError

F16 = npt.NDArray[np.float16]
U32 = npt.NDArray[np.uint32]

MAGIC = b"SIDECHAIN-INDEX\n"
VERSION = 1
MOST_HEADER = 64 << 20
MOST_TRACKS = 200_000
MOST_VECTORS = 20_000_000
MOST_PRINTS = 400_000_000
MOST_SIZE = 4096
MOST_WORDS = 500
_FIXED = struct.Struct("<II")
_SUM = 16


@dataclass(frozen=True, slots=True)
class Track:
    """One piece of sound.

    Attributes
    ----------
    path : str
        As it was found.
    title : str
        For people: artist and title where the file says them, else its name.
    hash : str
        Of its content.
    seconds : float
    vectors, prints : int
        How many of each it has.
    """

    path: str
    title: str
    hash: str
    seconds: float
    vectors: int
    prints: int


@dataclass(frozen=True)
class Library:
    """A whole index in memory.

    Attributes
    ----------
    plugin, output, version : str
        Where the vectors come from: plugin, its vector output, and its version.
    every : float
        Seconds of sound a vector stands for.
    tracks : tuple of Track
    vectors : ndarray of float16, shape (n, size)
        Of unit length, tracks one after another.
    prints : ndarray of uint32, shape (m,)
        Raw Chromaprint fingerprints, tracks one after another; empty without that library.
    """

    plugin: str
    output: str
    version: str
    every: float
    tracks: tuple[Track, ...] = ()
    vectors: F16 = field(default_factory=lambda: np.zeros((0, 1), np.float16))
    prints: U32 = field(default_factory=lambda: np.zeros(0, np.uint32))


def default_path() -> Path:
    """Where the index is kept (``SIDECHAIN_LIBRARY`` overrides the platform's data folder)."""
    given = os.environ.get("SIDECHAIN_LIBRARY")
    return Path(given) if given else Path(platformdirs.user_data_dir("sidechain")) / "library.index"


def save(library: Library, path: Path) -> None:
    """Write atomically: whenever the machine stops, `path` is the whole old file or the whole new one.

    Raises
    ------
    UserError
        It cannot be written.
    """
    header = json.dumps(
        {
            "plugin": library.plugin,
            "output": library.output,
            "version": library.version,
            "every": library.every,
            "size": int(library.vectors.shape[1]),
            "tracks": [asdict(t) for t in library.tracks],
        },
        ensure_ascii=False,
    ).encode("utf-8", "replace")
    parts = (
        MAGIC,
        _FIXED.pack(VERSION, len(header)),
        header,
        np.ascontiguousarray(library.vectors, "<f2").tobytes(),
        np.ascontiguousarray(library.prints, "<u4").tobytes(),
    )
    checksum = hashlib.blake2b(digest_size=_SUM)
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                checksum.update(part)
                file.write(part)
            file.write(checksum.digest())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        temporary = ""
    except OSError as e:
        raise UserError(f"{path}: the index cannot be written ({e.strerror})") from e
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def load(path: Path) -> Library:
    """Read an index.

    Raises
    ------
    UserError
        There is none (``NotFetched``), or it is damaged, of another version, or not an index.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFetched(f"{path}: no index there; make one with: sidechain index FOLDER") from None
    except OSError as e:
        raise UserError(f"{path}: the index cannot be read ({e.strerror})") from e
    start = len(MAGIC) + _FIXED.size
    if not data.startswith(MAGIC) or len(data) < start + _SUM:
        raise UserError(f"{path}: not an index of sidechain; make one with: sidechain index FOLDER")
    version, length = _FIXED.unpack_from(data, len(MAGIC))
    if version != VERSION:
        raise UserError(f"{path}: index of version {version}, not {VERSION}; make it anew: sidechain index FOLDER")
    if hashlib.blake2b(data[:-_SUM], digest_size=_SUM).digest() != data[-_SUM:]:
        raise UserError(f"{path}: the index is damaged (checksum); make it anew: sidechain index FOLDER")
    try:
        if not length <= min(MOST_HEADER, len(data) - start - _SUM):
            raise ValueError("header too long")
        header = json.loads(data[start : start + length].decode("utf-8"))
        return _arrays(header, data[start + length : -_SUM])
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as e:
        said = f"{e.__class__.__name__}: {e}"[:200]
        raise UserError(f"{path}: wrong inside ({said}); make it anew: sidechain index FOLDER") from e


def _arrays(header: dict[str, Any], data: bytes) -> Library:
    """What the header says, held against what is there."""
    size, every = _count(header["size"], MOST_SIZE), float(header["every"])
    if size < 1 or not 0.05 <= every <= 60:
        raise ValueError("size or spacing of the vectors")
    if not isinstance(header["tracks"], list) or len(header["tracks"]) > MOST_TRACKS:
        raise ValueError("list of tracks")
    tracks = tuple(_track(t) for t in header["tracks"])
    vectors, prints = sum(t.vectors for t in tracks), sum(t.prints for t in tracks)
    if vectors > MOST_VECTORS or prints > MOST_PRINTS:
        raise ValueError("more than an index can hold")
    if len(data) != 2 * size * vectors + 4 * prints:
        raise ValueError(f"{len(data)} bytes of numbers, not {2 * size * vectors + 4 * prints}")
    numbers = np.frombuffer(data, "<f2", size * vectors).reshape(vectors, size)
    if not np.isfinite(numbers).all() or (vectors and np.abs(numbers).max() > 1.01):
        raise ValueError("vectors that are none")
    return Library(
        words(header["plugin"]),
        words(header["output"]),
        words(header["version"]),
        every,
        tracks,
        numbers.astype(np.float16),
        np.frombuffer(data, "<u4", prints, 2 * size * vectors).astype(np.uint32),
    )


def _track(given: dict[str, Any]) -> Track:
    seconds = float(given["seconds"])
    if not 0 <= seconds < 1e7:
        raise ValueError("length of a track")
    path = given["path"]
    if not isinstance(path, str) or len(path) > 8192:
        raise ValueError("path of a track")
    counts = _count(given["vectors"], MOST_VECTORS), _count(given["prints"], MOST_PRINTS)
    return Track(path, words(given["title"]), words(given["hash"]), seconds, *counts)


def _count(value: Any, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"a count of {str(value)[:40]}")
    return value


def words(text: Any) -> str:
    """A short text of one line, whatever was in it. Raises ``ValueError`` if it is no text."""
    if not isinstance(text, str):
        raise ValueError("a name that is no text")
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MOST_WORDS]).split())[:MOST_WORDS]
