"""Slow plugins under the supervisor, as `sidechain live` runs them: they go and come with the engine's process."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from realtime.preset import PluginSettings, Preset
from realtime.supervisor import Supervisor
from tests.fixtures.waiting import until

LOUDEST = str(Path(__file__).resolve().parents[2] / "examples" / "loudest.py")


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_end_and_start_with_the_engine() -> None:
    preset = Preset(name="t", plugins={"level": PluginSettings(), LOUDEST: PluginSettings()})
    host = Supervisor(preset, "demo")

    def slow() -> dict[str, Any]:
        return next((p for p in host.status().get("plugins", []) if p["identifier"] == "loudest"), {})

    host.start()
    try:
        until(lambda: slow().get("calls", 0) > 0, 60.0)
        until(lambda: host.bus.value("loudest.note") is not None)
        engine, worker = host.pid, slow()["pid"]
        assert engine
        assert worker not in (engine, os.getpid())
        os.kill(engine, signal.SIGKILL)
        until(lambda: not exists(worker))
        until(lambda: slow().get("pid") not in (None, worker) and slow().get("calls", 0) > 0, 60.0)
        assert host.restarts == 1
        os.kill(slow()["pid"], signal.SIGKILL)
        killed = time.monotonic()
        reader = host.subscribe()
        said: list[str] = []

        def reported() -> bool:
            said.extend(e.label or "" for e in reader.poll() if e.name == "host.plugin_error")
            said.extend([slow()["error"]] if "killed" in slow().get("error", "") else [])
            return any("killed by signal 9" in s for s in said)

        until(reported)
        assert time.monotonic() - killed < 2.0
        assert host.restarts == 1  # the engine has not noticed
        until(lambda: slow().get("state") == "ready")
        last = slow()["pid"]
    finally:
        host.stop()
    until(lambda: not exists(last))
