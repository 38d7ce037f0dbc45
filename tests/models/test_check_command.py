"""Every causal plugin that comes with the host passes what ``sidechain plugins check`` asks of anybody's."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from realtime.hosting.check import check_plugin
from realtime.hosting.plugin import PluginFactory
from realtime.hosting.registry import GROUP

WANTING = {"silero", "crepe", "pesto", "spot"}
"""Their own tests check them: the weights, or the examples, that they need are not here."""


def causal() -> list[PluginFactory]:
    """The project's own plugins of the fast lane."""
    points = [p for p in entry_points(group=GROUP) if p.value.startswith("models.") and p.name not in WANTING]
    ours = [p.load() for p in points]
    return [p for p in ours if p.descriptor.kind == "frame"]


@pytest.mark.parametrize("factory", causal(), ids=lambda f: str(f.descriptor.identifier))
def test_it_keeps_to_the_contract(factory: PluginFactory) -> None:
    report = check_plugin(factory, seconds=3.0)
    assert report.ok, report.failures
