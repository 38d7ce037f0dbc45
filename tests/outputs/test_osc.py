"""OSC out: what arrives at a receiver, when, and in whose dialect."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage

from realtime.bus import Event, Value
from realtime.errors import UserError
from realtime.outputs import dialect
from realtime.outputs.osc import OscOutput, OscSettings
from realtime.outputs.osc_wire import bundles, message
from realtime.outputs.output import GridPoint, Message


class NoHost:
    """A host that an OSC target never asks anything."""

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        raise UserError(method)

    def value(self, name: str) -> Value | None:
        return None


def decode(data: bytes) -> list[tuple[str, tuple[Any, ...], float]]:
    """An independent reading of the OSC 1.0 text: (address, arguments, timetag as Unix time; 0 = at once)."""
    if not data.startswith(b"#bundle\0"):
        address, rest = _string(data)
        tags, rest = _string(rest)
        assert tags[0] == ","
        arguments: list[Any] = []
        for tag in tags[1:]:
            if tag == "s":
                text, rest = _string(rest)
                arguments.append(text)
            else:
                arguments.append(struct.unpack(">f" if tag == "f" else ">i", rest[:4])[0])
                rest = rest[4:]
        assert rest == b""
        return [(address, tuple(arguments), 0.0)]
    seconds, fraction = struct.unpack(">II", data[8:16])
    timetag = 0.0 if (seconds, fraction) == (0, 1) else seconds - 2208988800 + fraction / 2**32
    found, rest = [], data[16:]
    while rest:
        size = struct.unpack(">i", rest[:4])[0]
        assert size % 4 == 0
        found += [(a, v, timetag) for a, v, _ in decode(rest[4 : 4 + size])]
        rest = rest[4 + size :]
    return found


def _string(data: bytes) -> tuple[str, bytes]:
    end = data.index(b"\0")
    after = (end // 4 + 1) * 4
    assert set(data[end:after]) == {0}
    return data[:end].decode(), data[after:]


class Receiver:
    """A UDP socket with its own decoder."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def read(self, timeout: float = 0.2) -> list[tuple[str, tuple[Any, ...], float]]:
        """All that has arrived; waits for the first only."""
        found: list[tuple[str, tuple[Any, ...], float]] = []
        self.socket.settimeout(timeout)
        try:
            while True:
                found += decode(self.socket.recv(65536))
                self.socket.settimeout(0.01)
        except TimeoutError:
            return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.socket.close()


def output(receiver: Receiver, **settings: Any) -> OscOutput:
    found = OscOutput(OscSettings(port=receiver.port, **settings), NoHost())
    found.open()
    return found


def beat(number: int = 1, in_bar: int = 1, **changes: Any) -> GridPoint:
    fields: dict[str, Any] = {
        "position": Fraction(number),
        "step": Fraction(1),
        "time": 0.5 * number,
        "beat_in_bar": in_bar,
        "beats_per_bar": 4,
        "bar": (number - 1) // 4 + 1,
        "phrase": (number - 1) // 16 + 1,
        "tempo": 120.0,
        "locked": True,
        "due": time.monotonic(),
    }
    return GridPoint(**(fields | changes))


def event(name: str, value: float | None = None, label: str | None = None) -> Event:
    plugin, output = name.split(".")
    return Event(0, 1.0, 1.0, plugin, output, value, label)


def values(**named: float) -> dict[str, Value]:
    return {k.replace("__", "."): Value(1.0, v, None) for k, v in named.items()}


def test_a_beat_is_a_pulse_with_numbers(receiver: Receiver) -> None:
    osc = output(receiver, pulse_ms=10)
    osc.on_grid(beat(5, 1))
    got = {a: v for a, v, _ in receiver.read()}
    assert got == {
        "/sidechain/beat": (1.0,),
        "/sidechain/downbeat": (1.0,),
        "/sidechain/beat/number": (5,),
        "/sidechain/beat/in_bar": (1,),
        "/sidechain/bar/number": (2,),
        "/sidechain/phrase/number": (1,),
    }
    time.sleep(0.012)
    osc.on_values({})
    assert {a: v for a, v, _ in receiver.read()} == {"/sidechain/beat": (0.0,), "/sidechain/downbeat": (0.0,)}
    osc.on_grid(beat(6, 2))
    assert "/sidechain/downbeat" not in {a for a, _, _ in receiver.read()}
    assert osc.status.sent == 13


