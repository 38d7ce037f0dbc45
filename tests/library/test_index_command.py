"""`sidechain index`: every file once, bad ones named, broken off and gone on with, another's vectors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.cli import index
from realtime.cli.main import main
from realtime.errors import NotFetched, UserError
from realtime.library import build, indexfile
from realtime.library.build import Builder
from realtime.library.embedding import Embedder
from tests.fixtures.waiting import until
from tests.library.sounds import RATE, folder_of, piece

OWN = """
import numpy as np
from realtime.hosting.plugin import AudioInput, Descriptor, Feature, Output, Parameter, Plugin

class Mine(Plugin):
    descriptor = Descriptor(
        identifier="mine", name="Mine", description="", maker="", license="MIT", version="1", lane="slow",
        input=AudioInput(16000, hop=8000, window=16000),
        parameters=(Parameter("size", "Size", "", 1, 9, 3),),
        outputs=(Output("colour", "vector", minimum=-1, size=3), Output("loud", "value")),
    )
    def prepare(self, context):
        self.prepared = getattr(self, "prepared", 0) + 1
        assert self.prepared == 1
        self.rest = (0.0,) * (int(context.parameters["size"]) - 1)
    def process(self, block, time):
        colour = float(np.abs(block).mean()) + 1e-3, *self.rest
        return [Feature("colour", time, colour), Feature("loud", time, 0.5)]
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIDECHAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SIDECHAIN_LIBRARY", str(tmp_path / "usual.index"))
    return tmp_path / "cache"


