"""Structure: truth, what a break and its end are heard as, events on bar lines, network step by step, scores."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from models.dsp.offline import drive, prepared
from models.structure.bars import StructureBar
from models.structure.bench import match
from models.structure.export import export
from models.structure.features import SIZE, condense
from models.structure.forms import dress
from models.structure.labels import EVENTS, STATES
from models.structure.network import StructureNet
from models.structure.playing import rows
from models.structure.plugin import Structure
from models.structure.truth import events, recent, spans, states
from models.training.compose.composer import STYLES, compose
from models.training.score import Effect, Hit, Note, Piece, Track
from realtime.hosting.kinds import Latest
from realtime.hosting.plugin import Context, Feature

RATE = 24_000
BEAT = 0.5


def groove(seconds: float, seed: int = 0) -> np.ndarray:
    """Kick, snare, hats, bass and a chord at 120 BPM."""
    rng, t = np.random.default_rng(seed), np.arange(int(seconds * RATE)) / RATE
    kick = np.sin(2 * np.pi * 50 * (t % BEAT) + 4 * np.exp(-(t % BEAT) / 0.02)) * np.exp(-(t % BEAT) / 0.12)
    snare = rng.standard_normal(len(t)) * np.exp(-((t + BEAT) % (2 * BEAT)) / 0.08)
    hat = np.diff(rng.standard_normal(len(t)), prepend=0) * np.exp(-(t % (BEAT / 2)) / 0.015)
    bass = np.sign(np.sin(2 * np.pi * 55 * t)) * 0.2
    return (0.4 * kick + 0.2 * snare + 0.1 * hat + bass + pad(seconds)).astype(np.float32)


def pad(seconds: float) -> np.ndarray:
    """A soft chord."""
    t = np.arange(int(seconds * RATE)) / RATE
    return (0.03 * sum(np.sin(2 * np.pi * f * t) for f in (220.0, 277.2, 329.6))).astype(np.float32)


def heard(sound: np.ndarray) -> list[tuple[float, Feature]]:
    return drive(prepared(Structure), sound)


ALL, BARE = (4.0, 2.0, 4.0, 0.5, 3.0, -10.0), (0.0, 0.0, 0.0, 0.4, 2.0, -20.0)
TRUTH = {
    "duration": 80.0,
    "sections": [
        [0.0, "intro", *BARE, 0.0],
        [8.0, "build", 0.0, 9.0, 0.0, 0.0, 2.0, -12.0, 1.0],
        [16.0, "drop", *ALL, 0.0],
        [32.0, "drop", *ALL, 0.0],
        [40.0, "breakdown", *BARE, 0.0],
        [48.0, "verse", 4.0, 2.0, 0.0, 0.4, 0.0, -13.0, 0.0],  # the beat is back, but not everything
        [56.0, "silence", 0.0, 0.0, 0.0, 0.0, 0.0, -90.0, 0.0],
        [58.0, "drop", *ALL, 0.0],
        [70.0, "outro", 4.0, 0.0, 4.0, 0.0, 0.0, -15.0, 0.0],
    ],
}


def test_truth_in_states_and_events():
    found = [(t, STATES[s]) for t, _, s in spans(TRUTH)]
    assert found == [
        *[(0.0, "breakdown"), (8.0, "build"), (16.0, "drop"), (40.0, "breakdown"), (48.0, "groove")],
        *[(58.0, "drop"), (70.0, "groove")],  # two seconds of silence are part of what was before
    ]
    named = [(t, e) for t, e in events(TRUTH) if e != "change"]
    assert named == [(8.0, "build"), (16.0, "drop"), (40.0, "breakdown"), (48.0, "drop")]
    assert [t for t, e in events(TRUTH) if e == "change"] == [8.0, 16.0, 40.0, 48.0, 58.0, 70.0]
    assert list(states(TRUTH, np.array([1.0, 20.0, 50.0]))) == [0, 3, 2]
    assert list(recent(TRUTH, np.array([15.9, 16.5, 18.0]), dict.fromkeys(EVENTS, (0.0, 1.0)))[:, 1]) == [0, 1, 0]


def test_truth_of_a_piece_is_what_plays_not_what_it_is_called():
    quiet = [[0.0, "drop", *BARE, 0.0], [8.0, "breakdown", *ALL, 0.0]]
    assert [STATES[s] for _, _, s in spans({"duration": 16.0, "sections": quiet})] == ["breakdown", "drop"]


def test_what_plays_is_read_off_the_score():
    times = np.arange(33) * BEAT
    bars = [(4 * k, 4) for k in range(8)]
    piece = Piece("test", "composer", times, bars, sections=[(0.0, "breakdown"), (16.0, "drop")])
    piece.hits = [Hit(float(b), "kick", 1.0) for b in range(16, 32)]
    piece.hits += [Hit(b + 0.5, "hat", 0.5) for b in range(32)]
    piece.tracks = [Track("bass", [Note(float(b), 0.5, 30, 1.0) for b in range(16, 32)])]
    piece.effects = [Effect("riser", 8.0, 16.0)]
    sound = np.repeat([0.01, 0.1], 8 * RATE).astype(np.float32) * np.sin(np.arange(16 * RATE))
    found = rows(piece, sound.astype(np.float32), 0.0, 16.0, RATE)
    assert [(r[0], r[1], r[8]) for r in found] == [(0, "breakdown", 0), (4, "breakdown", 1), (8, "drop", 0)]
    assert [r[2:6] for r in found] == [[0, 0, 4, 0], [0, 0, 4, 0], [4, 0, 4, 0.5]]
    assert found[2][7] - found[0][7] == pytest.approx(20, abs=0.5)


def test_build_ups_rise_in_dressed_pieces():
    rng = np.random.default_rng(5)
    form = [("groove", 4), ("build", 8), ("drop", 4)]
    piece = compose(rng, STYLES["house"], 40, 120, form=form, tame=True)
    dress(rng, piece, form)
    found = rows(piece, np.ones(len(piece.beat_times) * RATE // 2, np.float32), 0.0, piece.duration, RATE)
    assert [r[8] for r in found if r[1] == "build"][-1] == 1
    assert all(r[8] == 0 for r in found if r[1] == "drop")


def test_features_tell_colour_from_attack():
    steady = condense(np.ones((8, 80), np.float32), np.ones(80, np.float32))
    struck = condense(np.tile(np.array([0, 2, 1, 0], np.float32)[:, None], (2, 80)), np.zeros(80, np.float32))
    assert steady.shape == (2, SIZE)
    assert steady[:, 20:45].max() == 0
    assert struck[:, 20:45].min() > 0


def test_a_break_is_low_and_its_end_is_a_drop():
    found = heard(np.concatenate([groove(24), pad(16), groove(12, seed=1)]))
    energy = {round(f.time, 1): f.value for _, f in found if f.output == "energy"}
    full, low, again = (
        np.mean([v for t, v in energy.items() if a < t < z]) for a, z in ((14, 24), (29, 40), (45, 52))
    )
    assert low < full - 0.15
    assert low < again - 0.3
    drops = [f.time for _, f in found if f.output == "drop"]
    assert any(abs(t - 40) < 1.5 for t in drops)
    breaks = [f.time for _, f in found if f.output == "breakdown"]
    assert any(abs(t - 24) < 3 for t in breaks)
    words = [f.label for _, f in found if f.output == "section" and 32 < f.time < 39.5]
    assert set(words) == {"breakdown"}


def test_nothing_happens_in_a_steady_groove():
    found = heard(groove(45))
    assert [f for _, f in found if f.output in ("drop", "breakdown", "build")] == []


def test_silence_has_no_energy():
    energy = [
        f.value
        for _, f in heard(np.concatenate([groove(8), np.zeros(8 * RATE, np.float32)]))
        if f.output == "energy"
    ]
    assert energy[-1] < 0.05


def test_onnx_equals_torch_and_batches_are_free(tmp_path):
    torch.manual_seed(0)
    assert export(StructureNet(), tmp_path / "structure.onnx") <= 1e-4


def test_streams_of_a_batch_do_not_mix():
    torch.manual_seed(0)
    net, x = StructureNet().eval(), torch.rand(20, 3, SIZE)
    x[..., -1] = 1
    with torch.no_grad():
        together, alone = net.initial(3), net.initial(1)
        for frame in x:
            both, together = net(frame, together)
            one, alone = net(frame[1:2], alone)
    assert torch.allclose(both.state[1:2], one.state, atol=1e-5)


def test_scores_use_each_report_once():
    assert match([10.0, 20.0], [10.5, 11.0, 40.0]) == [(10.0, 0)]


class Clock:
    """What the bus would show at an instant: bars of four from zero, and what structure has said so far."""

    def __init__(self, locked: float = 1.0, bpm: float = 120.0) -> None:
        self.locked, self.bpm = locked, bpm
        self.said: dict[str, tuple[float, float | None, str]] = {}
        self.plugin = StructureBar()
        self.plugin.prepare(Context())

    def until(self, start: float, end: float) -> list[tuple[float, Feature]]:
        """Call every 20 ms; events with the instant at which they came."""
        out = []
        for k in range(round(start * 50), round(end * 50)):
            now = k / 50
            phase = now * self.bpm / 240 % 1
            shown = {"locked": self.locked, "bpm": self.bpm, "beats_per_bar": 4.0, "bar_phase": phase}
            results = {f"transport.{n}": Latest(now, v, None, 0.0) for n, v in shown.items()}
            results |= {f"structure.{n}": Latest(t, v, s, now - t) for n, (t, v, s) in self.said.items()}
            out += [(now, f) for f in self.plugin.combine(results, now)]
        return out


def only(found: list[tuple[float, Feature]], output: str) -> list[tuple[float, Feature]]:
    return [(now, f) for now, f in found if f.output == output]


def test_an_event_just_after_the_line_goes_to_that_line_at_once():
    clock = Clock()
    clock.said["drop"] = (10.3, 0.9, "drop")
    (sent,) = only(clock.until(10.6, 14), "drop")
    assert sent[0] == pytest.approx(10.6)
    assert sent[1].time == pytest.approx(10.0)
    assert sent[1].value == 0.9


def test_an_event_just_before_the_line_waits_for_it():
    clock = Clock()
    clock.said["drop"] = (11.5, 0.9, "drop")
    (sent,) = only(clock.until(11.8, 16), "drop")
    assert sent[0] == pytest.approx(12.0, abs=0.021)
    assert sent[1].time == pytest.approx(12.0)


def test_without_a_clock_events_pass_as_they_are():
    clock = Clock(locked=0.0)
    clock.said["drop"] = (11.5, 0.9, "drop")
    found = clock.until(11.8, 13)
    assert only(found, "drop")[0][1].time == 11.5
    assert {f.value for _, f in only(found, "on_bar")} == {0.0}


def test_a_section_goes_to_the_line_at_which_it_began():
    clock = Clock()
    clock.said["section"] = (4.1, None, "build")
    first = clock.until(4.1, 11.5)
    clock.said["section"] = (11.5, None, "drop")  # so it began at about 10
    words = [(now, f.label) for now, f in only(first + clock.until(11.5, 13), "section")]
    changes = [now for (_, a), (now, b) in pairwise(words) if a != b]
    assert changes == [pytest.approx(11.5, abs=0.021)]


def test_a_section_that_begins_with_the_coming_line_waits_for_it():
    clock = Clock(bpm=60.0)
    clock.said["section"] = (8.3, None, "groove")
    first = clock.until(8.3, 11.7)
    clock.said["section"] = (11.7, None, "breakdown")  # so it began at about 10.2, nearer to 12 than to 8
    words = [(now, f.label) for now, f in only(first + clock.until(11.7, 14), "section")]
    changes = [now for (_, a), (now, b) in pairwise(words) if a != b]
    assert changes == [pytest.approx(12.0, abs=0.021)]
    assert words[-1][1] == "breakdown"
