"""Scenarios of test_link, run as a process: prints what was found as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

from realtime.bus import Bus, Value
from realtime.outputs.link import LinkOutput, LinkSettings, phase_error
from realtime.outputs.mapping import Mapper
from realtime.outputs.runner import Runner
from realtime.preset import TransportSettings
from realtime.transport import Transport
from tests.clockdrive import Pulse, Show


class Clock:
    """Stream time that began at `begin`."""

    running = True

    def __init__(self, begin: float) -> None:
        self.begin = begin

    def host_time_at(self, stream_seconds: float) -> float:
        return stream_seconds + self.begin

    def stream_seconds(self, host_time: float) -> float:
        return host_time - self.begin


class Host:
    def __init__(self, transport: Transport, clock: Clock) -> None:
        self.transport, self.clock, self.lock = transport, clock, threading.Lock()

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        with self.lock:
            now = self.clock.stream_seconds(time.monotonic())
            self.transport.advance(now)
            self.transport.act(method.removeprefix("transport."), params, now)

    def value(self, name: str) -> Value | None:
        return None


def peer(tempo: float) -> subprocess.Popen[str]:
    """Another program: a Link peer that answers each line with its state."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.outputs.link_scenario", "peer", str(tempo)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def ask(other: subprocess.Popen[str]) -> dict[str, Any]:
    assert other.stdin is not None
    assert other.stdout is not None
    other.stdin.write("\n")
    return json.loads(other.stdout.readline())


def be_peer(tempo: float) -> None:
    import link

    session = link.Link(tempo)
    session.startStopSyncEnabled = True
    session.enabled = True
    for _ in sys.stdin:
        state = session.captureAppSessionState()
        found = {
            "at": time.monotonic(),
            "phase": state.phaseAtTime(session.clock().micros(), 4.0),
            "tempo": state.tempo(),
            "peers": session.numPeers(),
            "playing": state.isPlaying(),
        }
        print(json.dumps(found), flush=True)


def wait_for_peers(other: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 15.0
    while ask(other)["peers"] < 1 and time.monotonic() < end:
        time.sleep(0.1)


def lead() -> dict[str, Any]:
    transport = Transport(TransportSettings())
    show = Show(transport, Pulse(lambda t: 127.0)).run(1.0)
    clock = Clock(time.monotonic() - show.now)
    runner = Runner(Bus(), transport, clock, Host(transport, clock), Mapper([]), TransportSettings())
    port = LinkOutput(LinkSettings(), Host(transport, clock))
    other = peer(90.0)
    ask(other)
    runner.add(port)
    wait_for_peers(other)
    runner.start()
    time.sleep(4.0)
    errors, found = [], {}
    for _ in range(20):
        found = ask(other)
        at = clock.stream_seconds(found["at"])
        line = transport.timeline
        errors.append(phase_error(4.0 * line.bar_phase(line.beat_at(at)), found["phase"], 4.0))
        time.sleep(0.05)
    runner.stop()
    patience = time.monotonic() + 10.0
    while (after := ask(other))["playing"] and time.monotonic() < patience:
        time.sleep(0.05)
    assert other.stdin is not None
    other.stdin.close()
    other.wait(5.0)
    return found | {"phase_error": median(errors), "jumps": port.jumps, "playing_after": after["playing"]}


def follow() -> dict[str, Any]:
    transport = Transport(TransportSettings())
    clock = Clock(time.monotonic())
    port = LinkOutput(LinkSettings(mode="follow"), Host(transport, clock))
    other = peer(97.0)
    ask(other)
    time.sleep(2.0)  # of two sessions the older one wins, but only if it is older by well over half a second
    port.open()
    wait_for_peers(other)
    time.sleep(4.0)
    errors = []
    for _ in range(20):
        found = ask(other)
        line = transport.timeline
        at = clock.stream_seconds(found["at"])
        errors.append(phase_error(4.0 * line.bar_phase(line.beat_at(at)), found["phase"], 4.0))
        time.sleep(0.05)
    port.close()
    assert other.stdin is not None
    other.stdin.close()
    other.wait(5.0)
    return {"bpm": transport.state().bpm, "phase_error": median(errors)}


if __name__ == "__main__":
    if sys.argv[1] == "peer":
        be_peer(float(sys.argv[2]))
    else:
        print(json.dumps({"lead": lead, "follow": follow}[sys.argv[1]]()))
