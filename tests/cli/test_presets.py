"""The shipped presets: each one right in every part, each documented, none that needs what is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from realtime import preset as presets
from realtime.cli.build import preset_for, redirect_osc, redirect_osc_in
from realtime.cli.presets import check

SHIPPED = sorted(presets.shipped_folder().glob("*.toml"))
DESIGNED = {"ableton", "dj", "everything", "lighting", "resolume", "speech", "touchdesigner", "vocal"}


def test_all_are_there() -> None:
    assert {p.stem for p in SHIPPED} >= DESIGNED


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_preset_is_right(path: Path) -> None:
    loaded = check(str(path))
    assert loaded.description
    assert loaded.plugins
    assert loaded.outputs


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_saving_changes_nothing(path: Path) -> None:
    loaded = presets.load(str(path))
    assert presets.parse(presets.dumps(loaded), str(path)) == loaded


def test_the_page_on_connecting_names_presets_that_are_there() -> None:
    page = (presets.shipped_folder().parent / "docs" / "connect.md").read_text(encoding="utf-8")
    named = set(re.findall(r"--preset ([a-z][a-z0-9-]*)", page)) - {"mine", "dj-follows"}
    assert named <= {p.stem for p in SHIPPED}
    assert named >= {"dj", "lighting", "link", "os2l", "reaper", "resolume", "touchdesigner"}


def test_only_runs_just_these_plugins() -> None:
    preset = preset_for("dj", "level,voice", ["level.rms_ms=80"])
    assert list(preset.plugins) == ["level", "voice"]
    assert preset.plugins["level"].parameters == {"rms_ms": 80.0}


def test_osc_goes_elsewhere_in_the_same_dialect() -> None:
    before = [{"kind": "osc", "profile": "resolume", "name": "resolume", "offset_ms": -5.0}, {"kind": "osc-in"}]
    after = redirect_osc(before, ["10.0.0.5:7000", "[::1]:7001"])
    assert [(o["kind"], o.get("host"), o.get("port"), o.get("profile")) for o in after] == [
        ("osc", "10.0.0.5", 7000, "resolume"),
        ("osc", "::1", 7001, "resolume"),
        ("osc-in", None, None, None),
    ]
    assert after[0]["name"] == "resolume"
    assert after[0]["name"] != after[1]["name"]
    assert redirect_osc(before, []) == before


def test_osc_commands_come_from_elsewhere() -> None:
    before = [{"kind": "osc"}, {"kind": "osc-in", "port": 9001, "name": "control"}]
    assert redirect_osc_in(before, None) == before
    assert redirect_osc_in(before, "off") == [{"kind": "osc"}]
    assert redirect_osc_in(before, "9002")[1] == before[1] | {"host": "127.0.0.1", "port": 9002}
