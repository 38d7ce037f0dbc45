"""OSC in: which command a message becomes, and what is refused."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from realtime.bus import Value
from realtime.errors import UserError
from realtime.outputs.osc_in import OscInput, OscInSettings, command, parse
from realtime.outputs.osc_wire import bundles, message
from tests.outputs.test_osc import decode


class Desk:
    """A host that notes its commands."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        if params.get("name") == "nope":
            raise UserError("unknown preset 'nope'")
        if params.get("name") == "crash":
            raise RuntimeError("boom")
        self.calls.append((method, dict(params)))

    def value(self, name: str) -> Value | None:
        return {
            "transport.bpm": Value(1.0, 127.5, None),
            "transport.beat": Value(1.0, 17.0, None),
            "transport.state": Value(1.0, None, "locked"),
        }.get(name)


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.002)


@pytest.fixture
def rig() -> Iterator[tuple[Desk, OscInput, socket.socket]]:
    desk = Desk()
    server = OscInput(OscInSettings(port=0), desk)
    server.open()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", server.port))
        sender.settimeout(2.0)
        yield desk, server, sender
    server.close()


def test_every_action(rig: tuple[Desk, OscInput, socket.socket]) -> None:
    desk, server, sender = rig
    wanted: list[tuple[tuple[Any, ...], str, dict[str, Any]]] = [
        (("/tap",), "transport.tap", {}),
        (("/tap", 1.0), "transport.tap", {}),
        (("/nudge", -12.5), "transport.nudge", {"ms": -12.5}),
        (("/double", 1), "transport.double", {}),
        (("/halve",), "transport.halve", {}),
        (("/lock", 1), "transport.lock", {"on": True}),
        (("/lock", 0), "transport.lock", {"on": False}),
        (("/hold", 0.0), "transport.hold", {"on": False}),
        (("/one",), "transport.one", {}),
        (("/resync",), "transport.resync", {}),
        (("/metre", 3), "transport.metre", {"beats": 3}),
        (("/preset", "dj"), "preset.load", {"name": "dj"}),
        (("/param/bands/attack", 4.5), "plugin.set", {"plugin": "bands", "parameter": "attack", "value": 4.5}),
        (("/panic",), "outputs.panic", {}),
        (("/rule/flash", 1.0), "rule.fire", {"name": "flash"}),
        (("/input/pad-1", 0.5), "input.event", {"name": "pad-1", "value": 0.5}),
    ]
    for sent, _, _ in wanted:
        sender.send(message("/sidechain" + sent[0], *sent[1:]))
    until(lambda: len(desk.calls) == len(wanted))
    assert desk.calls == [(m, p) for _, m, p in wanted]
    assert server.status.sent == len(wanted)
    assert server.status.dropped == 0


def test_releasing_a_button_does_nothing(rig: tuple[Desk, OscInput, socket.socket]) -> None:
    desk, _, sender = rig
    sender.send(message("/sidechain/tap", 0.0))
    sender.send(message("/sidechain/one"))
    until(lambda: bool(desk.calls))
    assert desk.calls == [("transport.one", {})]


def test_bundles_are_opened(rig: tuple[Desk, OscInput, socket.socket]) -> None:
    desk, _, sender = rig
    sender.send(bundles([message("/sidechain/double"), message("/sidechain/one")])[0])
    until(lambda: len(desk.calls) == 2)


def test_ping_and_state_answer_the_sender(rig: tuple[Desk, OscInput, socket.socket]) -> None:
    _, _, sender = rig
    sender.send(message("/sidechain/ping", 42))
    assert decode(sender.recv(1024)) == [("/sidechain/pong", (42,), 0.0)]
    sender.send(message("/sidechain/state"))
    answers = {decode(sender.recv(1024))[0][:2] for _ in range(3)}
    assert answers == {
        ("/sidechain/state/bpm", (127.5,)),
        ("/sidechain/state/beat", (17,)),
        ("/sidechain/state/state", ("locked",)),
    }


