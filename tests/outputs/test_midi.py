"""MIDI through a real JACK server: what a receiver that is no part of this project gets, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import rtmidi

from realtime.bus import Bus, Value
from realtime.errors import UserError
from realtime.outputs import midi_ports
from realtime.outputs.mapping import Mapper
from realtime.outputs.midi import MidiOutput, MidiSettings
from realtime.outputs.midi_in import MidiInput, MidiInSettings
from realtime.outputs.output import GridPoint, Message
from realtime.outputs.registry import check
from realtime.outputs.runner import Runner
from realtime.preset import TransportSettings
from realtime.transport import Transport
from tests.clockdrive import Pulse, Show
from tests.fixtures.midi_receiver import MidiReceiver
from tests.fixtures.sound import JackServer, jack_server

__all__ = ["jack_server"]


class Host:
    def __init__(self) -> None:
        self.calls: list[tuple[str, dict]] = []
        self.called = threading.Event()

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        self.calls.append((method, dict(params)))
        self.called.set()
        if method == "nonsense":
            raise UserError("unknown command 'nonsense'")
        return None

    def value(self, name: str) -> Value | None:
        return None


@pytest.fixture
def receiver(jack_server: JackServer) -> Iterator[MidiReceiver]:
    r = MidiReceiver()
    yield r
    r.close()


def until(done: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        pause.wait(0.005)


def output(**settings: Any) -> MidiOutput:
    port = MidiOutput(
        MidiSettings(port="receiver:in", api="" if settings.get("frames") else "jack", **settings), Host()
    )
    port.open()
    return port


def test_notes_and_controllers_arrive(receiver: MidiReceiver) -> None:
    port = output(clock=False, note_ms=0.0)
    port.send(Message("note:36@10", (1.0,)))
    port.send(Message("note:36@10", (0.0,)))
    port.send(Message("cc:21@1", (0.5,)))
    port.send(Message("bend:@2", (0.5,)))
    until(lambda: len(receiver.got) >= 4)
    assert receiver.bytes() == [b"\x99\x24\x7f", b"\x89\x24\x00", b"\xb0\x15\x40", b"\xe1\x00\x40"]
    assert port.status.sent == 3
    port.send(Message("nonsense", (1.0,)))
    port.send(Message("cc:21@1", ("text",)))
    assert port.status.dropped == 2
    port.close()
    port.close()


def test_notes_end_by_themselves_and_on_stop(receiver: MidiReceiver) -> None:
    port = output(clock=False, note_ms=20.0)
    port.send(Message("note:40@1", (0.8,)))
    until(lambda: (port.on_values({}), len(receiver.got) >= 2)[1])
    assert receiver.bytes()[1] == b"\x80\x28\x00"
    port.send(Message("note:41@1", (0.8,)))
    port.on_stop()
    until(lambda: len(receiver.got) >= 4)
    assert receiver.bytes()[3] == b"\x80\x29\x00"
    port.close()


def test_a_test_is_a_note_and_leaves_the_clock_alone(receiver: MidiReceiver) -> None:
    port = output(note_ms=20.0)
    port.on_test(GridPoint(Fraction(1), Fraction(1, 24), 0.0, 1, 4, 1, 1, 120.0, False, time.monotonic()))
    until(lambda: (port.on_values({}), len(receiver.got) >= 2)[1])
    assert receiver.bytes() == [b"\x99\x24\x66", b"\x89\x24\x00"]
    port.close()


def test_controllers_are_limited_and_the_newest_value_arrives(receiver: MidiReceiver) -> None:
    port = output(clock=False, cc_rate=50.0)
    began = time.monotonic()
    pause = threading.Event()
    for i in range(200):
        port.send(Message("cc:1@1", (i / 199,)))
        pause.wait(0.001)
    took = time.monotonic() - began
    until(lambda: (port.on_values({}), receiver.got and receiver.got[-1][1][2] == 127)[1])
    assert len(receiver.got) <= took * 50 + 3
    port.close()


@pytest.mark.parametrize("frames", [False, True])
def test_the_clock_arrives_whole_and_even(receiver: MidiReceiver, frames: bool) -> None:
    transport = Transport(TransportSettings())
    Show(transport, Pulse(lambda t: 150.0)).run(0.2)
    begin = time.monotonic()

    class Clock:
        running = True

        def host_time_at(self, stream_seconds: float) -> float:
            return stream_seconds + begin

        def stream_seconds(self, host_time: float) -> float:
            return host_time - begin

    runner = Runner(Bus(), transport, Clock(), Host(), Mapper([]), TransportSettings())
    api = "" if frames else "jack"
    output = MidiOutput(MidiSettings(port="receiver:in", api=api, frames=frames), Host())
    runner.add(output)
    runner.start()
    until(lambda: len(receiver.got) >= 24 * 5)
    runner.stop()
    until(lambda: b"\xfc" in receiver.bytes())
    got = receiver.bytes()
    # a machine that stalls for more than a tick makes the clock begin anew, and says so
    assert got.count(b"\xfa") <= 1 + output._clock.restarts
    assert all(b == b"\xf8" for a, b in pairwise(got) if a == b"\xfa")
    ticks = [(f, t) for (f, b), t in zip(receiver.got, receiver.times, strict=True) if b == b"\xf8"]
    spaces = sorted(b - a for (_, a), (_, b) in pairwise(ticks))
    block = 128 / 48000
    assert abs(spaces[len(spaces) // 2] - 60.0 / 150 / 24) <= block
    if frames:  # not where a block happens to begin, as without: a tick is 6.25 blocks
        assert len({f % 128 for f, _ in ticks}) > 3


def test_a_virtual_port_and_a_port_by_name(jack_server: JackServer) -> None:
    assert midi_ports.systems() == ["jack"]
    wire = midi_ports.open_output("stage clock", "jack", virtual=True)
    assert any("stage clock" in p.name for p in midi_ports.ports("in"))
    wire.close()
    with pytest.raises(UserError, match=r"no MIDI port|there is no"):
        midi_ports.open_output("nobody", "jack")


def test_no_midi_system_is_one_line_and_no_crash(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody-is-here")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    if midi_ports.systems():
        monkeypatch.setattr(midi_ports, "_compiled", dict)
    assert midi_ports.ports("out") == []
    for settings in (MidiSettings(), MidiSettings(virtual=True), MidiSettings(frames=True)):
        with pytest.raises(UserError) as e:
            MidiOutput(settings, Host()).open()
        assert "\n" not in str(e.value)
    assert capfd.readouterr().err == ""


def test_settings_are_checked() -> None:
    with pytest.raises(UserError, match="beat"):
        check({"kind": "midi", "beat": "note:200@1"})
    with pytest.raises(UserError, match="bind"):
        check({"kind": "midi-in", "bind": {"note:20": "transport.nudge ms"}})
    assert check({"kind": "midi-in", "bind": {"note:20": "transport.tap"}}).kind == "midi-in"


def test_keys_and_knobs_act_and_can_be_learned(jack_server: JackServer) -> None:
    host = Host()
    settings = MidiInSettings(
        port="controls",
        api="jack",
        virtual=True,
        bind={
            "note:60@1": "transport.tap",
            "cc:1@1": "plugin.set plugin=a parameter=b value=0..2",
            "cc:2": "nonsense",
        },
    )
    port = MidiInput(settings, host)
    port.open()
    keys = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="keys")
    there = keys.get_ports()
    keys.open_port(next(i for i, n in enumerate(there) if "controls" in n))
    keys.send_message([0x90, 60, 100])
    keys.send_message([0x80, 60, 0])
    keys.send_message([0xB0, 1, 127])
    until(lambda: len(host.calls) >= 2)
    assert host.calls == [("transport.tap", {}), ("plugin.set", {"plugin": "a", "parameter": "b", "value": 2.0})]
    port.learn("transport.double")
    keys.send_message([0xB0, 50, 127])
    until(lambda: "cc:50@1" in port.settings.bind)  # type: ignore[attr-defined]
    keys.send_message([0xB0, 50, 0])
    keys.send_message([0xB0, 50, 127])
    until(lambda: len(host.calls) >= 3)
    assert host.calls[2] == ("transport.double", {})
    keys.send_message([0x93, 7, 127])
    until(lambda: len(host.calls) >= 4)
    assert host.calls[3] == ("input.event", {"name": "note-7-4", "value": 1.0})
    keys.send_message([0xB0, 2, 127])
    until(lambda: port.status.errors == 1)
    assert "nonsense" in port.status.message
    port.close()
    port.close()
    keys.close_port()


def test_a_flood_of_keys_is_dropped_and_counted() -> None:
    blocked = threading.Event()

    class Slow(Host):
        def call(self, method: str, params: Mapping[str, Any]) -> Any:
            blocked.wait(10.0)

    port = MidiInput(MidiInSettings(bind={"note:1@1": "transport.tap"}), Slow())
    for _ in range(1000):
        port.received([0x90, 1, 1])
    assert port.status.dropped >= 800
    port.received([0x90, 1])
    port.received([])
    blocked.set()
    port.close()
