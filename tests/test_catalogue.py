"""The catalogue's page is what its data, the plugins and the store make of it, and says nothing that is not so."""

from __future__ import annotations

from realtime.hosting import registry
from realtime.store import entries
from scripts import catalogue


def test_the_page_is_made_of_the_data() -> None:
    assert catalogue.PAGE.read_text(encoding="utf-8") == catalogue.page()


def test_the_data_is_consistent() -> None:
    assert catalogue.faults() == []


def test_every_model_of_the_store_is_in_it() -> None:
    assert {row.get("model") for row in catalogue.systems()} >= entries.shipped().keys()


def test_a_listed_plugin_is_shown_as_it_declares_itself() -> None:
    page = catalogue.page()
    for row in catalogue.systems():
        for plugin in row.get("plugins", []):
            descriptor = registry.find(plugin).descriptor
            line = next(x for x in page.splitlines() if x.startswith(f"| {row['name']} |"))
            assert f"`{plugin}`" in line
            assert f"| {descriptor.kind} |" in line