def test_a_refused_command_is_explained_to_its_sender(rig: tuple[Desk, OscInput, socket.socket]) -> None:
    desk, server, sender = rig
    sender.send(message("/sidechain/preset", "nope"))
    assert decode(sender.recv(1024)) == [("/sidechain/error", ("unknown preset 'nope'",), 0.0)]
    sender.send(message("/sidechain/preset", "crash"))
    sender.send(message("/sidechain/tap"))
    until(lambda: desk.calls == [("transport.tap", {})])
    assert server.status.errors == 2


def test_rubbish_is_counted_and_the_server_lives(rig: tuple[Desk, OscInput, socket.socket]) -> None:
    desk, server, sender = rig
    rubbish = [
        b"",
        b"x",
        b"/sidechain/tap",
        b"#bundle\0" + b"\xff" * 16,
        message("/other/tap"),
        message("/sidechain/unknown"),
        message("/sidechain/nudge"),
        message("/sidechain/nudge", "far"),
        message("/sidechain/nudge", float("nan")),
        message("/sidechain/metre", float("inf")),
        message("/sidechain/preset", 3),
        message("/sidechain/param/a", 1.0),
        message("/sidechain/tap") + b"\0" * 5000,
    ]
    for data in rubbish:
        sender.send(data)
    sender.send(message("/sidechain/tap"))
    until(lambda: bool(desk.calls))
    assert desk.calls == [("transport.tap", {})]
    assert server.status.dropped == len(rubbish)


def test_a_flood_is_cut(rig: tuple[Desk, OscInput, socket.socket]) -> None:
    desk, server, sender = rig
    for _ in range(5000):
        sender.send(message("/sidechain/tap"))
    until(lambda: server.status.dropped > 0)
    time.sleep(0.1)
    assert len(desk.calls) < 2500


def test_taken_port_and_foreign_networks_are_refused() -> None:
    first = OscInput(OscInSettings(port=0), Desk())
    first.open()
    with pytest.raises(UserError, match=f":{first.port}: cannot listen"):
        OscInput(OscInSettings(port=first.port), Desk()).open()
    first.close()
    with pytest.raises(ValidationError, match="allow"):
        OscInSettings(host="0.0.0.0")
    with pytest.raises(ValidationError):
        OscInSettings(host="0.0.0.0", allow=["next door"])
    assert OscInSettings(host="0.0.0.0", allow=["192.168.1.0/24"]).allow


def test_only_listed_senders_are_heard() -> None:
    server = OscInput(OscInSettings(host="0.0.0.0", allow=["10.1.0.0/16"]), Desk())
    assert server._may(("127.0.0.1", 5))
    assert server._may(("10.1.2.3", 5))
    assert server._may(("::ffff:10.1.2.3", 5, 0, 0))
    assert not server._may(("10.2.2.3", 5))


@given(st.binary(max_size=200))
def test_any_datagram_is_messages_or_a_value_error(data: bytes) -> None:
    for prefix in (b"", b"/a\0\0", b"#bundle\0\0\0\0\0\0\0\0\1"):
        try:
            for address, arguments in parse(prefix + data):
                command(address, arguments)
        except ValueError:
            pass


@given(
    st.sampled_from(["/tap", "/nudge", "/lock", "/metre", "/preset", "/param/a/b"]),
    st.lists(st.one_of(st.floats(), st.integers(), st.text(max_size=5), st.booleans()), max_size=3),
)
def test_any_arguments_are_a_command_or_a_value_error(address: str, arguments: list[Any]) -> None:
    try:
        found = command(address, tuple(arguments))
    except (ValueError, OverflowError):
        return
    assert found is None or found.method


def test_parsed_arguments_are_finite() -> None:
    with pytest.raises(ValueError, match="wrong kind"):
        parse(message("/sidechain/nudge", float("nan")))
