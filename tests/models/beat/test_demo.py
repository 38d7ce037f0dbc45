from __future__ import annotations

from pathlib import Path

import numpy as np

import realtime.audio.demo
from models.beat.bench import track
from models.beat.features import SAMPLE_RATE
from models.beat.recordings import load_sound
from models.beat.scoring import load_beats
from models.beat.tracker import Tracker
from realtime.bench.sounds import LoopSource, read_sound
from realtime.engine import Engine
from realtime.preset import PluginSettings, Preset, TransportSettings

DEMO = Path(realtime.audio.demo.__file__).with_name("demo")


def test_the_demo_is_locked_within_four_seconds_and_its_ones_are_right_within_eight():
    truth = load_beats(DEMO / "demo.beats", 2)
    found, _ = track(load_sound(DEMO / "demo.ogg")[: 24 * SAMPLE_RATE], Tracker(), TransportSettings())
    found = found[found[:, 0] < 23]
    beats = truth[(truth[:, 0] > 4) & (truth[:, 0] < 23), 0]
    sent = found[found[:, 0] > 4 - 0.07]
    assert len(sent) == len(beats)
    assert np.max(np.abs(sent[:, 2] - beats)) < 0.07  # at the instant of emission
    ones = truth[(truth[:, 1] == 1) & (truth[:, 0] > 8) & (truth[:, 0] < 23), 0]
    told = found[(found[:, 1] == 1) & (found[:, 0] > 8 - 0.07), 0]
    assert len(told) == len(ones)
    assert np.max(np.abs(told - ones)) < 0.07


def test_the_host_numbers_the_beats_of_the_demo_rightly_from_the_first_that_it_sends():
    source = LoopSource(*read_sound("demo"), seconds=6.0)
    engine = Engine(Preset(name="t", plugins={"beat": PluginSettings()}), source, outputs=False)
    engine.run_offline()
    sent = np.array([(e.time, e.value) for e in engine.events() if e.name == "beat.beat"], np.float64)
    assert len(sent) > 8
    truth = load_beats(DEMO / "demo.beats", 2)
    nearest = np.abs(truth[:, None, 0] - sent[None, :, 0]).argmin(0)
    assert sent[:, 1].tolist() == truth[nearest, 1].tolist()
