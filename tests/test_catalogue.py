"""The catalogue's page is what its data, the plugins and the store make of it, and says nothing that is not so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from realtime.store import entries
from scripts import catalogue


def test_the_page_is_made_of_the_data() -> None:
    assert catalogue.PAGE.read_text(encoding="utf-8") == catalogue.page()


def test_the_data_is_consistent() -> None:
    assert catalogue.faults() == []


def test_every_model_of_the_store_is_in_it() -> None:
    assert {m for row in catalogue.systems() for m in catalogue.models(row)} >= entries.shipped().keys()


def test_a_listed_plugin_is_shown_as_it_declares_itself() -> None:
    page, known = catalogue.page(), catalogue.descriptors()
    for row in catalogue.systems():
        for plugin in row.get("plugins", []):
            descriptor = known[plugin]
            line = next(x for x in page.splitlines() if x.startswith(f"| {row['name']} |"))
            assert f"`{plugin}`" in line
            cells = [cell.strip() for cell in line.split("|")]
            assert any(descriptor.kind in cell.split(", ") for cell in cells)


def test_the_cost_column_says_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {
        "machine": "a machine",
        "plugins": {"vamp": {"call_ms": 0.1437, "share": 0.00346, "every_ms": 50.0}},
    }
    (tmp_path / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
    monkeypatch.setattr(catalogue, "FIGURES", tmp_path / "figures.json")
    lines = {line.split("|")[1].strip(): line for line in catalogue.page().splitlines() if line.startswith("| ")}
    assert "| 0.14 ms, 0.35 % |" in lines["Vamp plugins"]
    assert "| not measured |" in lines["silero-vad"]
    assert "on a machine" in catalogue.page()
    assert catalogue.faults() == []
    figures["plugins"] = {"gone": {"not": "x"}}
    (tmp_path / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
    assert catalogue.faults() == ["figures.json: no row has 'gone'"]


def test_an_unknown_flag_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = catalogue.PAGE.read_bytes()
    assert catalogue.main(["--mesure"]) == 1
    assert "--mesure" in capsys.readouterr().err
    assert catalogue.PAGE.read_bytes() == before