def summary(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    capsys.readouterr()
    assert main(["index", *arguments, "--json", "-q", "--no-fingerprints"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_library_is_heard_once(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    music = folder_of(tmp_path / "music" / "deep", 3, 5.0)
    first = summary(capsys, str(tmp_path / "music"))
    assert (first["tracks"], first["heard"], first["known"], first["bad"]) == (3, 3, 0, [])
    found = indexfile.load(Path(first["index"]))
    assert [t.title for t in found.tracks] == ["0", "1", "2"]
    assert [t.vectors for t in found.tracks] == [3, 3, 3]
    assert np.allclose(np.linalg.norm(found.vectors.astype(float), axis=1), 1, atol=2e-3)
    (music / "1.flac").rename(music / "moved.flac")  # by content: neither name nor place counts
    soundfile.write(music / "new.flac", piece(9, 5.0), RATE)
    again = summary(capsys, str(tmp_path / "music"))
    assert (again["tracks"], again["heard"], again["known"]) == (4, 1, 3)


def test_bad_files_are_named_and_left_out(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    music = folder_of(tmp_path / "music", 1, 5.0)
    (music / "cut.flac").write_bytes((music / "0.flac").read_bytes()[:3000])
    (music / "none.wav").write_bytes(b"")
    (music / "words.mp3").write_text("no sound at all")
    (music / "other.m4a").write_bytes(b"x")
    (music / "same.flac").write_bytes((music / "0.flac").read_bytes())
    (music / "notes.txt").write_text("not a sound file, and not taken for one")
    (music / ".hidden.wav").write_bytes(b"")
    found = summary(capsys, str(music))
    assert found["tracks"] == 1
    for name in ("cut.flac", "none.wav", "words.mp3", "other.m4a", "same.flac"):
        assert any(name in line for line in found["bad"]), name
    assert len(found["bad"]) == 5
    assert main(["index", str(music), "--no-fingerprints"]) == 0
    said = capsys.readouterr()
    assert "1 known from before, 5 left out" in said.err
    assert "left out:" in said.err
    assert "1 tracks" in said.out


def test_a_killed_run_goes_on_where_it_was(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    music = folder_of(tmp_path / "music", 6, 6.0)
    command = [sys.executable, "-m", "realtime.cli.main", "index", str(music), "--no-fingerprints", "-q"]
    process = subprocess.Popen(command, env=os.environ, cwd=Path(__file__).parents[2])
    try:
        until(lambda: len(list(cache.rglob("*.npz"))) >= 2 or process.poll() is not None, 60)
    finally:
        process.kill()
        process.wait()
    found = summary(capsys, str(music))
    assert found["known"] >= 2
    assert found["heard"] + found["known"] == found["tracks"] == 6


def test_a_damaged_memory_is_heard_again(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    music = folder_of(tmp_path / "music", 3, 3.0)
    summary(capsys, str(music))
    one, two, _ = sorted(cache.rglob("*.npz"))
    one.write_bytes(one.read_bytes()[:50])
    with two.open("wb") as f:
        np.savez(f, vectors=np.array([{"a": 1}], object), prints=np.zeros(1, np.uint32))  # a pickle inside
    found = summary(capsys, str(music))
    assert (found["heard"], found["known"], found["bad"]) == (2, 1, [])


def test_another_plugins_vectors(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "mine.py").write_text(OWN)
    monkeypatch.setenv("SIDECHAIN_PLUGINS", str(tmp_path / "plugins"))
    music = folder_of(tmp_path / "music", 3, 3.0)
    found = summary(capsys, str(music), "--plugin", "mine", "--output", "colour", "--every", "1")
    library = indexfile.load(Path(found["index"]))
    assert (library.plugin, library.output, library.every, library.vectors.shape) == (
        "mine",
        "colour",
        1.0,
        (9, 3),
    )
    preset = tmp_path / "p.toml"
    preset.write_text("[plugins.mine]\nsize = 5\n")
    other = summary(
        capsys, str(music), "--plugin", "mine", "--output", "colour", "--every", "1", "--preset", str(preset)
    )
    assert (other["known"], other["heard"]) == (0, 3)  # other settings, other vectors
    assert indexfile.load(Path(other["index"])).vectors.shape == (9, 5)
    assert main(["index", str(music), "--plugin", "mine"]) == 2
    assert "no vector output 'embedding'; it has colour" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing"], "no such folder"),
        (["."], "no sound files"),
        ([".", "--every", "0"], "--every 0"),
        ([".", "--plugin", "tagz"], "did you mean 'tags'"),
    ],
)
def test_wrong_use(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    cache: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    if "--plugin" in arguments:
        folder_of(tmp_path, 1, 1.0)
    assert main(["index", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_only_bad_files_write_no_index(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "a.wav").write_bytes(b"x")
    assert main(["index", str(tmp_path / "music"), "--no-fingerprints"]) == 2
    assert "nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "usual.index").exists()


def test_without_libchromaprint_it_goes_on_and_says_so(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise NotFetched("fingerprints need libchromaprint: install it")

    monkeypatch.setattr(index, "Chromaprint", missing)
    assert main(["index", str(folder_of(tmp_path / "music", 1, 2.0))]) == 0
    assert "no fingerprints in this index" in capsys.readouterr().err


def test_a_full_disk_is_an_error_and_no_bad_file(tmp_path: Path, cache: Path) -> None:
    music = folder_of(tmp_path / "music", 1, 2.0)
    cache.write_text("a file where the folder should be")
    embedder = Embedder("tags")
    embedder.prepare()
    with pytest.raises(UserError, match="cannot be kept"):
        Builder(embedder, None, cache).build(build.sound_files(music), lambda done, total: None)


def test_what_is_indexed_is_what_is_heard_live(tmp_path: Path) -> None:
    """The vectors of a file do not depend on what was heard before it."""
    music = folder_of(tmp_path / "music", 2, 4.0)
    embedder = Embedder("tags")
    embedder.prepare()
    embedder.vectors(music / "0.flac")
    after = embedder.vectors(music / "1.flac")
    fresh = Embedder("tags")
    fresh.prepare()
    assert np.array_equal(after, fresh.vectors(music / "1.flac"))


def test_an_odd_file_does_not_end_the_work(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    music = folder_of(tmp_path / "music", 2, 3.0)
    soundfile.write(music / "slow.wav", np.zeros(4000, np.float32), 800)
    real = Embedder.vectors

    def vectors(self: Embedder, path: Path, progress: object = None) -> np.ndarray:
        if path.name == "0.flac":
            raise ZeroDivisionError("somebody's plugin")
        return real(self, path)

    monkeypatch.setattr(Embedder, "vectors", vectors)
    capsys.readouterr()
    assert main(["index", str(music), "--json", "-q"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [line for line in found["bad"] if "0.flac: ZeroDivisionError" in line]
    assert found["tracks"] == 2
