"""The trainings of ``make train-NAME``: every command names a module that is there and options that it has."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("beat", "voice", "pitch", "tags", "key", "structure", "drums")


def commands(name: str, work: Path) -> list[list[str]]:
    """What ``make`` would run, a list of words each."""
    told = subprocess.run(
        ["make", "-n", f"train-{name}", f"WORK={work}", "TRAIN=data"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [shlex.split(line) for line in told.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_each_command_of_a_training_is_one_that_there_is(name: str, tmp_path: Path):
    modules = set()
    for words in commands(name, tmp_path):
        if "-m" not in words:
            continue
        module, arguments = words[words.index("-m") + 1], words[words.index("-m") + 2 :]
        spec = importlib.util.find_spec(module)
        assert spec is not None, module
        assert spec.origin is not None, module
        source = Path(spec.origin).read_text()
        for option in (a for a in arguments if a.startswith("--")):
            assert re.search(rf'"{re.escape(option)}"', source), f"{module} has no {option}"
        modules.add(module)
    assert f"models.{name.split('-')[0]}.train" in modules


def test_what_is_there_is_not_made_again(tmp_path: Path):
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / ".done").touch()
    made = [w for words in commands("key", tmp_path) for w in words]
    assert "models.training.render" not in made
    assert "models.key.train" in made
