from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime import preset as presets
from realtime.errors import UserError
from realtime.preset import InputSettings, PluginSettings, Preset, RouteSettings, TransportSettings, dumps, parse


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[input]\ndevise = 'x'\n", ["line 2", "input.devise", "did you mean 'device'"]),
        ("\n[transport]\nlow_bpm = 'fast'\n", ["line 3", "transport.low_bpm", "number"]),
        ("[transport]\nlow_bpm = 100\nhigh_bpm = 120\n", ["high_bpm must be at least"]),
        ("[[routes]]\nsource='a.b'\naddress='/x'\ncurv='exp'\n", ["line 4", "curv", "did you mean 'curve'"]),
        ("[[routes]]\nsource='a.b'\naddress='/x'\n[[routes]]\naddress='/y'\n", ["routes.1.source", "required"]),
        ("[plugin.beat]\n", ["unknown key 'plugin'", "did you mean 'plugins'"]),
        ("[input\n", ["not valid TOML", "line 1"]),
        ("[input]\ngain_db = nan\n", ["gain_db", "finite"]),
        ("[input]\nblock = 1\n", ["line 2", "block", "given 1"]),
    ],
)
def test_a_wrong_preset_names_line_key_and_nearest(text: str, wanted: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        parse(text, "mine.toml")
    message = str(caught.value)
    assert "mine.toml" in message
    assert "\n" not in message
    for part in wanted:
        assert part in message


def test_unknown_preset_names_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECHAIN_CONFIG", str(tmp_path))
    presets.save(Preset(name="club"), presets.user_folder() / "club.toml")
    with pytest.raises(UserError, match="unknown preset 'clubb'; did you mean 'club'"):
        presets.load("clubb")
    assert presets.load("club").name == "club"


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
numbers = st.floats(-50, 50, allow_nan=False)


@given(
    st.builds(
        Preset,
        name=texts.filter(bool),
        description=texts,
        input=st.builds(
            InputSettings, device=texts, gain_db=numbers, channels=st.lists(st.integers(1, 9), max_size=3)
        ),
        plugins=st.dictionaries(
            st.from_regex(r"[a-z]{1,8}", fullmatch=True),
            st.builds(
                lambda on, p: PluginSettings(enabled=on, **p), st.booleans(), st.just({"gain": 1.5, "mode": "x"})
            ),
            max_size=3,
        ),
        transport=st.builds(TransportSettings, phrase_bars=st.integers(1, 64)),
        outputs=st.lists(
            st.fixed_dictionaries({"kind": st.just("osc"), "host": texts, "port": st.integers(1, 9)}), max_size=2
        ),
        routes=st.lists(st.builds(RouteSettings, source=texts, address=texts, invert=st.booleans()), max_size=2),
    )
)
@settings(max_examples=60, deadline=None)
def test_what_is_saved_is_what_is_read(preset: Preset) -> None:
    assert parse(dumps(preset), "x.toml") == preset


def test_saving_keeps_a_backup_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    presets.save(Preset(name="one"), path)
    presets.save(Preset(name="two"), path)
    assert presets.load(str(path)).name == "two"
    assert 'name = "one"' in path.with_suffix(".toml.bak").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p.toml", "p.toml.bak"]


def test_an_unwritable_place_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "p.toml").mkdir()
    (tmp_path / "p.toml" / "x").touch()
    (tmp_path / "p.toml.bak").mkdir()
    (tmp_path / "p.toml.bak" / "x").touch()
    with pytest.raises(UserError, match=r"p\.toml: cannot be written"):
        presets.save(Preset(), tmp_path / "p.toml")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p.toml", "p.toml.bak"]
