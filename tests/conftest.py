"""Fixtures for all tests."""

from __future__ import annotations

from hypothesis import settings

# how long an example takes says more about the machine than about the code; tests/benchmarks measure
settings.register_profile("sidechain", deadline=None)
settings.load_profile("sidechain")

pytest_plugins = ["tests.fixtures.sound"]
