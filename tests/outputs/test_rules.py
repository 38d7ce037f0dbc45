"""Rules: when they fire, when they may, what they send, and what follows; on a clock of their own."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from realtime import preset as presets
from realtime.bus import Event, Value
from realtime.errors import UserError
from realtime.outputs.output import GridPoint
from realtime.outputs.rules.book import RuleBook
from realtime.outputs.rules.settings import RuleSettings
from realtime.outputs.rules.triggers import euclid

BPM = 120.0
TICK = Fraction(1, 24)


def rule(name: str = "r", **settings: Any) -> RuleSettings:
    return RuleSettings(**({"name": name, "when": {"on": "manual"}, "send": [{"address": "/x"}]} | settings))


class Stage:
    """A rule book on a clock that is moved by hand, 120 BPM, 4 beats a bar, 4 bars a phrase."""

    def __init__(self, *rules: RuleSettings, locked: bool = True, start: int = 1) -> None:
        self.now = 0.0
        self.book = RuleBook(rules, 4, lambda: self.now)
        self.values = {
            "transport.locked": Value(0.0, float(locked), None),
            "transport.bpm": Value(0.0, BPM, None),
            "transport.confidence": Value(0.0, 0.9, None),
        }
        self.position = Fraction(start)
        self.sent: list[tuple[Fraction, str, tuple[float | str, ...]]] = []
        self.poll()

    def take(self, routed: Any) -> None:
        self.sent += [(self.position, m.address, m.values) for _, m in routed]

    def poll(self) -> None:
        self.take(self.book.on_values(self.values, self.now))

    def set(self, name: str, value: float | None, label: str | None = None) -> None:
        self.values[name] = Value(self.now, value, label)
        self.poll()

    def happen(self, name: str, value: float | None = 1.0, label: str | None = None) -> None:
        self.take(self.book.on_events([Event(0, 0.0, 0.0, *name.split("."), value, label)]))

    def play(self, beats: float) -> Stage:
        """Let time pass, tick by tick."""
        end = self.position + Fraction(round(beats * 24), 24)
        while self.position < end:
            beat = math.floor(self.position) - 1
            bar = beat // 4
            point = GridPoint(
                self.position, TICK, 0.0, beat % 4 + 1, 4, bar + 1, bar // 4 + 1, BPM, True, self.now
            )
            if TICK in self.book.grids:
                self.take(self.book.on_grid(point))
            self.poll()
            self.position += TICK
            self.now += 60.0 / BPM / 24
        return self

    def wait(self, seconds: float) -> Stage:
        """Time without music."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.01
            self.poll()
        return self

    @property
    def when(self) -> list[float]:
        return [float(p) for p, _, _ in self.sent]

    @property
    def what(self) -> list[Any]:
        return [v[0] for _, _, v in self.sent]


def test_every_so_many_beats() -> None:
    assert Stage(rule(when={"on": "beats", "every": 2})).play(8).when == [1, 3, 5, 7]
    assert Stage(rule(when={"on": "beats", "every": 0.5, "offset": 0.25})).play(2).when == [1.25, 1.75, 2.25, 2.75]


def test_on_a_beat_of_the_bar_and_from_a_bar_of_the_phrase() -> None:
    assert Stage(rule(when={"on": "beat", "beat": 3})).play(16).when == [3, 7, 11, 15]
    assert Stage(rule(when={"on": "beat", "every_bars": 2})).play(16).when == [1, 9]
    assert Stage(rule(when={"on": "beat", "beat": 2, "from_bar": 4})).play(32).when == [14, 30]
    assert Stage(rule(when={"on": "phrase"})).play(40).when == [1, 17, 33]
    assert Stage(rule(when={"on": "phrase", "every": 2}), start=9).play(40).when == [33]


def test_euclidean_patterns() -> None:
    assert euclid(3, 8) == (True, False, False, True, False, False, True, False)
    stage = Stage(rule(when={"on": "euclid", "pulses": 3, "steps": 8})).play(2)
    assert stage.when == [1, 1.75, 2.5]


