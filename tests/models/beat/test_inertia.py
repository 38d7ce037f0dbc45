"""Which pulse is shown while another is believed."""

from __future__ import annotations

import pytest

from models.beat.features import FPS
from models.beat.inertia import Inertia, wrapped
from models.beat.reading import Reading


def _slip_after_glide(to: float, seconds: float) -> float:
    """A hundred beats at 96 BPM, as many seconds on the way to `to`, then half a beat off: what is held on to."""
    inertia, phase, bpm = Inertia(4.0, 24.0, 160.0), 0.0, 96.0
    frames = round(100 * 60 / 96 * FPS)
    for k in range(frames + round(seconds * FPS) + round(2 * FPS)):
        glided = (k - frames) / (seconds * FPS)
        bpm = 96.0 * (to / 96.0) ** min(1.0, max(0.0, glided))
        phase += bpm / 60 / FPS + (0.5 if k == frames + round(seconds * FPS) else 0.0)
        shown = inertia.follow(Reading(k / FPS, phase % 1.0, 60 / bpm, 1.0))
    return abs(wrapped(shown.phase - phase))


def test_an_established_pulse_is_not_given_up_for_its_off_beat():
    assert _slip_after_glide(96.0, 4.0) == pytest.approx(0.5, abs=0.01)


def test_a_slow_change_of_tempo_leaves_it_established():
    assert _slip_after_glide(106.0, 80.0) == pytest.approx(0.5, abs=0.01)


def test_a_belief_that_has_glided_to_another_tempo_is_another_pulse():
    assert _slip_after_glide(106.0, 4.0) == pytest.approx(0.0, abs=0.01)
