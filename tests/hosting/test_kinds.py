"""The further kinds of plugin: called after events, with results, for sound in and out, and on demand."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.bus import Bus
from realtime.engine import Engine
from realtime.errors import UserError
from realtime.hosting.kinds import Latest
from realtime.hosting.plugin import AudioInput, Plugin
from realtime.hosting.slow.slot import SlowSlot
from realtime.hosting.slow.snapshot import received, snapshot
from realtime.hosting.spectral import LogMelSpec
from realtime.outputs.osc_in import command
from realtime.preset import PluginSettings, Preset, parse
from realtime.switching import switch
from tests.fixtures.sources import ArraySource
from tests.fixtures.waiting import until
from tests.hosting.slow_plugins import Clap, Ensemble, Gain, Rms, Snippet, Work, declare
from tests.hosting.slowhost import Hum, slow_host


def over(x: np.ndarray, *kinds: type[Plugin], **settings: dict[str, object]) -> Engine:
    """An engine that has run these plugins over an array at 48 kHz."""
    plugins = {k.descriptor.identifier: k for k in kinds}
    chosen = {n: PluginSettings.model_validate(settings.get(n, {})) for n in plugins}
    engine = Engine(Preset(name="t", plugins=chosen), ArraySource(x, 48_000), plugins=plugins, outputs=False)
    engine.run_offline()
    return engine


def test_lanes_follow_kinds() -> None:
    assert [k.descriptor.lane for k in (Rms, Snippet, Work, Ensemble, Gain)] == ["slow"] * 3 + ["fast"] * 2
    assert Rms.descriptor.kind == "window"
    with pytest.raises(ValueError, match="takes sound"):
        declare("x", LogMelSpec(), kind="event")


# -- event ----------------------------------------------------------------------------------------------------


def test_an_event_plugin_hears_the_sound_around_each_event() -> None:
    x = np.linspace(0.0, 1.0, 240_000)  # 5 s: a sample says when it was
    engine = over(x, Clap, Snippet)
    found = [e for e in engine.events() if e.name == "snippet.found"]
    assert [e.label for e in found] == [f"clap.clap {n} 1600" for n in (1, 2, 3, 4)]
    assert [e.time for e in found] == [1.0, 2.0, 3.0, 4.0]
    # the snippet is the 100 ms that end 50 ms after the event
    assert [e.value for e in found] == pytest.approx([n / 5 for n in (1, 2, 3, 4)], abs=2e-3)
    assert all(0.05 <= e.emitted - e.time < 0.09 for e in found)


def test_an_event_plugin_runs_live_in_its_worker() -> None:
    with slow_host(Clap, Snippet) as host:
        host.wait_ready("snippet")
        host.wait_for("snippet.found", "clap.clap", count=2)
        assert host.plugin("snippet")["pid"] != os.getpid()
        assert host.engine.value("snippet.rms").value == pytest.approx(0.5 * 2 / np.pi, rel=0.05)


def test_a_preset_may_name_other_events() -> None:
    engine = over(np.zeros(96_000), Clap, Snippet, snippet={"sources": ["nobody.*"]})
    assert not [e for e in engine.events() if e.plugin == "snippet"]
    with pytest.raises(UserError, match="'sources' is for event, combine and job"):
        over(np.zeros(480), Rms, rms={"sources": ["clap.clap"]})


# -- combine --------------------------------------------------------------------------------------------------


def test_combine_reads_newest_values_and_events_with_their_age() -> None:
    class Log:
        def __init__(self) -> None:
            self.seen: dict[float, tuple[object, str | None]] = {}

        def event(self, event: object) -> None: ...

        def value(self, name: str, value: object) -> None:
            if name == "ensemble.label":
                self.seen[round(value.time, 3)] = value.label  # type: ignore[attr-defined]

    plugins = {"ensemble": Ensemble, "clap": Clap}
    preset = Preset(name="t", plugins={n: PluginSettings() for n in plugins})
    log = Log()
    engine = Engine(preset, ArraySource(np.zeros(96_000), 48_000), plugins=plugins, tap=log, outputs=False)
    engine.run_offline()
    assert log.seen[0.9] == "clap.level"
    assert log.seen[1.0] == "clap.clap,clap.level"  # it runs after those it reads, whatever the preset's order
    assert log.seen[1.4] == "clap.clap,clap.level"
    assert log.seen[1.6] == "clap.level"  # the event has outlived its time
    assert engine.value("ensemble.rms").value == 202.0  # 200 hops, and the second clap


def test_combine_reads_what_workers_say() -> None:
    with slow_host(Rms, Ensemble, settings={"ensemble": {"sources": ["rms.rms"]}}) as host:
        until(lambda: (v := host.engine.value("ensemble.rms")) is not None and v.value > 0.3, 60.0)


# -- insert ---------------------------------------------------------------------------------------------------


def test_an_insert_writes_its_sound_to_a_file(tmp_path: Path) -> None:
    t = np.arange(48_000) / 48_000
    x = np.stack([0.8 * np.sin(2 * np.pi * 100 * t), 0.4 * np.sin(2 * np.pi * 150 * t)], axis=1)
    engine = over(x, Gain, gain={"to": str(tmp_path / "half.flac")})
    y, rate = soundfile.read(tmp_path / "half.flac")
    assert rate == 48_000
    assert y == pytest.approx(0.5 * x, abs=1e-5)
    assert engine.value("gain.rms").value == pytest.approx(0.8, abs=0.02)


def test_an_insert_records_live(tmp_path: Path) -> None:
    with slow_host(Gain, source=Hum(2), settings={"gain": {"to": str(tmp_path / "live.flac")}}) as host:
        until(lambda: host.plugin("gain")["calls"] > 60)
        assert host.plugin("gain")["sound"]["recording"]
    y, _ = soundfile.read(tmp_path / "live.flac")
    assert len(y) >= 60 * 480
    assert abs(y).max() == pytest.approx(0.25, abs=0.01)


class Wrong(Gain):
    """Returns what is no sound of the right shape."""

    descriptor = declare("wrong", AudioInput(48_000, 1, 480), kind="insert")

    def render(self, block: np.ndarray, time: float) -> np.ndarray:  # type: ignore[override]
        return np.zeros(7, np.float32)


class Underived(Plugin):
    descriptor = declare("underived", AudioInput(48_000, 1, 480), kind="insert")


def test_wrong_inserts_are_refused_or_contained(tmp_path: Path) -> None:
    engine = over(np.zeros(9600), Wrong, wrong={"to": str(tmp_path / "x.flac")})
    assert "sound of shape (7,)" in engine.status()["plugins"][0]["error"]
    with pytest.raises(UserError, match="not derived from InsertPlugin"):
        over(np.zeros(480), Underived)
    with pytest.raises(UserError, match="cannot be written"):
        over(np.zeros(480), Gain, gain={"to": str(tmp_path / "no" / "x.flac")})
    with pytest.raises(UserError, match="'to' is for inserts and jobs"):
        over(np.zeros(480), Rms, rms={"to": "default"})


# -- job ------------------------------------------------------------------------------------------------------


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIDECHAIN_JOBS", str(tmp_path / "jobs"))
    return tmp_path / "jobs"


def test_a_job_runs_tells_its_progress_and_keeps_its_sound(jobs: Path) -> None:
    with slow_host(Work, Clap) as host:
        assert host.plugin("work")["pid"] is None  # nobody has asked yet
        assert host.call("job.start", plugin="work", request={"text": "hello", "steps": 20}) == 1
        with pytest.raises(UserError, match="runs already"):
            host.call("job.start", plugin="work")
        host.wait_for("host.job", "work started")
        host.wait_for("host.job", "work done")
        assert host.wait_for("work.answer").label == "hello"
        assert host.wait_for("work.answer").value == pytest.approx(0.5, abs=0.02)  # it has heard the last second
        sound = host.wait_for("work.sound")
        assert sound.value == 0.5
        y, rate = soundfile.read(str(sound.label))
        assert Path(str(sound.label)).parent == jobs
        assert (rate, len(y)) == (32_000, 16_000)
        assert abs(y).max() == pytest.approx(1.0, abs=0.01)
        until(lambda: host.engine.value("work.progress") is not None)
        assert host.plugin("work")["job"]["state"] == "done"
        pid = host.plugin("work")["pid"]
        assert host.call("job.start", plugin="work") == 2
        host.wait_for("host.job", "work done", count=2)
        assert host.plugin("work")["pid"] == pid  # what it has loaded is still there


def test_jobs_are_cancelled_and_their_failures_said(jobs: Path) -> None:
    with slow_host(Work, Clap) as host:
        host.call("job.start", plugin="work", request={"steps": 100_000})
        host.wait_for("host.job", "work started")
        host.call("job.cancel", plugin="work")
        host.wait_for("host.job", "work cancelled")
        assert not host.events("work.answer")
        pid = host.plugin("work")["pid"]
        host.call("job.start", plugin="work", request={"text": "wrong"})
        host.wait_for("host.job", "work failed: work: 'text' must not be 'wrong'")
        assert host.plugin("work")["pid"] == pid
        host.call("job.start", plugin="work", request={"text": "deaf"})
        host.wait_for("host.job", "work started", count=3)
        host.call("job.cancel", plugin="work")
        host.wait_for("host.job", "work cancelled", count=2)  # it did not listen, and was ended
        assert host.plugin("work")["restarts"] == 0
        host.call("job.start", plugin="work", request={"text": "die"})
        host.wait_for("host.job", "work failed: its worker was killed by signal 9")
        host.call("job.start", plugin="work")
        host.wait_for("host.job", "work done")
        for wrong, said in (
            ({"plugin": "clap"}, "is not a job"),
            ({"plugin": "nobody"}, "no plugin 'nobody'"),
            ({"plugin": "work", "request": {"a": [1]}}, "texts and numbers"),
        ):
            with pytest.raises(UserError, match=said):
                host.call("job.start", **wrong)
        with pytest.raises(UserError, match="does not run"):
            host.call("job.cancel", plugin="work")


def test_a_job_knows_what_its_sources_have_said(jobs: Path) -> None:
    with slow_host(Work, Clap, settings={"work": {"sources": ["clap.*"]}}) as host:
        host.wait_for("clap.clap")
        host.call("job.start", plugin="work", request={"text": "heard"})
        heard = str(host.wait_for("work.answer").label)
        assert re.fullmatch(r"clap\.clap \d+\.0 True, clap\.level \d+\.0 True", heard)
        host.wait_for("host.job", "work done")
        host.call("job.start", plugin="work", request={"steps": 0})
        host.wait_for("host.job", "work done", count=2)


def test_what_goes_along_with_a_job_is_bounded() -> None:
    bus, slot = Bus(), SlowSlot(Work, {}, {}, ("many.*", "work.*"), False)
    for n in range(200):
        bus.set(f"many.v{n:03}", 1.0, float(n))
    bus.set("many.v000", 1.0, tuple(range(500)))
    bus.set("many.v001", 1.0, (1.0, 2.0), "x" * 9000)
    bus.set("work.own", 1.0, 1.0)
    bus.set("other.value", 1.0, 1.0)
    found = received(json.loads(json.dumps(snapshot(bus, slot, 3.0))))
    assert list(found) == [f"many.v{n:03}" for n in range(1, 65)]
    assert found["many.v001"] == Latest(1.0, (1.0, 2.0), "x" * 2000, 2.0)


def test_jobs_over_osc() -> None:
    assert command("/job/work", ()) == ("job.start", {"plugin": "work", "request": {}})
    assert command("/job/work", ("a slow waltz",)) == (
        "job.start", {"plugin": "work", "request": {"text": "a slow waltz"}},
    )  # fmt: skip
    assert command("/job/work", (0.0,)) is None
    assert command("/job/work/cancel", (1.0,)) == ("job.cancel", {"plugin": "work"})


def test_runs_over_files_leave_jobs_alone() -> None:
    assert over(np.zeros(4800), Work, Clap).lane.now == pytest.approx(0.1)


# -- presets --------------------------------------------------------------------------------------------------


def test_settings_that_are_words() -> None:
    preset = parse('[plugins.rms]\nword = ["one", "two"]\n', "x")
    engine = Engine(preset, ArraySource(np.zeros(48_000), 48_000), plugins={"rms": Rms}, outputs=False)
    engine.run_offline()
    assert engine.value("rms.label").label == "one\ntwo"
    for text, said in (("word = 3", "must be text"), ('worte = "x"', "did you mean 'word'")):
        with pytest.raises(UserError, match=said):
            Engine(parse(f"[plugins.rms]\n{text}\n", "x"), ArraySource(np.zeros(1), 48_000), plugins={"rms": Rms})


def test_a_preset_that_is_loaded_live_brings_slow_plugins_and_takes_them_away() -> None:
    plugins = {"clap": Clap, "rms": Rms}
    engine = Engine(Preset(name="a", plugins={"clap": PluginSettings()}), Hum(), plugins=plugins, outputs=False)
    engine.start()
    try:
        assert not engine.slow.running
        switch(engine, Preset(name="b", plugins={n: PluginSettings() for n in plugins}))
        until(lambda: engine.value("rms.rms") is not None, 60.0)
        pid = engine.slots[1].status()["pid"]
        switch(engine, Preset(name="c", plugins={n: PluginSettings(word="x") for n in plugins if n == "rms"}))
        until(lambda: engine.value("rms.label").label == "x")
        assert engine.slots[0].status()["pid"] == pid
        switch(engine, Preset(name="d", plugins={"clap": PluginSettings()}))
        until(lambda: not Path(f"/proc/{pid}").exists())
        until(lambda: engine.value("rms.rms") is None)
    finally:
        engine.stop()
        assert engine.join(30.0)