@given(st.integers(1, 32), st.integers(1, 32), st.integers(0, 31))
def test_euclidean_pulses_are_all_there_and_even(pulses: int, steps: int, rotate: int) -> None:
    pulses = min(pulses, steps)
    pattern = euclid(pulses, steps, rotate)
    assert sum(pattern) == pulses
    places = [k for k in range(2 * steps) if pattern[k % steps]]
    gaps = {b - a for a, b in pairwise(places)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_events_by_label_and_value() -> None:
    when = {"on": "event", "source": "drums.hit", "label": "kick", "at_least": 0.5}
    stage = Stage(rule(when=when, send=[{"address": "/x", "values": [{"trigger": [0, 100]}]}]))
    for value, label in ((0.75, "kick"), (0.2, "kick"), (0.9, "snare")):
        stage.happen("drums.hit", value, label)
    assert stage.what == [75.0]
    ends = Stage(rule(when={"on": "event", "source": "voice.active", "at_most": 0}))
    ends.happen("voice.active", 1.0)
    ends.happen("voice.active", 0.0)
    assert len(ends.sent) == 1


def test_crossings_tempo_silence_and_lock() -> None:
    up = Stage(rule(when={"on": "crossing", "source": "bands.low", "level": 0.5, "hysteresis": 0.2}))
    for x in (0.9, 0.1, 0.6, 0.4, 0.6, 0.2, 0.5):
        up.set("bands.low", x)
    assert len(up.sent) == 2
    tempo = Stage(rule(when={"on": "tempo", "by": 2.0}))
    for bpm in (120.0, 121.0, 122.5, 123.0, 120.0):
        tempo.set("transport.bpm", bpm)
    assert len(tempo.sent) == 2
    silence = Stage(rule(when={"on": "silence", "seconds": 2.0}), locked=False)
    silence.set("level.rms", -80.0)
    assert len(silence.wait(1.9).sent) == 0
    assert len(silence.wait(5.0).sent) == 1
    silence.set("level.rms", -20.0)
    silence.set("level.rms", -80.0)
    assert len(silence.wait(3.0).sent) == 2
    unlock = Stage(rule(when={"on": "unlock"}), locked=False)
    unlock.happen("transport.locked", None)
    unlock.happen("transport.unlocked", None)
    assert len(unlock.sent) == 1


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"confidence": 0.8}, True),
        ({"confidence": 0.95}, False),
        ({"bpm": [100, 130]}, True),
        ({"bpm": [130, 200]}, False),
        ({"section": ["chorus"]}, True),
        ({"section": ["verse"]}, False),
        ({"values": {"bands.low": [0.4, 1.0]}}, True),
        ({"values": {"bands.low": [0.6, 1.0]}}, False),
        ({"values": {"not.there": [0.0, 1.0]}}, False),
        ({"probability": 0.0}, False),
    ],
)
def test_conditions(condition: dict[str, Any], holds: bool) -> None:
    stage = Stage(rule(when={"on": "event", "source": "onset.onset"}, only_if=condition))
    stage.set("bands.low", 0.5)
    stage.set("structure.section", None, "chorus")
    stage.happen("onset.onset")
    assert bool(stage.sent) == holds


def test_nothing_before_the_lock_unless_asked() -> None:
    for unlocked in (False, True):
        stage = Stage(
            rule(when={"on": "event", "source": "onset.onset"}, only_if={"unlocked": unlocked}), locked=False
        )
        stage.happen("onset.onset")
        assert bool(stage.sent) == unlocked


def test_chance_is_seeded() -> None:
    def run(seed: int) -> list[float]:
        return Stage(rule(when={"on": "beats"}, seed=seed, only_if={"probability": 0.5})).play(64).when

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert 15 < len(run(1)) < 50


