"""What the README tells a newcomer to type does what it says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import soundfile

from realtime import preset
from realtime.audio.demo import FOLDER
from realtime.cli.main import COMMANDS, build_parser, main

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def told(text: str = README) -> list[list[str]]:
    """Every ``sidechain`` command in a block or table, as arguments."""
    lines = re.findall(r"^(?:.*`)?(sidechain [a-z].*?)(?:`.*|\s{2,}#.*|)$", text, re.MULTILINE)
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.parametrize("arguments", told(), ids=lambda a: " ".join(a)[:50])
def test_commands_are_understood(arguments: list[str]) -> None:
    assert arguments[0] in {c.name for c in COMMANDS}
    filled = [a.replace("HOST:PORT", "127.0.0.1:9000") for a in arguments]
    build_parser(filled[0]).parse_args(filled)


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_presets_and_options_are_those_that_exist() -> None:
    for name in re.findall(r"--preset ([\w./]+)", README):
        path = ROOT / name if name.endswith(".toml") else ROOT / "presets" / f"{name}.toml"
        preset.load(str(path))


def test_plugins_of_ones_own_run_as_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    section = README[README.index("## Write a plugin") :]
    listed, analyzed, _ = told(section)[:3]
    samples, rate = soundfile.read(FOLDER / "demo.ogg", dtype="float32", stop=4 * 48_000)
    soundfile.write(tmp_path / "song.flac", samples, rate)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    assert main(listed) == 0
    assert "silence.silent" in capsys.readouterr().out
    assert main([*analyzed, "--values"]) == 0
    found = {
        (e["plugin"], e["output"]) for e in map(json.loads, (tmp_path / "song.jsonl").read_text().splitlines())
    }
    assert ("spectral-centroid", "hz") in found
