"""`sidechain models`: listing, licence first, one line and status 2 when something is wrong."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest

from realtime.cli.main import main

DATA = b"weights" * 100


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "w.bin").write_bytes(DATA)
    store = tmp_path / "store"
    store.mkdir()
    (store / "models.toml").write_text(
        '[[model]]\nname = "mine"\ntitle = "Mine"\nlicense = "CC-BY-NC-4.0"\ncommercial = false\n'
        f"source = 'local'\npath = {str(tmp_path / 'w.bin')!r}\n[[model.files]]\nname = 'w.bin'\n"
        f"size = {len(DATA)}\nsha256 = '{hashlib.sha256(DATA).hexdigest()}'\n"
    )
    monkeypatch.setenv("SIDECHAIN_MODELS", str(store))
    return store


def test_listing_for_people_and_scripts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "silero-vad" in out
    assert "CC-BY-NC-4.0 (not for commercial use)" in out
    assert main(["models", "list", "--json"]) == 0
    listed = {m["name"]: m for m in json.loads(capsys.readouterr().out)}
    assert listed["mine"]["state"] == "missing"
    assert listed["mine"]["commercial"] is False
    assert listed["silero-vad"]["license"] == "MIT"


def test_the_licence_comes_first(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["models", "get", "mine"]) == 2
    said = capsys.readouterr().err
    assert "CC-BY-NC-4.0" in said
    assert "--accept" in said
    assert not (folder / "mine").exists()


def test_get_verify_remove(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "get", "mine", "--accept"]) == 0
    assert (folder / "mine" / "w.bin").read_bytes() == DATA
    assert main(["models", "get", "mine"]) == 0
    assert "already" in capsys.readouterr().out
    assert main(["models", "verify"]) == 0
    (folder / "mine" / "w.bin").write_bytes(b"other")
    assert main(["models", "verify"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["models", "remove", "mine"]) == 0
    assert not (folder / "mine").exists()


def test_unknown_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "get", "nothing"]) == 2
    assert "no model 'nothing'" in capsys.readouterr().err


def test_another_folder(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--folder", str(tmp_path / "empty"), "verify", "silero-vad"]) == 2
    assert "is missing" in capsys.readouterr().out