def test_slots() -> None:
    def run(slot: Any, beats: int = 12, seed: int = 5) -> list[Any]:
        sends = [{"address": "/x", "values": [slot]}]
        return Stage(rule(when={"on": "beats"}, seed=seed, send=sends)).play(beats).what

    assert run(0.25, 2) == [0.25, 0.25]
    assert run("go", 1) == ["go"]
    assert run({"cycle": ["a", "b", "c"]}, 5) == ["a", "b", "c", "a", "b"]
    shuffled = run({"shuffle": [1, 2, 3]})
    assert [sorted(shuffled[k : k + 3]) for k in (0, 3, 6, 9)] == [[1, 2, 3]] * 4
    assert all(a != b for a, b in pairwise(shuffled))
    assert all(2 <= x <= 3 for x in run({"random": [2, 3]}))
    assert set(run({"random": [1, 3], "whole": True}, 60)) == {1.0, 2.0, 3.0}
    assert set(run({"weighted": [["x", 1], ["never", 0], ["y", 3]]}, 60)) == {"x", "y"}
    assert run({"live": "transport.bpm", "scale": [100, 140, 0, 1]}, 1) == [0.5]
    assert run({"trigger": [5, 10]}, 1) == [10.0]


def test_ramps_run_over_beats_and_end_exactly() -> None:
    sends = [{"address": "/x", "values": [{"ramp": [0, 1], "beats": 2}, "tail"]}]
    stage = Stage(rule(when={"on": "phrase"}, send=sends)).play(4)
    assert stage.what[0] == 0.0
    assert stage.what[-1] == 1.0
    assert stage.what == sorted(stage.what)
    assert 20 <= len(stage.what) <= 50
    assert stage.when[-1] == pytest.approx(3.0, abs=0.1)
    assert {v[1] for _, _, v in stage.sent} == {"tail"}


def test_follow_ups_after_ms_beats_and_bars() -> None:
    then = [
        {"after_beats": 0.5, "send": [{"address": "/half"}]},
        {"after_bars": 1, "send": [{"address": "/bar"}]},
        {"after_ms": 750, "send": [{"address": "/ms"}]},
    ]
    stage = Stage(rule(when={"on": "phrase"}, then=then)).play(8)
    assert {a: float(p) for p, a, _ in stage.sent} == {
        "/x": 1.0,
        "/half": 1.5,
        "/ms": pytest.approx(2.5, abs=0.1),
        "/bar": 5.0,
    }


def test_what_must_end_ends_though_the_clock_stops() -> None:
    stage = Stage(rule(when={"on": "phrase"}, then=[{"after_beats": 2, "send": [{"address": "/off"}]}])).play(1)
    assert [a for _, a, _ in stage.sent] == ["/x"]
    stage.wait(3.0)
    assert [a for _, a, _ in stage.sent] == ["/x", "/off"]


def test_rules_fire_each_other_without_running_away() -> None:
    a = rule("a", then=[{"after_ms": 10, "rule": "b"}])
    b = rule("b", then=[{"after_ms": 10, "rule": "a"}, {"after_ms": 10, "rule": "a"}])
    stage = Stage(a, b)
    stage.book.fire("a")
    stage.wait(1.0)
    assert len(stage.sent) > 10
    assert len(stage.book._later) <= 512
    stage.book.panic()
    stage.wait(0.02)
    count = len(stage.sent)
    stage.wait(0.5)
    assert len(stage.sent) == count


def test_mute_keeps_time_and_place() -> None:
    sends = [{"address": "/x", "values": [{"cycle": [1, 2, 3, 4]}]}]
    stage = Stage(rule(when={"on": "beats"}, send=sends)).play(1)
    stage.book.mute("r", True)
    stage.play(2)
    stage.book.mute("r", False)
    stage.play(1)
    assert stage.what == [1, 4]


def test_twice_and_half_as_often() -> None:
    stage = Stage(rule(when={"on": "beats"}))
    stage.book.scale("r", 2.0)
    stage.poll()
    assert stage.play(2).when == [1, 1.5, 2, 2.5]
    stage.book.scale("r", 0.5)
    stage.book.scale("r", 0.5)
    stage.poll()
    assert stage.play(4).when[4:] == [3, 5]
    with pytest.raises(UserError, match=r"2 or 0\.5"):
        stage.book.scale("r", 3.0)


