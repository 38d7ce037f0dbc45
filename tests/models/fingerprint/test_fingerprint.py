"""Recognition: the real libchromaprint where it is installed; matching, on made-up words, everywhere."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from models.dsp.offline import drive
from models.fingerprint import bench
from models.fingerprint.matching import LEAST_WORDS, Matcher
from models.fingerprint.plugin import RATE, Fingerprint
from realtime.cli.main import main
from realtime.errors import NotFetched, UserError
from realtime.hosting.plugin import Context
from realtime.library import indexfile
from realtime.library.indexfile import Library, Track
from realtime.library.prints import STEP, Chromaprint
from tests.library.sounds import RATE as FILE_RATE
from tests.library.sounds import folder_of, piece


def words(tracks: int = 20, each: int = 300) -> Library:
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 1 << 32, tracks * each, dtype=np.uint32)
    listed = tuple(Track(f"{k}", f"Piece {k}", f"{k}", each * STEP, 0, each) for k in range(tracks))
    return Library("tags", "embedding", "1", 2.0, listed, np.zeros((0, 4), np.float16), drawn)


def flipped(query: np.ndarray, share: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    bits = rng.random((len(query), 32)) < share
    return query ^ (bits * (1 << np.arange(32, dtype=np.uint64))).sum(1).astype(np.uint32)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.15])
def test_a_stretch_is_found_with_bits_flipped(share: float) -> None:
    library = words()
    matcher = Matcher(library)
    for track, offset in ((0, 0), (7, 123), (19, 240)):
        at = track * 300 + offset
        found = matcher.match(flipped(library.prints[at : at + 60], share))
        assert found is not None
        assert found[:2] == (track, offset)
        assert found.errors == pytest.approx(share, abs=0.03)


def test_what_is_not_there_has_half_its_bits_wrong() -> None:
    other = np.random.default_rng(5).integers(0, 1 << 32, 60, dtype=np.uint32)
    found = Matcher(words()).match(other)
    assert found is None or found.errors > 0.4


def test_a_query_may_begin_before_its_track() -> None:
    library = words()
    noise = np.random.default_rng(5).integers(0, 1 << 32, 30, dtype=np.uint32)
    found = Matcher(library).match(np.concatenate([noise, library.prints[600:630]]))
    assert found is not None
    assert found == (2, -30, 0.0)


def test_silence_and_scraps_match_nothing() -> None:
    library = words()
    matcher = Matcher(library)
    assert matcher.match(np.full(60, library.prints[5])) is None
    assert matcher.match(library.prints[: LEAST_WORDS - 1]) is None
    assert matcher.match(np.zeros(0, np.uint32)) is None
    nothing = Library("a", "b", "1", 1.0)
    assert Matcher(nothing).match(library.prints[:60]) is None


# -- with the real library -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromaprint() -> Chromaprint:
    """Left out where libchromaprint is not installed; scripts/setup.sh test installs it."""
    try:
        return Chromaprint()
    except NotFetched as e:
        pytest.skip(str(e))


@pytest.fixture(scope="module")
def index(chromaprint: Chromaprint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    music, out = folder_of(folder / "music", 4, 30.0), folder / "x.index"
    assert main(["index", str(music), "--out", str(out), "--cache", str(folder / "cache"), "-q"]) == 0
    return out


def prepared(index: Path) -> Fingerprint:
    plugin = Fingerprint()
    values = {p.identifier: p.default for p in Fingerprint.descriptor.parameters}
    plugin.prepare(Context(values, "", {"index": str(index)}))
    return plugin


def at_rate(sound: np.ndarray) -> np.ndarray:
    times = np.arange(int(len(sound) / FILE_RATE * RATE)) / RATE
    return np.interp(times, np.arange(len(sound)) / FILE_RATE, sound).astype(np.float32)


def test_track_and_place_are_told(index: Path) -> None:
    sound = at_rate(piece(2, 30.0))[7 * RATE :]
    noise = 0.02 * np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    found = drive(prepared(index), sound + noise)
    events = [f for _, f in found if f.output == "match"]
    assert [e.label for e in events] == ["2"]
    last = {f.output: f for _, f in found}
    assert last["track"].label == "2"
    assert last["position"].value == pytest.approx(7 + last["position"].time, abs=0.3)
    assert last["score"].value > 0.7


def test_another_piece_and_silence_are_not_told(index: Path) -> None:
    for sound in (at_rate(piece(50, 20.0)), np.zeros(20 * RATE, np.float32)):
        found = drive(prepared(index), sound)
        assert not [f for _, f in found if f.output == "match"]
        assert {f.label for _, f in found if f.output == "track"} == {""}


def test_a_track_that_ends_is_forgotten(index: Path) -> None:
    sound = np.concatenate([at_rate(piece(1, 16.0)), np.zeros(24 * RATE, np.float32)])
    labels = [f.label for _, f in drive(prepared(index), sound) if f.output == "track"]
    assert "1" in labels
    assert labels[-1] == ""


def test_prints_of_parts_are_prints_of_the_whole(chromaprint: Chromaprint) -> None:
    sound = piece(3, 10.0)
    whole = chromaprint.fingerprint([sound], FILE_RATE, 1)
    parts = chromaprint.fingerprint(np.array_split(sound, 7), FILE_RATE, 1)
    assert len(whole) > 40
    assert np.array_equal(whole, parts)


def test_hostile_sound_has_prints_too(chromaprint: Chromaprint) -> None:
    for sound in (np.zeros(0), np.full(16_000, np.nan), np.full(160_000, 1e30), np.full(160_000, -np.inf)):
        assert chromaprint.fingerprint([sound.astype(np.float32)], 16_000, 1).dtype == np.uint32


def test_an_index_without_fingerprints_is_told(chromaprint: Chromaprint, tmp_path: Path) -> None:
    indexfile.save(Library("tags", "embedding", "1", 2.0, vectors=np.zeros((0, 4), np.float16)), tmp_path / "x")
    with pytest.raises(UserError, match="no fingerprints; make it anew"):
        prepared(tmp_path / "x")


def test_without_the_library_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chromaprint", None)
    with pytest.raises(NotFetched, match="libchromaprint1"):
        prepared(tmp_path / "x")


def test_bench(chromaprint: Chromaprint, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder_of(tmp_path, 2, 36.0)
    assert bench.main([str(tmp_path), "--json", "-"]) == 0
    assert '"right": 1.0' in capsys.readouterr().out
