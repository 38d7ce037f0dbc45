"""Activations of a known pulse, in windows as a bundle gives them: the clock follows it."""

from __future__ import annotations

import numpy as np
import pytest

from models.activations.plugin import BeatActivations
from realtime.hosting.kinds import Latest
from realtime.hosting.plugin import Context
from realtime.musical import BeatObservation

RATE, FRAMES, TAIL = 44_100 / 1024, 345, 0.012
HOP = 0.02
BPM = 125.0
BEATS = 0.31 + np.arange(400) * 60 / BPM


def prepared(**parameters: float) -> BeatActivations:
    plugin = BeatActivations()
    defaults = {p.identifier: p.default for p in plugin.descriptor.parameters}
    plugin.prepare(Context(defaults | parameters))
    return plugin


def window(end: float, blind: float = 0.3) -> tuple[float, ...]:
    """What a network says of the 8 s that end at `end`; it knows little of the newest `blind` seconds."""
    times = end - TAIL - (FRAMES - 1 - np.arange(FRAMES)) / RATE
    near = np.exp(-0.5 * ((times[:, None] - BEATS) / 0.02) ** 2)
    beat, downbeat = 0.9 * near.max(axis=1), 0.8 * near[:, ::4].max(axis=1)
    known = np.where(times > end - blind, 0.2, 1.0)
    return tuple(np.stack([0.02 + beat * known, 0.01 + downbeat * known], axis=1).reshape(-1).tolist())


def run(plugin: BeatActivations, begin: float, end: float, every: float = 0.2) -> list[BeatObservation]:
    """Calls each 20 ms; a new window each `every` seconds, 0.1 s after its end."""
    found, latest, due = [], None, begin
    for k in range(round(begin / HOP), round(end / HOP)):
        now = k * HOP
        if now >= due + 0.1:
            latest, due = Latest(due, window(due), None, now - due), due + every
        given = {"beast.activations": latest} if latest else {}
        found += [f.value for f in plugin.combine(given, now)]
    return found


def off_beat(observation: BeatObservation) -> float:
    """Seconds between the believed pulse and the true one."""
    true = (observation.time - BEATS[0]) * BPM / 60
    return ((observation.phase - true + 0.5) % 1 - 0.5) * 60 / BPM


def test_tempo_phase_and_bar_are_found() -> None:
    found = run(prepared(), 0.0, 25.0)
    late = [o for o in found if o.time > 15]
    assert np.allclose([o.tempo for o in late], BPM, rtol=0.02)
    assert np.median(np.abs([off_beat(o) for o in late])) < 0.02
    assert np.mean([o.beats_per_bar == 4 for o in late]) > 0.9
    right = [o.beat_in_bar == int((o.time - BEATS[0]) * BPM / 60) % 4 + 1 for o in late if 0.1 < o.phase < 0.9]
    assert np.mean(right) > 0.9
    assert all(o.evidence for o in late)


def test_it_speaks_for_now_though_it_hears_late() -> None:
    found = run(prepared(), 0.0, 10.0)
    assert [o.time for o in found] == [k * HOP for k in range(500)]


def test_without_activations_there_is_no_evidence() -> None:
    plugin = prepared()
    assert not any(o.evidence for o in run(plugin, 0.0, 0.08))
    run(plugin, 0.0, 10.0)
    (old,) = plugin.combine({}, 30.0)
    assert not old.value.evidence  # type: ignore[attr-defined]


def test_after_a_gap_it_finds_the_pulse_again() -> None:
    plugin = prepared()
    run(plugin, 0.0, 15.0)
    late = [o for o in run(plugin, 40.0, 60.0) if o.time > 52]
    assert np.allclose([o.tempo for o in late], BPM, rtol=0.02)
    assert np.median(np.abs([off_beat(o) for o in late])) < 0.02


def test_reset_forgets_everything() -> None:
    plugin = prepared()
    first = run(plugin, 0.0, 8.0)
    plugin.reset()
    assert run(plugin, 0.0, 8.0) == first


def test_the_work_of_a_call_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = prepared()
    steps: list[float] = []
    real = plugin._decoder.step
    monkeypatch.setattr(plugin._decoder, "step", lambda pulse, end: steps.append(end) or real(pulse, end))
    before = 0
    for k in range(100):
        plugin.combine({"beast.activations": Latest(8.0, window(8.0), None, 0.0)}, 8.0 + k * HOP)
        assert len(steps) - before <= 3
        before = len(steps)
    assert 45 <= len(steps) <= 55  # the newest second, not the eight of the window


@pytest.mark.parametrize("value", [(), (0.5,), (0.5, 0.5, 0.5), 0.5, None])
def test_what_is_no_window_does_no_harm(value: object) -> None:
    plugin = prepared()
    for k in range(10):
        plugin.combine({"beast.activations": Latest(1.0, value, None, 0.0)}, 1.0 + k * HOP)  # type: ignore[arg-type]
