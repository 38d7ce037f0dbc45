"""Listings for people and for scripts, help, exit statuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.cli.common import Address, address
from realtime.cli.main import COMMANDS, guarded, main
from realtime.errors import UserError
from realtime.hosting.registry import discover


@pytest.mark.parametrize("command", [c.name for c in COMMANDS])
def test_help_shows_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert "examples:" in out
    assert f"sidechain {command}" in out


def test_top_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(c.name in out for c in COMMANDS)


def test_plugins_json_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--json"]) == 0
    listed = {p["identifier"]: p for p in json.loads(capsys.readouterr().out)}
    assert listed.keys() == discover().keys()
    for plugin in listed.values():
        assert plugin["error"] == ""
        assert plugin["license"]
        assert plugin["latency_ms"] >= 0
        assert plugin["outputs"]
        for parameter in plugin["parameters"]:
            assert parameter["minimum"] <= parameter["default"] <= parameter["maximum"]


def test_one_plugin_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "level"]) == 0
    out = capsys.readouterr().out
    assert "level.rms" in out
    assert "rms_ms" in out


def test_plugins_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    out = capsys.readouterr().out
    for identifier in discover():
        assert identifier in out


def test_presets_listed_shown_copied(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIDECHAIN_CONFIG", str(tmp_path))
    assert main(["presets", "copy", "dj", "party"]) == 0
    capsys.readouterr()
    assert main(["presets", "--json"]) == 0
    listed = {p["name"]: p for p in json.loads(capsys.readouterr().out)}
    assert listed["party"]["own"]
    assert not listed["dj"]["own"]
    assert main(["presets", "show", "party"]) == 0
    assert "[plugins." in capsys.readouterr().out
    assert main(["presets", "copy", "dj", "party"]) == 2


def test_devices_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--json"]) == 0
    for device in json.loads(capsys.readouterr().out):
        assert {"name", "api", "channels", "sample_rate", "default", "loopback"} <= device.keys()


def test_doctor_finds_no_problem_here(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["doctor", "--json"])
    findings = json.loads(capsys.readouterr().out)
    assert [f for f in findings if f["state"] == "problem"] == []
    assert status == 0
    assert all(f["remedy"] for f in findings if f["state"] == "warning" and f["name"] != "cores")


def test_bench_lists_what_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--json"]) == 0
    names = {b["name"] for b in json.loads(capsys.readouterr().out)}
    assert {"capture", "clock", "outputs", "latency", "load"} <= names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9000", Address("127.0.0.1", 9000)),
        ("9000", Address("127.0.0.1", 9000)),
        (":9000", Address("127.0.0.1", 9000)),
        ("[::1]:9000", Address("::1", 9000)),
        ("my-host.local:1", Address("my-host.local", 1)),
    ],
)
def test_addresses(text: str, expected: Address) -> None:
    assert address(text) == expected
    assert address(str(expected)) == expected


def test_faults_of_ours_leave_a_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_log_dir", lambda name: str(tmp_path))

    def broken() -> int:
        raise ZeroDivisionError("this is a test")

    assert guarded(broken) == 1
    err = capsys.readouterr().err.strip()
    assert "this is a test" in err
    assert len(err.splitlines()) == 1
    (written,) = tmp_path.iterdir()
    assert str(written) in err
    assert "ZeroDivisionError" in written.read_text()


def test_errors_of_the_user_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def wrong() -> int:
        raise UserError("first\n  second")

    assert guarded(wrong) == 2
    assert capsys.readouterr().err == "sidechain: first second\n"


def test_interrupt_is_130() -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    assert guarded(interrupted) == 130


@pytest.mark.skipif(os.name != "posix", reason="a pipe that closes is a signal on POSIX only")
def test_a_reader_that_goes_away_is_no_fault() -> None:
    command = [sys.executable, "-m", "realtime.cli.main", "plugins", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err == ""
