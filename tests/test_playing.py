"""Sound of jobs on the next downbeat."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from realtime.bench.interference import PacedSource
from realtime.engine import Engine
from realtime.playing import Playing, next_downbeat
from realtime.preset import Preset
from tests.fixtures.waiting import until


def test_the_next_downbeat_in_the_computers_time() -> None:
    engine = Engine(Preset(name="t"), PacedSource(np.zeros((48_000, 1), np.float32), 48_000), outputs=False)
    engine.start()
    try:
        assert next_downbeat(engine) is None  # no clock to follow
        until(lambda: engine.clock.running)
        due = time.monotonic()
        for _ in range(6):
            until(lambda due=due: time.monotonic() >= due)
            engine.call("transport.tap")
            due += 0.5
        until(lambda: engine.transport.timeline.tempo > 0)
        engine.call("transport.lock", {"on": True})
        engine.call("transport.hold", {"on": True})
        at, now = next_downbeat(engine), time.monotonic()
        assert at is not None
        assert now < at < now + 3.0
        timeline = engine.transport.timeline
        beat = timeline.beat_at(engine.clock.stream_seconds(at))
        assert beat == pytest.approx(round(beat), abs=0.02)
        assert timeline.place(round(beat)).beat_in_bar == 1
    finally:
        engine.stop()
        assert engine.join(30.0)


def test_what_cannot_be_played_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    playing = Playing(lambda: None, said.append)
    playing.play("no such device", str(tmp_path / "x.wav"))
    until(lambda: said)
    assert "no such device" in said[0] or "no sound output" in said[0]
    playing.stop()
    playing.stop()
