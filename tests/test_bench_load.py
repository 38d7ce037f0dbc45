"""The load bench: what it counts adds up, and it refuses plugins that are not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from realtime.cli.main import main


def test_shares_add_up_and_go_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "load.json"
    asked = ["--plugins", "level,onset", "--seconds", "2", "--json", str(out)]
    assert main(["bench", "load", *asked]) == 0
    figures = json.loads(out.read_text("utf-8"))["figures"]
    rows = {row["plugin"]: row for row in figures["plugins"]}
    whole = rows.pop("(all of a block)")
    assert set(rows) == {"level", "onset", "(host)"}
    assert all(row["rtf"] > 0 for row in rows.values())
    assert sum(row["rtf"] for row in rows.values()) == pytest.approx(figures["rtf"])
    assert 0 < rows["level"]["p50_us"] <= rows["level"]["p99_us"]
    assert rows["level"]["p50_us"] < whole["p99_us"]
    assert whole["p50_us"] <= whole["p99_us"]
    assert figures["file"]["times_real_time"] > 1
    assert "times_real_time" in capsys.readouterr().out


def test_an_unknown_plugin_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "load", "--plugins", "level,bass"]) == 2
    assert "bass" in capsys.readouterr().err
