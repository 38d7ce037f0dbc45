"""Link with a second peer of the same library, where possible in a network of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from realtime.outputs.link import TOLERANCE, PhaseLock, phase_error
from tests.fixtures.programs import need_module

need_module("link", "link")


@given(st.floats(0, 8), st.floats(0, 8), st.sampled_from([1.0, 3.0, 4.0, 7.0]))
def test_errors_go_the_short_way_round(wanted: float, found: float, quantum: float) -> None:
    error = phase_error(wanted, found, quantum)
    assert -quantum / 2 <= error <= quantum / 2
    assert abs((found + error - wanted) / quantum - round((found + error - wanted) / quantum)) < 1e-9


@given(st.floats(-0.5, 0.5), st.floats(60, 200))
def test_corrections_end_and_stay_small(error: float, tempo: float) -> None:
    lock = PhaseLock(0.02)
    for _ in range(400):
        set_to = lock.tempo(tempo, error)
        assert abs(set_to / tempo - 1.0) <= 0.02 + 1e-12
        error -= 0.25 * (set_to / tempo - 1.0)
    assert abs(error) <= TOLERANCE
    assert lock.tempo(tempo, 0.0) == tempo


def in_own_network(scenario: str) -> dict:
    """Run a scenario of link_scenario.py, with only a loopback where the system allows."""
    command = [sys.executable, "-m", "tests.outputs.link_scenario", scenario]
    own = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if shutil.which("unshare") and shutil.which("ip"):
        probe = subprocess.run([*own, "true"], capture_output=True, check=False)
        if probe.returncode == 0:
            command = own + command
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_peer_follows_tempo_and_bar() -> None:
    found = in_own_network("lead")
    assert found["peers"] == 1
    assert abs(found["tempo"] - 127.0) < 0.5
    assert abs(found["phase_error"]) < 0.05
    assert found["playing"]
    assert not found["playing_after"]
    assert found["jumps"] <= 1


def test_the_clock_follows_a_session() -> None:
    found = in_own_network("follow")
    assert abs(found["bpm"] - 97.0) < 0.1
    assert abs(found["phase_error"]) < 0.06
