"""Wrong use and bad input: each one clear line on stderr, exit status 2, nothing half-written."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.cli.main import main


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    t = np.arange(24_000) / 48_000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 440 * t), 48_000)
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that the command is refused with."""
    if arguments[:1] == ("live",):
        arguments += ("--osc-in", "off")  # other tests may run beside this one
    status = main(arguments)
    err = capsys.readouterr().err
    assert status == 2, err
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plugns"], ["plugns", "did you mean 'plugins'"]),
        ([], ["COMMAND"]),
        (["plugins", "--jsn"], ["--jsn", "did you mean --json"]),
        (["plugins", "levle"], ["levle", "did you mean 'level'"]),
        (["presets", "show", "djj"], ["djj", "did you mean 'dj'"]),
        (["presets", "copy", "dj", "../x"], ["../x"]),
        (["bench", "lod"], ["lod", "did you mean 'load'"]),
        (["live", "--preset", "nope"], ["unknown preset 'nope'"]),
        (["live", "--osc", "localhost"], ["localhost", "HOST:PORT"]),
        (["live", "--osc", "localhost:0"], ["HOST:PORT"]),
        (["live", "--osc", "localhost:70000"], ["HOST:PORT"]),
        (["live", "--websocket", "8765x"], ["8765x", "HOST:PORT"]),
        (["live", "--seconds", "0"], ["--seconds", "more than 0"]),
        (["live", "--seconds", "nan"], ["--seconds"]),
        (["live", "--seconds", "soon"], ["--seconds", "soon"]),
        (["live", "--channels", "0"], ["--channels"]),
        (["live", "--input", "demo", "--set", "level"], ["PLUGIN.PARAMETER=VALUE"]),
        (["live", "--input", "demo", "--set", "levl.rms_ms=5"], ["levl", "did you mean 'level'"]),
        (["live", "--input", "demo", "--set", "level.rms=5"], ["'rms'", "did you mean 'rms_ms'"]),
        (["live", "--input", "demo", "--set", "level.rms_ms=-5"], ["rms_ms", "between"]),
        (["live", "--input", "demo", "--set", "level.rms_ms=nan"], ["rms_ms"]),
        (["live", "--input", "demo", "--only", "levl"], ["levl", "did you mean 'level'"]),
        (["live", "--input", "demo", "--only", ","], ["--only"]),
        (["live", "--websocket", "off", "--input", "no such device"], ["no such device"]),
        (["analyze"], ["file"]),
    ],
)
def test_each_wrong_use_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    line = refused(capsys, *arguments)
    for word in words:
        assert word in line


def wav_header(rate: int, frames: int) -> bytes:
    size = frames * 2
    riff = b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt "
    return riff + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16) + b"data" + struct.pack("<I", size)


BAD_FILES = {
    "empty.wav": b"",
    "text.wav": b"this is no sound at all, but a letter to a friend\n" * 40,
    "truncated.wav": wav_header(48_000, 48_000) + b"\0\0" * 100,
    "header-only.wav": wav_header(48_000, 0),
    "rate-0.wav": wav_header(0, 1000) + b"\0\0" * 1000,
}


@pytest.mark.parametrize("name", [*BAD_FILES, "missing.wav", "folder"])
@pytest.mark.parametrize("command", ["analyze", "live"])
def test_bad_sound_files(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, command: str) -> None:
    path = tmp_path / name
    if name in BAD_FILES:
        path.write_bytes(BAD_FILES[name])
    elif name == "folder":
        path.mkdir()
    out = tmp_path / "out.jsonl"
    if command == "analyze":
        line = refused(capsys, "analyze", str(path), "--only", "level", "-o", str(out))
        assert not out.exists()
    else:
        line = refused(capsys, "live", "--input", str(path), "--only", "level", "--no-ui", "--websocket", "off")
    assert name in line
    assert sorted(p.name for p in tmp_path.iterdir()) == ([name] if path.exists() else [])


def test_unwritable_output(capsys: pytest.CaptureFixture[str], song: Path, tmp_path: Path) -> None:
    for place in (tmp_path / "no" / "such" / "out.jsonl", Path("/proc/nothing/out.jsonl")):
        line = refused(capsys, "analyze", str(song), "--only", "level", "-o", str(place))
        assert str(place) in line
    assert [p.name for p in tmp_path.iterdir()] == ["song.wav"]


def test_unwritable_recording(capsys: pytest.CaptureFixture[str], song: Path, tmp_path: Path) -> None:
    place = str(tmp_path / "no" / "such" / "set.jsonl")
    line = refused(
        capsys, "live", "--input", str(song), "--only", "level", "--no-ui", "--websocket", "off", "--record", place
    )
    assert place in line


def test_unknown_ending_and_too_few_places(capsys: pytest.CaptureFixture[str], song: Path, tmp_path: Path) -> None:
    assert ".xyz" in refused(capsys, "analyze", str(song), "--only", "level", "-o", str(tmp_path / "out.xyz"))
    assert "folder" in refused(capsys, "analyze", str(song), str(song), "-o", str(tmp_path / "out.jsonl"))


def test_unknown_values(capsys: pytest.CaptureFixture[str], song: Path) -> None:
    line = refused(capsys, "analyze", str(song), "--only", "level", "--outputs", "level.rsm")
    assert "level.rsm" in line
    assert "did you mean 'level.rms'" in line


def test_taken_port(capsys: pytest.CaptureFixture[str], song: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(
            capsys, "live", "--input", str(song), "--only", "level", "--no-ui", "--websocket", f"127.0.0.1:{port}"
        )
    assert str(port) in line


def test_websocket_beyond_this_machine_needs_a_token(capsys: pytest.CaptureFixture[str], song: Path) -> None:
    line = refused(capsys, "live", "--input", str(song), "--only", "level", "--no-ui", "--websocket", "0.0.0.0:0")
    assert "token" in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[plugins.level]\nrms = 5\n", ["'rms'", "did you mean 'rms_ms'"]),
        ("[plugins.levle]\n", ["levle", "did you mean 'level'"]),
        ("[input]\n\nsampel_rate = 5\n", ["line 3", "sampel_rate", "did you mean 'sample_rate'"]),
        ("[input]\nsample_rate = -1\n", ["line 2", "sample_rate"]),
        ("[plugins.level\n", ["TOML", "line 1"]),
        ('[[outputs]]\nkind = "oscc"\n', ["oscc", "did you mean 'osc'"]),
        ('[[outputs]]\nkind = "osc"\nprot = 9000\n', ["prot", "did you mean 'port'"]),
        ('[[outputs]]\nkind = "osc"\nport = 90000\n', ["port"]),
        ('[plugins.level]\n[[routes]]\nsource = "level.rsm"\naddress = "/x"\n', ["level.rsm", "did you mean"]),
        ('[plugins.level]\n[[routes]]\nsource = "level.rms"\naddress = "/x"\nto = ["osk"]\n', ["osk"]),
        ("[plugins.level]\n[transport]\nlow_bpm = 100\nhigh_bpm = 110\n", ["high_bpm"]),
    ],
)
@pytest.mark.parametrize("command", ["live", "check"])
def test_wrong_presets(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, words: list[str], command: str
) -> None:
    path = tmp_path / "my.toml"
    path.write_text(text, encoding="utf-8")
    if command == "check":
        line = refused(capsys, "presets", "check", str(path))
    else:
        line = refused(capsys, "live", "--input", "demo", "--preset", str(path), "--no-ui")
    for word in ["my", *words]:
        assert word in line
