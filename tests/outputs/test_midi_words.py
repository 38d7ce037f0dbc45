from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import UserError
from realtime.outputs.binding import Binding
from realtime.outputs.midi_clock import CLOCK, CONTINUE, POSITION, START, STOP, TICK, MidiClock, song_position
from realtime.outputs.midi_ports import PortName, match
from realtime.outputs.midi_words import MidiAddress, decode, encode, parse
from realtime.outputs.output import GridPoint

addresses = st.one_of(
    st.builds(MidiAddress, st.sampled_from(["note", "cc"]), st.integers(0, 127), st.integers(0, 15)),
    st.builds(MidiAddress, st.sampled_from(["bend", "pressure", "program"]), st.just(0), st.integers(0, 15)),
)


def test_addresses_as_people_write_them() -> None:
    assert parse("note:36@10") == MidiAddress("note", 36, 9)
    assert parse("cc:21@1") == MidiAddress("cc", 21, 0)
    assert parse("CC:21") == MidiAddress("cc", 21, 0)
    assert parse("pb@1") == parse("bend:@1") == MidiAddress("bend", 0, 0)


@pytest.mark.parametrize(
    "text", ["", "note", "note:@1", "note:128@1", "cc:1@17", "cc:1@0", "cc:-1@1", "cc:١@1", "x:1"]
)
def test_wrong_addresses_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="MIDI address"):
        parse(text)


@given(addresses)
def test_addresses_read_back(address: MidiAddress) -> None:
    assert parse(str(address)) == address


@given(addresses, st.floats(-2.0, 3.0))
def test_messages_are_valid_and_read_back(address: MidiAddress, value: float) -> None:
    message = encode(address, value)
    assert 0x80 <= message[0] <= 0xEF
    assert all(0 <= b <= 127 for b in message[1:])
    again = decode(message)
    assert again is not None
    assert again[0] == address
    if address.kind not in ("program",):
        assert abs(again[1] - min(1.0, max(0.0, value))) <= 1 / 127
    if address.kind == "note":
        assert (again[1] > 0) == (value > 0)


@given(st.lists(st.integers(-5, 300), max_size=6))
def test_any_bytes_are_survived(message: list[int]) -> None:
    decode(message)


def point(position: object, beat_in_bar: int = 1, bar: int = 1, metre: int = 4) -> GridPoint:
    return GridPoint(position, TICK, 0.0, beat_in_bar, metre, bar, 1, 120.0, True, 0.0)  # type: ignore[arg-type]


def bar_of_ticks(clock: MidiClock, first: int, beats: int, metre: int = 4, start_in_bar: int = 1) -> list[int]:
    """Status bytes of some beats of ticks."""
    out = []
    for beat in range(beats):
        for tick in range(24):
            in_bar = (start_in_bar - 1 + beat) % metre + 1
            bar = 1 + (start_in_bar - 1 + beat) // metre
            out += [m[0] for m in clock.point(point((first + beat) + tick * TICK, in_bar, bar, metre))]
    return out


def test_start_falls_on_the_downbeat_and_only_once() -> None:
    clock = MidiClock()
    out = bar_of_ticks(clock, 7, 12, start_in_bar=3)
    assert out.count(CLOCK) == 12 * 24
    assert out.count(START) == 1
    assert out.index(START) == 48
    assert out[49] == CLOCK
    assert [m[0] for m in clock.stop()] == [STOP]
    assert clock.stop() == []
    assert START in bar_of_ticks(clock, 30, 1)


def test_a_shifted_bar_restarts_on_its_downbeat() -> None:
    clock = MidiClock()
    bar_of_ticks(clock, 0, 8)
    out = bar_of_ticks(clock, 8, 6, start_in_bar=3)
    assert [b for b in out if b != CLOCK] == [STOP, START]
    assert out.index(STOP) == 48
    assert clock.restarts == 1


def test_a_jump_restarts_at_the_next_downbeat() -> None:
    clock = MidiClock()
    bar_of_ticks(clock, 0, 4)
    clock.point(point(4 + 10 * TICK, 1))
    out = bar_of_ticks(clock, 5, 7, start_in_bar=2)
    assert [b for b in out if b != CLOCK] == [STOP, START]


def test_position_mode_says_where_in_the_song() -> None:
    clock = MidiClock("position")
    messages = clock.point(point(16 + 0 * TICK, 1, bar=5))
    assert messages == [(POSITION, 64, 0), (CONTINUE,), (CLOCK,)]
    assert song_position(33) == (POSITION, 4, 1)
    assert all(b <= 127 for b in song_position(10**7)[1:])


def test_ticks_only() -> None:
    assert set(bar_of_ticks(MidiClock("none"), 0, 8)) == {CLOCK}


def test_ports_are_found_by_what_people_call_them() -> None:
    names = [
        PortName("alsa", n)
        for n in ("Midi Through:Midi Through Port-0 14:0", "Drum Brute:in 20:0", "Bass:in 24:0")
    ]
    assert match("", names).name.startswith("Midi Through")
    assert match("Drum Brute:in", names).name == "Drum Brute:in 20:0"
    assert match("bass", names).name == "Bass:in 24:0"
    with pytest.raises(UserError, match="several"):
        match(":in", names)
    with pytest.raises(UserError, match="there are: Midi"):
        match("Guitar", names)


def test_bindings() -> None:
    assert Binding.parse("transport.tap").call(1.0) == ("transport.tap", {})
    assert Binding.parse("transport.nudge ms=-10").call(1.0) == ("transport.nudge", {"ms": -10.0})
    method, params = Binding.parse("plugin.set plugin=bands parameter=gain value=2..4").call(0.5)
    assert (method, params) == ("plugin.set", {"plugin": "bands", "parameter": "gain", "value": 3.0})
    assert Binding.parse("transport.hold on=0..1").call(0.7) == ("transport.hold", {"on": True})
    for wrong in ("transport.nudge ms", "transport.nudge ms=a..b", "x ="):
        with pytest.raises(UserError, match="binding"):
            Binding.parse(wrong)
