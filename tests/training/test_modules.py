"""Tracker modules: played for real, their rows lie where their notes sound."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.training import modules
from models.training.mix import RATE

ROW = 6 * 2.5 / 125
"""Seconds of a row at the speed and tempo that a MOD begins with."""


def mod(patterns: int) -> bytes:
    """A module whose one sample sounds on every fourth row of every pattern of 64."""
    hit = (100 * np.exp(-np.arange(1000) / 150) * np.sign(np.sin(np.arange(1000) * 0.3))).astype(np.int8)
    header = b"bars".ljust(20, b"\0")
    for k in range(31):
        words = len(hit) // 2 if k == 0 else 0
        header += b"hit".ljust(22, b"\0") + struct.pack(">HBBHH", words, 0, 64, 0, 1)
    header += bytes([patterns, 127]) + bytes(128) + b"M.K."
    note, rest = struct.pack(">HH", 428, 1 << 12), bytes(4)
    rows = b"".join((note if row % 4 == 0 else rest) + 3 * rest for row in range(64))
    return header + rows + hit.tobytes()


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "models.training.modules", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120)


def test_rows_are_told_when_they_sound(tmp_path: Path) -> None:
    (tmp_path / "tune.mod").write_bytes(mod(3))
    played = modules.Player().play(tmp_path / "tune.mod")
    assert len(played.sound) / RATE == pytest.approx(3 * 64 * ROW, abs=0.2)
    time, number, length = played.rows[: 3 * 64].T
    assert np.abs(time - ROW * np.arange(3 * 64)).max() < 0.003
    assert (number == np.arange(3 * 64) % 64).all()
    assert (length == 64).all()
    for k, at in enumerate(time):
        near = np.abs(played.sound[int(at * RATE) : int((at + 0.02) * RATE)]).max()
        assert (near > 0.05) == (k % 4 == 0)


def test_long_ones_become_sound_and_rows_and_what_is_none_is_told(tmp_path: Path) -> None:
    music = tmp_path / "a game"
    music.mkdir()
    (music / "long tune.mod").write_bytes(mod(5))
    (music / "short.mod").write_bytes(mod(1))
    (music / "model.mod").write_bytes(b"not music")
    out = tmp_path / "out"
    done = command(out, "--music", music)
    assert done.returncode == 0, done.stderr
    assert "model.mod: not a module that libopenmpt plays; leave it out" in done.stdout
    assert "1 of 3 modules played" in done.stdout
    assert sorted(p.name for p in out.iterdir()) == ["long_tune.flac", "long_tune.rows"]
    about = soundfile.info(out / "long_tune.flac")
    assert (about.samplerate, about.channels) == (RATE, 1)
    rows = np.loadtxt(out / "long_tune.rows", ndmin=2)
    assert rows[4] == pytest.approx([4 * ROW, 4, 64], abs=0.003)


def test_a_folder_without_modules_is_named(tmp_path: Path) -> None:
    done = command(tmp_path / "out", "--music", tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path}: no modules (.it, .mod, .s3m, .xm); give folders with some\n"


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    with pytest.raises(modules.UserError, match="libopenmpt is missing; install it"):
        modules.Player()
