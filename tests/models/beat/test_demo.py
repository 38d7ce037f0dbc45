from __future__ import annotations

from pathlib import Path

import numpy as np

import realtime.audio.demo
from models.beat.bench import load_sound, track
from models.beat.features import SAMPLE_RATE
from models.beat.scoring import load_beats
from models.beat.tracker import Tracker
from realtime.preset import TransportSettings

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
