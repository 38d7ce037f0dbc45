"""OS2L against a server that reads as QLC+ does: each packet must be one JSON object."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.bus import Event, Value
from realtime.errors import UserError
from realtime.outputs.os2l import Os2lOutput, Os2lSettings
from realtime.outputs.os2l_wire import LONGEST, SERVICE, FlatObjects, find_server
from realtime.outputs.output import GridPoint, Message
from realtime.outputs.registry import check
from tests.fixtures.programs import need_module


class Host:
    def __init__(self) -> None:
        self.calls: list[tuple[str, dict]] = []

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        self.calls.append((method, dict(params)))
        if method == "nonsense":
            raise UserError("unknown command 'nonsense'")

    def value(self, name: str) -> Value | None:
        return None


class Lights:
    """A lighting program: every read is parsed as one document, as QLC+ does; what is none is counted."""

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self.got: list[dict] = []
        self.spoilt = 0
        self.line: socket.socket | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self.line, _ = self._listener.accept()
            except OSError:
                return
            while True:
                try:
                    data = self.line.recv(65536)
                except OSError:
                    break
                if not data:
                    break
                try:
                    self.got.append(json.loads(data))
                except ValueError:
                    self.spoilt += 1

    def say(self, text: str) -> None:
        assert self.line is not None
        self.line.sendall(text.encode())

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self.line is not None:
            with contextlib.suppress(OSError):
                self.line.shutdown(socket.SHUT_RDWR)  # a close alone does not wake the thread that reads
            self.line.close()
        self._thread.join(5.0)


def until(done: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        pause.wait(0.005)


@pytest.fixture
def lights() -> Iterator[Lights]:
    program = Lights()
    yield program
    program.close()


@pytest.fixture
def connected() -> Iterator[Callable[..., Os2lOutput]]:
    """Opens outputs, and closes them even when a test fails: their threads would keep the process."""
    opened: list[Os2lOutput] = []

    def connect(port: int, **more: Any) -> Os2lOutput:
        output = Os2lOutput(Os2lSettings(host="127.0.0.1", port=port, **more), Host())
        opened.append(output)
        output.open()
        until(lambda: output.connected)
        return output

    yield connect
    for output in opened:
        output.close()


Connected = Callable[..., Os2lOutput]


def beat(number: int, metre: int = 4, tempo: float = 120.0) -> GridPoint:
    return GridPoint(
        Fraction(number),
        Fraction(1),
        0.0,
        number % metre + 1,
        metre,
        number // metre + 1,
        1,
        tempo,
        True,
        0.0,
    )


def test_beats_arrive_one_a_packet(lights: Lights, connected: Connected) -> None:
    output = connected(lights.port)
    for i in range(8):
        output.on_grid(beat(i, tempo=127.456))
        until(lambda i=i: len(lights.got) == i + 1)
    output.on_events([Event(0, 0.0, 0.0, "transport", "relocated", None, None)])
    output.on_grid(beat(8))
    until(lambda: len(lights.got) == 9)
    output.close()
    assert lights.spoilt == 0
    assert lights.got[1] == {"evt": "beat", "change": False, "pos": 1, "bpm": 127.46, "strength": 0.8}
    assert [g["change"] for g in lights.got] == [True, *[False] * 7, True]
    assert [g["pos"] for g in lights.got] == list(range(9))
    assert all(isinstance(v, (str, int, float, bool)) for g in lights.got for v in g.values())
    assert output.status.sent == 9


def test_routes_press_buttons_and_move_commands(lights: Lights, connected: Connected) -> None:
    output = connected(lights.port)
    for i, message in enumerate(
        [Message("btn:Strobe", (1.0,)), Message("btn:Strobe", (0.0,)), Message("cmd:3", (0.25,))], 1
    ):
        output.send(message)
        until(lambda i=i: len(lights.got) == i)
    output.send(Message("/osc", (1.0,)))
    output.close()
    assert lights.got[0] == {"evt": "btn", "name": "Strobe", "page": "", "state": "on"}
    assert lights.got[1]["state"] == "off"
    assert lights.got[2] == {"evt": "cmd", "id": 3, "param": 25.0}
    assert output.status.dropped == 1


def test_buttons_from_the_lights_act_or_become_events(lights: Lights, connected: Connected) -> None:
    output = connected(
        lights.port, bind={"Tap": "transport.tap", "cmd:1": "transport.nudge ms=-10..10", "Bad": "nonsense"}
    )
    host = output.host
    assert isinstance(host, Host)
    until(lambda: lights.line is not None)
    lights.say('{"evt":"btn","name":"Tap","page":"","state":"on"}{"evt":"btn","name":"Tap","state":"off"}')
    lights.say('\n{"evt":"cmd","id":1,"param":100}  {"evt":"feedback","name":"Blue Wash!","state":"on"}')
    until(lambda: len(host.calls) == 3)
    assert host.calls[0] == ("transport.tap", {})
    assert host.calls[1] == ("transport.nudge", {"ms": 10.0})
    assert host.calls[2] == ("input.event", {"name": "os2l-blue-wash", "value": 1.0})
    lights.say('{"evt":"btn","name":"Bad","state":"on"} rubbish {"evt":{"a":1}} {"no":1}')
    until(lambda: output.status.errors == 1 and output.status.dropped >= 3)
    output.close()


def test_it_connects_again_after_the_lights_restart(connected: Connected) -> None:
    first = Lights()
    output = connected(first.port)
    until(lambda: first.line is not None)
    first.close()
    until(lambda: (output.on_grid(beat(0)), not output.connected)[1])
    output.on_grid(beat(0))
    assert output.status.dropped + output.status.errors > 0
    second = Lights(first.port)
    until(lambda: output.connected)
    output.on_grid(beat(1))
    until(lambda: len(second.got) == 1)
    output.close()
    output.close()
    second.close()


def test_lights_that_do_not_read_never_block_the_outputs(connected: Connected) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        output = connected(deaf.getsockname()[1])
        for i in range(50_000):
            output.on_grid(beat(i))
            if output.status.dropped >= 100:
                break
        assert output.status.dropped >= 100
        assert output.status.errors == 0
        output.close()


def test_wrong_settings() -> None:
    with pytest.raises(UserError, match="bind"):
        check({"kind": "os2l", "host": "x", "bind": {"a": "transport.nudge ms"}})
    with pytest.raises(UserError, match="port"):
        check({"kind": "os2l", "host": "x", "port": 0})


def test_the_lights_are_found_by_themselves(lights: Lights) -> None:
    zeroconf = need_module("zeroconf", "cluster")
    info = zeroconf.ServiceInfo(
        SERVICE, f"lights.{SERVICE}", port=lights.port, parsed_addresses=["127.0.0.1"], server="lights.local."
    )
    with zeroconf.Zeroconf(interfaces=["127.0.0.1"]) as announcer:
        announcer.register_service(info)
        assert find_server(5.0) == ("127.0.0.1", lights.port)


flat = st.dictionaries(
    st.text(max_size=8),
    st.one_of(
        st.text(max_size=20), st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)
    ),
    max_size=5,
)


@given(st.lists(flat, max_size=6), st.integers(1, 50), st.sampled_from(["", " ", "\n", "\r\n"]))
def test_objects_are_read_however_the_stream_is_cut(records: list[dict], size: int, between: str) -> None:
    stream = between.join(json.dumps(r, ensure_ascii=False) for r in records).encode()
    reader = FlatObjects()
    found: list[dict] = []
    for i in range(0, len(stream), size):
        found += reader.feed(stream[i : i + size])
    assert found == records
    assert reader.dropped == 0


@given(st.binary(max_size=300), flat)
def test_rubbish_is_counted_and_what_follows_is_read(rubbish: bytes, record: dict) -> None:
    reader = FlatObjects()
    reader.feed(rubbish)
    reader.feed(b"x" * (LONGEST + 1) + b'"}' + b"x" * (LONGEST + 1))
    assert len(reader._object) <= LONGEST
    assert record in reader.feed(b'"}' + json.dumps(record).encode() * 2)
