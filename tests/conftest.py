"""Fixtures for all tests."""

from __future__ import annotations

import ctypes
import os
import sys

import pytest
from hypothesis import settings

# how long an example takes says more about the machine than about the code; tests/benchmarks measure
settings.register_profile("sidechain", deadline=None)
# the gate tries the same examples each time; new ones are looked for by whoever runs the tests at a desk
settings.register_profile("gate", deadline=None, derandomize=True)
settings.load_profile("gate" if os.environ.get("CI") else "sidechain")

pytest_plugins = ["tests.fixtures.sound"]


SOUND_SERVERS = {"jack_server", "pulse_server"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for a sound server needs a calm machine: it counts as ``device`` without saying so."""
    for item in items:
        if SOUND_SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("device")


@pytest.fixture(autouse=True)
def whole_numbers() -> None:
    """Denormal numbers exist at the start of each test.

    The first session of onnxruntime makes its thread take them for zero, as the engine wants it. Under pytest that
    thread is everybody's, and hypothesis refuses to make floats there.
    """
    if sys.platform == "linux":
        ctypes.CDLL("libm.so.6").fesetenv(ctypes.c_void_p(-1))  # FE_DFL_ENV
