from __future__ import annotations

from pathlib import Path

import pytest

from realtime.errors import UserError
from realtime.hosting import registry
from realtime.hosting.plugin import AudioInput, Descriptor, Output, Parameter

GOOD = """
from realtime import AudioInput, Descriptor, Feature, Output, Plugin


class Mine(Plugin):
    descriptor = Descriptor("mine", "Mine", "", "me", "MIT", "1", AudioInput(), (Output("x", "value"),))

    def process(self, block, time):
        return [Feature("x", time, float(block.max()))]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIDECHAIN_PLUGINS", str(tmp_path))
    return tmp_path


def test_a_file_dropped_into_the_user_folder_is_found(folder: Path) -> None:
    (folder / "mine.py").write_text(GOOD)
    entry = registry.discover()["mine"]
    assert entry.descriptor is not None
    assert entry.descriptor.name == "Mine"
    assert registry.find("mine").descriptor.identifier == "mine"
    assert registry.find(str(folder / "mine.py")).descriptor.identifier == "mine"


@pytest.mark.parametrize("broken", ["import nothing_like_this", "def f(:", "raise SystemError('x')"])
def test_a_broken_file_is_listed_with_its_error_and_harms_nobody(folder: Path, broken: str) -> None:
    (folder / "mine.py").write_text(GOOD)
    (folder / "bad.py").write_text(broken)
    found = registry.discover()
    assert found["bad"].error
    assert found["mine"].factory is not None
    with pytest.raises(UserError, match="plugin 'bad' cannot be loaded"):
        registry.find("bad")


def test_a_broken_bundle_is_listed_with_its_error(folder: Path) -> None:
    (folder / "b").mkdir()
    (folder / "b" / "plugin.toml").write_text("[plugin]\n")
    assert "identifier" in registry.discover()["b"].error


def test_unknown_plugins_name_the_nearest(folder: Path) -> None:
    (folder / "mine.py").write_text(GOOD)
    with pytest.raises(UserError, match="unknown plugin 'mime'; did you mean 'mine'"):
        registry.find("mime")


DESCRIPTOR = Descriptor(
    "p", "P", "", "", "MIT", "1", AudioInput(), (Output("x", "value"),),
    (Parameter("gain", "Gain", "dB", -12, 12, 0), Parameter("mode", "Mode", "", 0, 1, 0, ("soft", "hard"))),
)  # fmt: skip


def test_parameters_are_filled_in_and_checked() -> None:
    assert registry.resolve(DESCRIPTOR, {"mode": "hard"}) == {"gain": 0.0, "mode": 1.0}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"gian": 1}, "unknown parameter 'gian'; did you mean 'gain'"),
        ({"gain": 13}, "between -12 and 12 dB (given 13)"),
        ({"gain": "loud"}, "must be a number"),
        ({"gain": True}, "must be a number"),
        ({"gain": float("nan")}, "between"),
        ({"mode": "medium"}, "one of soft, hard"),
    ],
)
def test_wrong_parameters_are_one_clear_line(given: dict[str, object], wanted: str) -> None:
    with pytest.raises(UserError) as caught:
        registry.resolve(DESCRIPTOR, given)
    assert wanted in str(caught.value)