def test_phases_run_from_the_beat_that_was_sent(receiver: Receiver) -> None:
    osc = output(receiver)
    osc.on_grid(beat(7, 3, due=time.monotonic() - 0.25))
    receiver.read()
    osc.on_values(values(transport__bpm=120.0))
    got = {a: v[0] for a, v, _ in receiver.read()}
    assert got["/sidechain/beat/phase"] == pytest.approx(0.5, abs=0.1)
    assert got["/sidechain/bar/phase"] == pytest.approx(2.5 / 4, abs=0.03)


def test_a_phase_never_runs_past_its_beat(receiver: Receiver) -> None:
    osc = output(receiver)
    osc.on_grid(beat(7, 4, due=time.monotonic() - 0.6))
    receiver.read()
    osc.on_values(values(transport__bpm=120.0))
    got = {a: v[0] for a, v, _ in receiver.read()}
    assert 0.99 < got["/sidechain/beat/phase"] <= 1.0
    assert 0.99 < got["/sidechain/bar/phase"] <= 1.0


def test_events_leave_at_once(receiver: Receiver) -> None:
    osc = output(receiver)
    osc.on_events(
        [
            event("onset.onset", 0.75),
            event("drums.hit", 0.5, "kick"),
            event("voice.active", 1.0),
            event("pitch.note", 57.2),
            event("key.key", None, "A minor"),
            event("nobody.knows", 1.0),
        ]
    )
    assert [(a, v) for a, v, _ in receiver.read()] == [
        ("/sidechain/onset", (0.75,)),
        ("/sidechain/drum/kick", (0.5,)),
        ("/sidechain/voice/active", (1,)),
        ("/sidechain/pitch/note", (57,)),
        ("/sidechain/key", ("A minor",)),
    ]


def test_values_are_sent_when_they_change_within_their_rate(receiver: Receiver) -> None:
    osc = output(receiver, rates={"/band/mid": 0.0, "/band/high": 0.1})
    for step in range(3):
        osc.on_values(values(bands__low=0.5, bands__mid=0.1 * step, bands__high=0.1 * step))
        time.sleep(0.04)
    got = [a for a, _, _ in receiver.read()]
    assert got.count("/sidechain/band/low") == 1
    assert got.count("/sidechain/band/high") == 1
    assert "/sidechain/band/mid" not in got


def test_pitch_as_midi_number_and_tags_by_name(receiver: Receiver) -> None:
    osc = output(receiver, prefix="")
    osc.on_values(values(pitch__hz=440.0) | {"tags.Rock & Roll": Value(0.0, 0.25, None)})
    got = {a: v[0] for a, v, _ in receiver.read()}
    assert got["/pitch/midi"] == 69.0
    assert got["/tag/Rock_Roll"] == 0.25
    time.sleep(0.04)
    osc.on_values(values(pitch__hz=0.0))
    assert {a: v[0] for a, v, _ in receiver.read()} == {"/pitch/hz": 0.0}


def test_not_finite_numbers_are_not_sent(receiver: Receiver) -> None:
    osc = output(receiver)
    osc.on_values(values(bands__low=float("nan"), bands__mid=float("inf")))
    osc.on_events([event("onset.onset", float("nan"))])
    assert receiver.read(0.05) == []


def test_bundles_carry_the_time_of_the_beat(receiver: Receiver) -> None:
    osc = output(receiver, bundles=True, ahead_ms=200)
    assert osc.lead == 0.2
    before = time.time()
    osc.on_grid(beat(1, 1))
    got = receiver.read()
    assert len(got) == 6
    assert all(t - before == pytest.approx(0.2, abs=0.02) for _, _, t in got)


def test_routes_send_what_they_say(receiver: Receiver) -> None:
    osc = output(receiver)
    osc.send(Message("/my/fader", (0.25, "up")))
    osc.send(Message("cc:21@1", (64.0,)))
    assert receiver.read() == [("/my/fader", (0.25, "up"), 0.0)]
    assert osc.status.dropped == 1


def test_nobody_there_is_counted_and_healed() -> None:
    receiver = Receiver()
    osc = output(receiver)
    receiver.socket.close()
    for _ in range(4):
        osc.send(Message("/x", (1.0,)))
    assert osc.status.errors > 0
    assert "nobody listens" in osc.status.message
    again = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with again:
        again.bind(("127.0.0.1", receiver.port))
        again.settimeout(1.0)
        osc.send(Message("/x", (2.0,)))
        assert decode(again.recv(1024)) == [("/x", (2.0,), 0.0)]
        osc.send(Message("/x", (3.0,)))
        assert decode(again.recv(1024)) == [("/x", (3.0,), 0.0)]
    assert osc.status.message == ""
    osc.close()
    osc.close()


