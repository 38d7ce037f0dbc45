"""Calibration as its user runs it: through a real sound server with a delay that is known."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from realtime import preset as presets
from realtime.cli.calibrate import with_latency
from realtime.cli.main import main
from tests.fixtures.jackloop import jack_loop
from tests.fixtures.sound import JackServer, jack_server

__all__ = ["jack_server"]

RATE = 48_000
LOOP = ("--output", "JACK: room", "--input", "JACK: room", "--json")


@pytest.fixture(autouse=True)
def own_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIDECHAIN_CONFIG", str(tmp_path))
    return tmp_path / "presets"


@pytest.mark.device
def test_a_known_delay_is_measured_and_set(
    jack_server: JackServer, own_presets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = {}
    for frames in (480, 4800):
        with jack_loop("room", frames):
            assert main(["calibrate", *LOOP]) == 0
        measured[frames] = json.loads(capsys.readouterr().out)
    # Against each other within a millisecond; by itself within two blocks, of which the server's graph makes one.
    step = measured[4800]["input_measured_ms"] - measured[480]["input_measured_ms"]
    assert step == pytest.approx(90.0, abs=1.0)
    assert measured[480]["round_trip_ms"] == pytest.approx(10.0, abs=2000 * 2 * jack_server.block / RATE)
    written = presets.load("dj")
    assert (
        written.input.latency_ms == measured[4800]["latency_ms"] == round(measured[4800]["input_measured_ms"], 1)
    )
    assert Path(measured[4800]["preset"]) == own_presets / "dj.toml"
    assert (own_presets / "dj.toml.bak").exists()


@pytest.mark.device
def test_nothing_heard_is_one_line_and_nothing_is_written(
    jack_server: JackServer, own_presets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with jack_loop("room", 32_640):  # 0.68 s: later than is looked for, before the next click
        assert main(["calibrate", "--clicks", "4", *LOOP]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "clicks were heard" in told.err
    assert not own_presets.exists()


@pytest.mark.parametrize(
    ("before", "comment"),
    [
        ("", ""),
        ('# mine\ndescription = "x"\n\n[plugins.beat]\n', "# mine"),
        ('[input]\ndevice = "a" # this one\n\n[plugins.beat]\n', "# this one"),
        ("[plugins.beat]\n[input]\nlatency_ms = 3 # old\n[[outputs]]\nkind = 'osc'\n", "# old"),
        ('input = { device = "a" }\n', ""),
        ('description = """\n[input]\n"""\n', ""),
    ],
)
def test_only_the_figure_changes(before: str, comment: str) -> None:
    after = with_latency(before, 12.5, "x.toml")
    was = tomllib.loads(before)
    assert presets.parse(after, "x") == presets.parse("", "x").model_copy(
        update={
            name: getattr(
                presets.Preset.model_validate(was | {"input": was.get("input", {}) | {"latency_ms": 12.5}}), name
            )
            for name in ("description", "input", "plugins", "outputs")
        }
    )
    assert comment in after


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--clicks", "2"], "4 to 100"),
        (["--level", "6"], "-60 to 0"),
        (["--preset", "nosuch"], "unknown preset"),
        (["--input", "demo"], "no device"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", *arguments]) == 2
    assert words in capsys.readouterr().err
