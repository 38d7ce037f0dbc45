"""The index file: what goes in comes out; what is not an index is refused in one line."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import UserError
from realtime.library import indexfile
from realtime.library.indexfile import MAGIC, Library, Track


def library(tracks: int = 3, size: int = 4) -> Library:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((2 * tracks, size))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    listed = tuple(Track(f"/m/{k}.flac", f"Ärger {k}", f"{k:032x}", 4.0, 2, 5) for k in range(tracks))
    prints = rng.integers(0, 1 << 32, 5 * tracks, dtype=np.uint32)
    return Library("tags", "embedding", "1.0.0", 2.0, listed, vectors.astype(np.float16), prints)


def written(path: Path, header: object, numbers: bytes, version: int = indexfile.VERSION) -> Path:
    """A file with a right checksum around whatever is in it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    data = MAGIC + struct.pack("<II", version, len(text)) + text + numbers
    path.write_bytes(data + hashlib.blake2b(data, digest_size=16).digest())
    return path


def head(**changed: object) -> dict[str, object]:
    track = {"path": "a", "title": "a", "hash": "a", "seconds": 1.0, "vectors": 1, "prints": 1}
    track |= {k: changed.pop(k) for k in list(changed) if k in track}
    start = {"plugin": "tags", "output": "e", "version": "1", "every": 2.0, "size": 2, "tracks": [track]}
    return start | changed


NUMBERS = np.array([0.6, 0.8], "<f2").tobytes() + bytes(4)


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    given = library()
    indexfile.save(given, tmp_path / "deep" / "x.index")
    found = indexfile.load(tmp_path / "deep" / "x.index")
    assert (found.plugin, found.output, found.every, found.tracks) == ("tags", "embedding", 2.0, given.tracks)
    assert np.array_equal(found.vectors, given.vectors)
    assert np.array_equal(found.prints, given.prints)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["x.index"]


def test_a_right_header_is_taken(tmp_path: Path) -> None:
    assert len(indexfile.load(written(tmp_path / "x", head(), NUMBERS)).tracks) == 1


@pytest.mark.parametrize(
    ("header", "numbers"),
    [
        (b"not json", NUMBERS),
        (b"\xff\xfe", NUMBERS),
        (b"[" * 200_000, NUMBERS),
        ([], NUMBERS),
        ({}, NUMBERS),
        (head(size=0), NUMBERS),
        (head(size=10**9), NUMBERS),
        (head(size=True), NUMBERS),
        (head(size=-2), NUMBERS),
        (head(every=0), NUMBERS),
        (head(every=float("nan")), NUMBERS),
        (head(plugin=7), NUMBERS),
        (head(tracks={}), NUMBERS),
        (head(tracks=[1]), NUMBERS),
        (head(vectors=10**15), NUMBERS),
        (head(vectors=1.5), NUMBERS),
        (head(prints=-1), NUMBERS),
        (head(seconds="long"), NUMBERS),
        (head(seconds=float("inf")), NUMBERS),
        (head(path=None), NUMBERS),
        (head(), NUMBERS + b"x"),
        (head(), NUMBERS[:-1]),
        (head(), np.array([np.nan, 0], "<f2").tobytes() + bytes(4)),
        (head(), np.array([500, 0], "<f2").tobytes() + bytes(4)),
    ],
)
def test_hostile_contents_are_refused_in_one_line(tmp_path: Path, header: object, numbers: bytes) -> None:
    with pytest.raises(UserError, match=r"wrong inside .*sidechain index FOLDER") as said:
        indexfile.load(written(tmp_path / "x", header, numbers))
    assert "\n" not in str(said.value)
    assert len(str(said.value)) < 600


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with pytest.raises(UserError, match="sidechain index FOLDER"):
        indexfile.load(path)
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], object), allow_pickle=True)
    for data in (b"", pickle.dumps([1]), buffer.getvalue(), MAGIC, b"\x80\x05" + MAGIC * 10):
        path.write_bytes(data)
        with pytest.raises(UserError, match="not an index"):
            indexfile.load(path)
    with pytest.raises(UserError, match="version 9, not 1"):
        indexfile.load(written(path, head(), NUMBERS, version=9))
    with pytest.raises(UserError, match="cannot be read"):
        indexfile.load(tmp_path)


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(place: int, bit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("flipped") / "x"
    indexfile.save(library(), path)
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(UserError):
        indexfile.load(path)


def test_titles_are_one_short_line() -> None:
    assert indexfile.words("a\x1b[2J\nb\t c" + "x" * 9999).startswith("a [2J b c")
    assert len(indexfile.words("x" * 9999)) == indexfile.MOST_WORDS


def test_a_folder_that_takes_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        indexfile.save(library(), tmp_path / "file" / "x.index")
