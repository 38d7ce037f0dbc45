"""``sidechain plugins new``, ``check`` and ``export`` as their users see them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.cli.main import main
from realtime.hosting.registry import discover

BAD = """
from realtime import AudioInput, Descriptor, Feature, Output, Plugin

class Bad(Plugin):
    descriptor = Descriptor("bad", "Bad", "", "me", "MIT", "1", AudioInput(), (Output("x", "value"),))
    heard = []

    def process(self, block, time):
        self.heard.append(time)
        return [Feature("x", time, len(self.heard) % 3 / 3)]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_new_plugins_are_found_and_pass_their_own_tests(here: Path) -> None:
    for kind in ("frame", "window", "bundle"):
        assert main(["plugins", "new", f"my-{kind}", "--kind", kind]) == 0
    found = discover({f"my-{k}" for k in ("frame", "window", "bundle")}, here)
    assert {e.descriptor.kind if e.descriptor else e.error for e in found.values()} == {"frame", "window"}
    for name, entry in found.items():
        assert entry.descriptor is not None
        assert entry.descriptor.name == name.replace("-", " ").capitalize()
    for path in here.rglob("*"):
        written = path.is_file() and path.suffix != ".onnx" and "__pycache__" not in path.parts
        assert not written or "my-plugin" not in path.read_text(encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
        str(here),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert "6 passed" in ended.stdout, ended.stdout


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["new"], "one name"),
        (["new", "My Plugin"], "for instance 'my-plugin'"),
        (["new", "../x/Y"], "cannot name a plugin"),
        (["new", "there"], "is there already"),
        (["new", "x", "--kind", "fast"], "invalid choice"),
        (["new", "x", "--weights", "w.pt"], "--weights is for 'sidechain plugins export'"),
        (["check"], "which plugin?"),
        (["check", "leval"], "did you mean 'level'"),
        (["check", "./nothing"], "no plugin class"),
        (["check", "level", "--kind", "frame"], "--kind is for 'sidechain plugins new'"),
        (["check", "onset", "--set", "threshold"], "must be PARAMETER=VALUE"),
        (["check", "onset", "--set", "threshold=99"], "must be between"),
        (["export", "a:B"], "MODULE:CLASS FOLDER"),
        (["export", "nothing", "out"], "is not MODULE:CLASS"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], wanted: str
) -> None:
    (here / "there").mkdir()
    (here / "there" / "x").touch()
    assert main(["plugins", *arguments]) == 2
    err = capsys.readouterr().err
    assert wanted in err
    assert len(err.strip().splitlines()) == 1


def test_a_plugin_that_fails_is_status_1(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bad.py").write_text(BAD)
    assert main(["plugins", "check", "bad.py", "--seconds", "0.5"]) == 1
    out = capsys.readouterr().out
    assert "isolation     fail" in out
    assert "of the checks failed" in out


def test_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bad.py").write_text(BAD)
    assert main(["plugins", "check", "bad.py", "level", "--json", "--seconds", "0.5"]) == 1
    bad, level = json.loads(capsys.readouterr().out)
    assert not bad["ok"]
    assert level["ok"], level
    assert {c["state"] for c in level["checks"]} <= {"pass", "warn", "skip"}


def test_a_broken_bundle_is_status_2(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "new", "mine", "--kind", "bundle"]) == 0
    manifest = here / "mine" / "plugin.toml"
    manifest.write_text(
        manifest.read_text().replace('labels = ["low", "mid", "high"]', 'labels = ["low", "high"]')
    )
    capsys.readouterr()
    assert main(["plugins", "check", "mine"]) == 2
    assert "output 'where' has 2 labels, but the model's 'shares' gives 3 values" in capsys.readouterr().err
