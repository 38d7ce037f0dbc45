"""The slow lane with real worker processes: what they give, and what they do when they do what they should not."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from realtime.engine import Engine
from realtime.errors import UserError
from realtime.hosting.slow.slot import MOST_FAILURES
from realtime.preset import PluginSettings, Preset
from tests.fixtures.sources import ArraySource
from tests.fixtures.waiting import until
from tests.hosting.slow_plugins import NAUGHTY, Clap, Marks, Rms, Slow
from tests.hosting.slowhost import Hum, SlowHost, slow_host

REPORTED_WITHIN = 2.0


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_results_come_with_their_age_and_cost_and_parameters_act_live() -> None:
    with slow_host(Rms, Clap, source=Hum(2), settings={"rms": {"word": "hello"}}) as host:
        found = host.wait_for("rms.found")
        assert found.value == 8000.0
        assert found.emitted >= found.time
        assert round(found.time * 10, 6) == pytest.approx(round(found.time * 10), abs=0.2)  # on the grid of hops
        host.wait_for("rms.found", count=3)
        assert host.engine.value("rms.label").label == "hello"
        until(lambda: host.engine.value("rms.rms").value == pytest.approx(0.5 / np.sqrt(2), rel=0.01))  # once full
        host.call("plugin.set", plugin="rms", parameter="gain", value=2.0)
        host.call("plugin.set", plugin="rms", parameter="word", value="again")
        until(lambda: host.engine.value("rms.rms").value == pytest.approx(1.0 / np.sqrt(2), rel=0.01))
        until(lambda: host.engine.value("rms.label").label == "again")
        until(lambda: "host.slow.rms.age" in host.engine.values())
        status = host.plugin("rms")
        assert (status["lane"], status["kind"], status["errors"]) == ("slow", "window", 0)
        assert status["pid"] != os.getpid()
        assert status["calls"] >= 3
        until(lambda: host.plugin("rms")["memory_mb"] > 1.0)
        host.call("plugin.enable", plugin="rms", on=False)
        until(lambda: host.plugin("rms")["state"] == "off")
        host.call("plugin.enable", plugin="rms", on=True)
        calls = host.plugin("rms")["calls"]
        until(lambda: host.plugin("rms")["calls"] > calls)
        with pytest.raises(UserError, match="did you mean 'word'"):
            host.call("plugin.set", plugin="rms", parameter="wort", value=1.0)


def test_a_killed_worker_is_reported_replaced_and_missed_by_nobody() -> None:
    with slow_host(Rms, Marks, Clap) as host:
        host.wait_for("rms.found")
        host.wait_for("marks.found")
        victim, other = host.plugin("marks")["pid"], host.plugin("rms")["pid"]
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        said = host.wait_for("host.plugin_error", "'marks' was killed by signal 9")
        assert time.monotonic() - killed < REPORTED_WITHIN
        assert "starting it again in 0.5 s" in (said.label or "")
        marks = len(host.events("marks.found"))
        host.wait_for("marks.found", count=marks + 2)
        assert host.plugin("marks")["pid"] not in (victim, None)
        assert host.plugin("marks")["restarts"] == 1
        assert host.plugin("rms")["pid"] == other
        claps = [e.value for e in host.events("clap.clap")]
        assert claps == [float(n + 1) for n in range(len(claps))]


def naughty_host(*ways: str) -> contextlib.AbstractContextManager[SlowHost]:
    return slow_host(Rms, Clap, *(NAUGHTY[w] for w in ways))


BAD = {
    "exit": "ended by itself (exit status 3)",
    "hang": "hangs: it has not answered for 1 s",
    "sleep": "hangs: it has not answered for 1 s",
    "unfinished": "hangs: it has not answered for 1 s",
    "leak": "MB of memory, more than its 300 MB",
    "bytes": "sends garbage",
    "endless": "sends garbage",
    "die early": "was killed by signal 9",
}


def said_of(host: SlowHost, name: str) -> list[str]:
    return [e.label or "" for e in host.events("host.plugin_error", f"slow plugin '{name}'")]


@pytest.mark.parametrize(
    "ways", [("exit", "hang", "sleep", "unfinished"), ("leak", "bytes", "endless", "die early")]
)
def test_workers_that_must_go_are_replaced_and_nothing_else_is_affected(ways: tuple[str, ...]) -> None:
    with naughty_host(*ways) as host:
        host.wait_for("rms.found")
        pid = host.plugin("rms")["pid"]
        for way in ways:
            name = way.replace(" ", "-")
            host.wait_for("host.plugin_error", f"slow plugin '{name}'", seconds=90.0)
            # on a busy machine its silence may be said first
            until(lambda w=way, n=name: BAD[w] in " ".join(said_of(host, n)), 90.0)
            until(lambda name=name: host.plugin(name)["restarts"] >= 1)
            host.call("plugin.enable", plugin=name, on=False)
        assert (host.plugin("rms")["pid"], host.plugin("rms")["errors"]) == (pid, 0)
        claps = [e.value for e in host.events("clap.clap")]
        assert claps == [float(n + 1) for n in range(len(claps))]


def test_a_plugin_that_fails_again_and_again_is_off_until_somebody_turns_it_on() -> None:
    with naughty_host("exit") as host:
        host.wait_for("host.plugin_error", f"off after {MOST_FAILURES} failures", seconds=90.0)
        assert len(host.events("host.plugin_error", "starting it again")) == MOST_FAILURES - 1
        assert (host.plugin("exit")["enabled"], host.plugin("exit")["state"]) == (False, "off")
        assert host.plugin("exit")["pid"] is None
        host.call("plugin.enable", plugin="exit", on=True)
        host.wait_for("host.plugin_error", "starting it again in 0.5 s", count=2)


def test_what_a_plugin_raises_or_makes_up_is_its_failure_not_its_workers() -> None:
    ways = {
        "raise": "ValueError: no such thing",
        "nan": "is not finite",
        "undeclared": "undeclared output 'other'",
        "huge": "longer than 4096 values",
    }
    with naughty_host(*ways) as host:
        for way, said in ways.items():
            assert "pauses for 0.5 s" in (host.wait_for("host.plugin_error", f"'{way}'").label or "")
            assert said in host.plugin(way)["error"]
            pid = host.plugin(way)["pid"]
            host.wait_for("host.plugin_error", f"'{way}'", count=2)
            assert (host.plugin(way)["pid"], host.plugin(way)["restarts"]) == (pid, 0)
            assert host.engine.value(f"{way}.rms") is None


def test_a_plugin_that_refuses_is_off_with_its_reason_and_a_chatty_one_disturbs_nobody(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with naughty_host("refuse", "print") as host:
        host.wait_for("host.plugin_error", "pip install nowhere")
        assert not host.plugin("refuse")["enabled"]
        assert host.plugin("refuse")["restarts"] == 0
        until(lambda: host.engine.value("print.rms") is not None)
        assert host.plugin("print")["errors"] == 0
    assert "a plugin prints" not in capfd.readouterr().out


def test_one_that_thinks_for_long_leaves_windows_out_and_that_is_said() -> None:
    with slow_host(Slow, Rms, settings={"slow": {"seconds": 0.35}}) as host:
        until(lambda: host.plugin("slow")["drops"] >= 4)
        until(lambda: host.plugin("slow")["lag_ms"] >= 300)
        end = host.engine.value("slow.end")
        assert end is not None
        assert host.plugin("rms")["stalls"] == 0
        until(lambda: host.engine.value("host.slow.slow.age").value > 0)


def test_one_that_wants_more_than_there_is_gets_its_share_and_the_user_is_told() -> None:
    with slow_host(Slow, Rms, settings={"slow": {"seconds": 0.3}}) as host:
        host.engine.slow.cores = 0.2
        host.wait_for("host.message", "slow plugin 'slow' would take 100% of a core; it gets ")
        until(lambda: 0.0 < host.plugin("slow")["duty"] <= 0.2)
        calls, begun = host.plugin("slow")["calls"], time.monotonic()
        until(lambda: host.plugin("slow")["calls"] >= calls + 3)
        assert time.monotonic() - begun > 2.5  # three calls of 0.3 s at a fifth of a core take 4.5 s
        assert host.plugin("rms")["duty"] == 1.0
        host.engine.slow.cores = 4.0
        until(lambda: host.plugin("slow")["duty"] == 1.0)


def test_a_long_silence_is_said_before_the_worker_counts_as_hung() -> None:
    with slow_host(Slow, settings={"slow": {"seconds": 3.0}}) as host:
        said = host.wait_for("host.plugin_error", "has not answered for")
        seconds = float((said.label or "").split()[-2])
        assert 1.5 <= seconds < REPORTED_WITHIN
        until(lambda: host.engine.value("slow.end") is not None)
        assert host.plugin("slow")["restarts"] == 0


def test_nothing_is_left_behind() -> None:
    shared = Path("/dev/shm")
    before = set(shared.iterdir()) if shared.is_dir() else set()
    with slow_host(Rms, Slow, NAUGHTY["hang"]) as host:
        host.wait_for("rms.found")
        host.wait_ready("slow")
        pids = [p["pid"] for p in host.engine.status()["plugins"] if p["pid"]]
        assert len(pids) >= 2
    assert not any(exists(p) for p in pids)
    assert set(shared.iterdir() if shared.is_dir() else ()) <= before


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_workers_end_with_a_host_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "host.py"
    script.write_text(
        "import time\n"
        "from tests.hosting.slow_plugins import Rms, NAUGHTY\n"
        "from tests.hosting.slowhost import slow_host\n"
        "def main():\n"
        "    with slow_host(Rms, NAUGHTY['hang']) as host:\n"
        "        host.wait_for('rms.found')\n"
        "        host.wait_ready('hang')\n"
        "        print(*(p['pid'] for p in host.engine.status()['plugins']), flush=True)\n"
        "        time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    main()\n"
    )
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}
    ) as process:
        assert process.stdout is not None
        pids = [int(p) for p in process.stdout.readline().split()]
        process.kill()
    assert len(pids) == 2
    until(lambda: not any(exists(p) for p in pids))


def test_runs_over_files_call_every_window_in_order_and_always_the_same() -> None:
    x = np.linspace(0.0, 1.0, 96_000)
    plugins = {"marks": Marks, "clap": Clap}

    def run(blocks: tuple[int, ...]) -> list[tuple[float, object]]:
        preset = Preset(name="test", plugins={n: PluginSettings() for n in plugins})
        engine = Engine(preset, ArraySource(x, 48_000, blocks), plugins=plugins, outputs=False)
        engine.run_offline()
        return [(e.time, e.value) for e in engine.events() if e.plugin == "marks"]

    found = run((480,))
    assert [t for t, _ in found] == pytest.approx([0.1 * (n + 1) for n in range(20)])
    assert found == run((777, 12, 5000))
    assert found[9][1] == pytest.approx(float(x[38_400:48_000].mean()), abs=1e-4)


def test_live_windows_are_those_of_a_run_over_the_file() -> None:
    """What is not left out live is what analyze finds: same place, same value."""

    class Ramp(Hum):
        def __init__(self) -> None:
            super().__init__()
            self._tone = np.linspace(0.0, 1.0, 480_000, dtype=np.float32)[:, None]

    with slow_host(Marks, source=Ramp()) as host:
        host.wait_for("marks.found", count=5)
        live = [(e.time, e.value) for e in host.events("marks.found")]
    preset = Preset(name="test", plugins={"marks": PluginSettings()})
    engine = Engine(preset, ArraySource(Ramp()._tone, 48_000), plugins={"marks": Marks}, outputs=False)
    engine.run_offline()
    whole = {round(e.time, 6): e.value for e in engine.events() if e.plugin == "marks"}
    assert all(whole[round(t, 6)] == v for t, v in live if t < 10.0)