def test_a_name_that_does_not_resolve_is_said_at_once() -> None:
    osc = OscOutput(OscSettings(host="no such host", port=9000), NoHost())
    with pytest.raises(UserError, match="no such host:9000"):
        osc.open()


@pytest.mark.parametrize("name", dialect.names())
def test_every_dialect_sends_what_its_file_says(name: str, receiver: Receiver) -> None:
    osc = output(receiver, profile=name)
    osc.on_grid(beat(4, 4))
    osc.on_grid(beat(17, 1))
    bus = {"transport.bpm": 128.0, "transport.confidence": 0.9, "transport.locked": 1.0, "level.rms": -30.0}
    bus |= {f"bands.{b}": 0.5 for b in ("low", "mid", "high")} | {"voice.probability": 0.1}
    osc.on_values({n: Value(0.0, v, None) for n, v in bus.items()})
    osc.on_events([event("onset.onset", 3.0), event("drums.hit", 0.7, "snare")])
    got = {a: v for a, v, _ in receiver.read()}
    profile = dialect.load(name)
    known = {profile.prefix + dialect.fill(line.address, "", "snare") for line in profile.send}
    assert got
    assert set(got) <= known
    if name == "resolume":
        assert got["/composition/tempocontroller/tempo"][0] == pytest.approx((128 - 20) / 480)
        assert got["/composition/tempocontroller/resync"] == (1,)
    if name in ("qlcplus", "resolume"):
        assert all(0.0 <= v[0] <= 1.0 for v in got.values())
    if name == "qlcplus":
        assert all(isinstance(v[0], float) for v in got.values())
    if name == "reaper":
        assert got == {"/tempo/raw": (128.0,)}
    if name == "ableton":
        assert got == {"/live/song/set/tempo": (128.0,)}


def test_a_dialect_says_where_it_comes_from() -> None:
    for name in dialect.names():
        assert len(dialect.load(name).notes) > 40


def test_bad_profiles_are_one_line(tmp_path: Any) -> None:
    with pytest.raises(UserError, match="unknown OSC profile 'resolum'"):
        dialect.load("resolum")
    path = tmp_path / "mine.toml"
    path.write_text('title = "x"\nport = 1\nnotes = ""\nsend = [{ source = "a.b", address = "/x", rat = 5 }]\n')
    with pytest.raises(UserError, match=r"unknown key .*rat.*'rate'"):
        dialect.load(str(path))


arguments = st.one_of(
    st.floats(width=32, allow_nan=False),
    st.integers(-(2**31), 2**31 - 1),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
)
addresses = st.from_regex(r"\A(/[a-zA-Z0-9_.]{1,12}){1,5}\Z")


@given(addresses, st.lists(arguments, max_size=6))
def test_messages_survive_the_wire(address: str, sent: list[Any]) -> None:
    data = message(address, *sent)
    assert len(data) % 4 == 0
    assert decode(data) == [(address, tuple(sent), 0.0)]
    assert list(OscMessage(data).params) == sent


@given(st.lists(st.tuples(addresses, arguments), min_size=1, max_size=80), st.floats(1.0, 2e9))
def test_bundles_keep_order_and_fit_their_datagrams(content: list[tuple[str, Any]], timetag: float) -> None:
    packets = bundles([message(a, v) for a, v in content], timetag)
    assert all(len(p) <= 1400 for p in packets)
    back = [x for p in packets for x in decode(p)]
    assert [(a, v) for a, v, _ in back] == [(a, (v,)) for a, v in content]
    assert all(t == pytest.approx(timetag, abs=1e-5) for _, _, t in back)


@pytest.mark.parametrize("wrong", [(2**40,), (1e300,)])
def test_what_does_not_fit_is_refused(wrong: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="/x"):
        message("/x", *wrong)


def test_no_tempo_and_no_phase_before_the_clock_is_locked(receiver: Receiver) -> None:
    osc = output(receiver, profile="resolume")
    osc.on_values(values(transport__bpm=128.0, transport__locked=0.0))
    assert receiver.read(0.05) == []
    time.sleep(0.25)
    osc.on_values(values(transport__bpm=128.0, transport__locked=1.0))
    assert [a for a, _, _ in receiver.read()] == ["/composition/tempocontroller/tempo"]


def test_a_test_beat_is_a_pulse_and_nothing_else(receiver: Receiver) -> None:
    osc = output(receiver)
    osc.on_test(beat(1, 1))
    osc.on_stop()
    assert [(a, v) for a, v, _ in receiver.read()] == [("/sidechain/beat", (1.0,)), ("/sidechain/beat", (0.0,))]