def test_by_hand_whatever_the_conditions() -> None:
    stage = Stage(rule(only_if={"confidence": 1.0}), locked=False)
    stage.book.fire("r")
    stage.poll()
    assert len(stage.sent) == 1
    assert stage.book.status()[0]["fired"] == 1
    with pytest.raises(UserError, match="no rule 'q'"):
        stage.book.fire("q")


def test_switched_off_rules_rest() -> None:
    stage = Stage(rule(when={"on": "beats"}, enabled=False)).play(2)
    assert stage.sent == []
    stage.book.enable("r", True)
    assert len(stage.play(2).sent) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"when": {"on": "beats", "every": 0.32}},
        {"when": {"on": "nothing"}},
        {"when": {"on": "euclid", "pulses": 9, "steps": 8}},
        {"send": []},
        {"send": [{"address": "/x", "values": [{"weighted": [["a", 0]]}]}]},
        {"then": [{"after_ms": 1, "after_beats": 1, "send": [{"address": "/x"}]}]},
        {"then": [{"after_ms": 1}]},
        {"only_if": {"probability": 2}},
        {"name": "a/b"},
    ],
)
def test_wrong_rules_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rule(**wrong)


def test_books_that_cannot_be() -> None:
    with pytest.raises(UserError, match="two rules"):
        RuleBook([rule("a"), rule("a")])
    with pytest.raises(UserError, match="no rule 'b'"):
        RuleBook([rule("a", then=[{"after_ms": 1, "rule": "b"}])])


steps = st.lists(
    st.one_of(
        st.tuples(st.just("play"), st.floats(0.05, 3.0)),
        st.tuples(st.just("event"), st.floats(allow_nan=True)),
        st.tuples(st.just("value"), st.floats(allow_nan=True)),
        st.tuples(st.just("wait"), st.floats(0.01, 0.5)),
        st.tuples(st.just("lock"), st.floats(0, 1)),
    ),
    max_size=15,
)


@given(steps)
def test_whatever_happens_messages_are_finite_and_few(happenings: list[tuple[str, float]]) -> None:
    onset = {"on": "event", "source": "onset.onset"}
    low = {"on": "crossing", "source": "bands.low", "level": 0.5}
    stage = Stage(
        rule("a", when={"on": "beats", "every": 0.5}, then=[{"after_beats": 1, "rule": "b"}]),
        rule("b", send=[{"address": "/y", "values": [{"ramp": [0, 1], "beats": 1}]}]),
        rule("c", when=onset, send=[{"address": "/z", "values": [{"trigger": [0, 1]}]}]),
        rule("d", when=low, then=[{"after_ms": 5, "rule": "b"}]),
    )
    for kind, x in happenings:
        match kind:
            case "play":
                stage.play(x)
            case "event":
                stage.happen("onset.onset", x)
            case "value":
                stage.set("bands.low", x)
            case "wait":
                stage.wait(x)
            case "lock":
                stage.set("transport.locked", float(x > 0.5))
    assert all(math.isfinite(v) for _, _, values in stage.sent for v in values if isinstance(v, float))


PRESET = """
[[rules]]
name = "flash on the one"
when = { on = "beat", beat = 1, every_bars = 2 }
only_if = { probability = 0.5, bpm = [100, 150], values = { "bands.low" = [0.2, 1.0] } }
send = [
  { address = "/flash", values = [1.0, "now", { cycle = [1, "b"] }, { weighted = [["x", 1], [2, 3]] }] },
  { to = ["lights"], address = "dmx:wash", values = [{ ramp = [1, 0], beats = 2 }] },
]
then = [{ after_beats = 1, send = [{ address = "/f", values = [{ live = "bands.low", scale = [0, 1, 0, 9] }] }] }]

[[rules]]
name = "by hand"
when = { on = "manual" }
send = [{ address = "note:36@10" }]
"""


def test_rules_live_in_presets_and_survive_saving() -> None:
    preset = presets.parse(PRESET, "mine.toml")
    assert [r.name for r in preset.rules] == ["flash on the one", "by hand"]
    assert presets.parse(presets.dumps(preset), "mine.toml") == preset
    with pytest.raises(UserError, match="every_bar"):
        presets.parse(PRESET.replace("every_bars", "every_bar"), "mine.toml")
