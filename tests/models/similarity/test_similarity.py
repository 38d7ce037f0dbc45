"""Neighbours: exact and by faiss, live over an index of small pieces, and what is said where something lacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.similarity import bench
from models.similarity.plugin import Similarity, clock
from models.similarity.search import Search
from realtime.cli.main import main
from realtime.errors import NotFetched, PluginError, UserError
from realtime.hosting.kinds import Latest
from realtime.hosting.plugin import Context
from realtime.library import indexfile
from realtime.library.indexfile import Library, Track
from tests.library.sounds import RATE, folder_of, piece

SIZE = 8


def library(tracks: int = 12, each: int = 10, size: int = SIZE) -> Library:
    """Tracks that are clouds of vectors, each around a centre of its own."""
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.standard_normal((tracks, size)), each, axis=0)
    vectors = centres + 0.2 * rng.standard_normal((tracks * each, size))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    listed = tuple(Track(f"{k}", f"Piece {k}", f"{k}", 2.0 * each, each, 0) for k in range(tracks))
    return Library("tags", "embedding", "1", 2.0, listed, vectors.astype(np.float16))


def prepared(path: Path | str, **parameters: float) -> Similarity:
    plugin = Similarity()
    values = {p.identifier: p.default for p in Similarity.descriptor.parameters}
    plugin.prepare(Context(values | parameters, "", {"index": str(path)}))
    return plugin


def told(plugin: Similarity, value: object, age: float = 0.0, name: str = "tags.embedding") -> dict[str, object]:
    found = plugin.combine({name: Latest(1.0, value, None, age)}, 1.0)
    return {f.output: f.label if f.value is None else f.value for f in found}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    indexfile.save(library(), tmp_path / "x.index")
    return tmp_path / "x.index"


def test_a_stretch_of_the_library_finds_itself() -> None:
    given = library()
    search = Search(given)
    for row in (0, 37, 119):
        found = search.nearest(given.vectors[row].astype(np.float32), 3)
        assert (found[0].track, found[0].position) == (row // 10, row % 10 * 2.0)
        assert found[0].score == pytest.approx(1, abs=2e-3)
        assert len({n.track for n in found}) == 3
        assert [n.score for n in found] == sorted((n.score for n in found), reverse=True)


def test_faiss_finds_what_the_exact_search_finds() -> None:
    given = library(tracks=40, each=50)
    exact, quick = Search(given), Search(given, exact=0)
    rows = range(0, 2000, 97)
    same = [
        exact.nearest(v, 1)[0] [:2] == quick.nearest(v, 1)[0][:2]
        for v in (given.vectors[r].astype(np.float32) for r in rows)
    ]  # fmt: skip
    assert np.mean(same) > 0.95


def test_without_faiss_a_big_library_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(NotFetched, match=r"sidechain\[similarity\]"):
        Search(library(), exact=0)


def test_silence_has_no_neighbours_and_silent_stretches_are_none() -> None:
    given = library(2, 5)
    given.vectors[:5] = 0
    search = Search(given)
    assert search.nearest(np.zeros(SIZE, np.float32), 5) == []
    assert [n.track for n in search.nearest(given.vectors[7].astype(np.float32), 5)] == [1]
    assert Search(Library("a", "b", "1", 1.0)).nearest(np.ones(1, np.float32), 5) == []


def test_one_track_alone_is_a_library_too() -> None:
    given = library(1, 5)
    assert Search(given).nearest(given.vectors[2].astype(np.float32), 5)[0].position == 4.0


def test_the_plugin_tells_titles_scores_and_places(index: Path) -> None:
    vector = tuple(library().vectors[34].astype(float))
    found = told(prepared(index, smoothing=0.0, neighbours=2), vector)
    assert found["nearest"] == "Piece 3"
    assert found["position"] == 8.0
    assert found["score"] == pytest.approx(1, abs=2e-3)
    lines = str(found["neighbours"]).split("\n")
    assert len(lines) == 2
    assert lines[0] == "1.00  0:08  Piece 3"


def test_smoothing_holds_on_to_what_was(index: Path) -> None:
    one, two = (tuple(library().vectors[k].astype(float)) for k in (4, 64))
    plugin = prepared(index, smoothing=5.0)
    for _ in range(40):
        told(plugin, one)
    assert told(plugin, two)["nearest"] == "Piece 0"
    plugin.parameter("smoothing", 0.0)
    assert told(plugin, two)["nearest"] == "Piece 6"


@pytest.mark.parametrize("value", [None, 3.0, (0.0,) * SIZE])
def test_nothing_is_told_of_nothing(index: Path, value: object) -> None:
    found = told(prepared(index), value)
    assert (found["nearest"], found["score"], found["neighbours"]) == ("", 0.0, "")


def test_what_is_old_or_anothers_does_not_count(index: Path) -> None:
    vector = tuple(library().vectors[34].astype(float))
    assert told(prepared(index), vector, age=60.0)["nearest"] == ""
    assert told(prepared(index), vector, name="hub-clap.embedding")["nearest"] == ""
    assert prepared(index).combine({}, 0.0)[0].label == ""


def test_a_vector_of_another_length_is_told(index: Path) -> None:
    with pytest.raises(PluginError, match="3 numbers, the index 8"):
        told(prepared(index), (1.0, 0.0, 0.0))


def test_without_an_index_it_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_LIBRARY", str(tmp_path / "none.index"))
    with pytest.raises(UserError, match="sidechain index FOLDER"):
        prepared("")


def test_from_folder_to_neighbour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole way: index some pieces, then play one of them."""
    monkeypatch.setenv("SIDECHAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SIDECHAIN_LIBRARY", str(tmp_path / "usual.index"))
    assert main(["index", str(folder_of(tmp_path / "music", 5)), "-q", "--no-fingerprints"]) == 0
    soundfile.write(tmp_path / "now.wav", piece(2), RATE)
    capsys.readouterr()
    wanted = ["--only", "tags,similarity", "--outputs", "similarity.nearest,similarity.position"]
    assert main(["analyze", str(tmp_path / "now.wav"), *wanted, "-o", str(tmp_path / "o.csv"), "-q"]) == 0
    lines = (tmp_path / "o.csv").read_text().splitlines()
    nearest = [line for line in lines if "nearest" in line][8:]
    assert sum(",2" in line.rsplit("nearest", 1)[1] for line in nearest) >= 0.8 * len(nearest) > 0


def test_bench_knows_tracks_that_are_of_one_piece() -> None:
    found = bench.same_track(library())
    assert found["nearest is of the same track"] > 0.6 > 0.2 > found["by chance"]
    with pytest.raises(UserError, match="fewer than two tracks"):
        bench.same_track(library(1))


def test_clock() -> None:
    assert [clock(s) for s in (0.0, 83.4, 3600.0)] == ["0:00", "1:23", "60:00"]
