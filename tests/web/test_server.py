"""The WebSocket server against real clients: order, snapshots, calls, and everything hostile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from realtime.errors import UserError
from realtime.web import protocol
from realtime.web.access import Access
from realtime.web.server import WebSocketServer
from realtime.web.session import Limits
from tests.fixtures.engine import FakeEngine


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def server(engine: FakeEngine) -> Iterator[WebSocketServer]:
    found = WebSocketServer(engine, port=0)
    found.start()
    yield found
    found.stop()


def address(server: WebSocketServer, path: str = "/ws") -> str:
    return f"ws://127.0.0.1:{server.port}{path}"


def receive(client: ClientConnection, kind: str, timeout: float = 5.0) -> dict[str, Any]:
    """The next message of a kind."""
    end = time.monotonic() + timeout
    while True:
        message: dict[str, Any] = json.loads(client.recv(timeout=max(0.001, end - time.monotonic())))
        if message["type"] == kind:
            return message


def ask(client: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
    client.send(json.dumps({"id": 7, "method": method, "params": params}))
    return receive(client, "reply")


def come(url: str, **headers: str) -> None:
    """Connect and leave again."""
    with connect(url, additional_headers=headers):
        pass


def closing_code(client: ClientConnection) -> int:
    """The code with which the server ends the connection."""
    try:
        while True:
            client.recv(timeout=5)
    except ConnectionClosed as e:
        return e.rcvd.code if e.rcvd is not None else 1006


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.005)


def test_hello_comes_first_and_says_what_runs(server: WebSocketServer) -> None:
    with connect(address(server)) as client:
        hello = json.loads(client.recv())
    assert (hello["type"], hello["protocol"], hello["server"]) == ("hello", 1, "sidechain")
    assert hello["status"]["preset"] == "lighting"


def test_every_event_in_order(server: WebSocketServer, engine: FakeEngine) -> None:
    with connect(address(server)) as client:
        receive(client, "hello")
        for k in range(500):
            engine.bus.publish(k / 10, k / 10, "onset", "onset", k / 500, None)
        got = [receive(client, "event") for _ in range(500)]
    assert [e["sequence"] for e in got] == list(range(500))
    assert got[250]["value"] == 0.5
    assert got[250]["time"] == 25.0


def test_values_at_the_rate_that_was_asked_for(server: WebSocketServer, engine: FakeEngine) -> None:
    engine.bus.set("transport.bpm", 3.0, 128.0)
    engine.bus.set("transport.state", 3.0, None, "locked")
    engine.bus.set("bands.low", 2.0, float("nan"))
    engine.bus.set("tags.all", 2.0, (0.5, 0.25))
    with connect(address(server)) as client:
        assert (
            ask(client, "subscribe", values=["transport.*", "tags.all", "bands.low"], rate=50)["result"]["rate"]
            == 50
        )
        snapshot = receive(client, "values")
        assert snapshot["time"] == 3.0
        assert snapshot["values"] == {
            "transport.bpm": 128.0,
            "transport.state": "locked",
            "bands.low": None,
            "tags.all": [0.5, 0.25],
        }
        start = time.monotonic()
        for _ in range(20):
            receive(client, "values")
        assert 0.3 < time.monotonic() - start < 2.0
        ask(client, "subscribe", rate=0, status=False)
        with pytest.raises(TimeoutError):
            receive(client, "values", 0.2)


def test_only_the_events_that_were_asked_for(server: WebSocketServer, engine: FakeEngine) -> None:
    with connect(address(server)) as client:
        ask(client, "subscribe", events=["beat.*", "drums.hit"], rate=0)
        for name in ("onset.onset", "beat.beat", "drums.fill", "drums.hit"):
            engine.bus.publish(0.0, 0.0, *name.split("."), 1.0)
        assert [receive(client, "event")["output"] for _ in range(2)] == ["beat", "hit"]


def test_calls_are_answered(server: WebSocketServer, engine: FakeEngine) -> None:
    with connect(address(server)) as client:
        assert ask(client, "ping") == {"type": "reply", "id": 7, "result": "pong"}
        assert ask(client, "transport.nudge", ms=-10)["result"] is None
        assert ask(client, "no.such")["error"] == {"code": "refused", "message": "unknown command 'no.such'"}
        assert ask(client, "crash")["error"]["code"] == "internal"
        assert ask(client, "subscribe", rate=1e9)["error"]["code"] == "malformed"
    assert engine.calls == [("ping", {}), ("transport.nudge", {"ms": -10})]


def test_a_slow_call_holds_up_nobody_else(server: WebSocketServer, engine: FakeEngine) -> None:
    with connect(address(server)) as one, connect(address(server)) as other:
        one.send('{"id": 1, "method": "slow"}')
        assert ask(other, "ping")["result"] == "pong"
        engine.bus.publish(0.0, 0.0, "beat", "beat", 1.0)
        assert receive(one, "event")["output"] == "beat"
        engine.slow.set()
        assert receive(one, "reply")["result"] == "late"


def test_commands_of_the_front_process(engine: FakeEngine) -> None:
    started: list[str] = []
    server = WebSocketServer(engine, port=0, methods={"record.start": lambda path: started.append(path)})
    server.start()
    try:
        with connect(address(server)) as client:
            assert ask(client, "record.start", path="a")["result"] is None
            assert ask(client, "record.start", wrong=1)["error"]["code"] == "refused"
    finally:
        server.stop()
    assert started == ["a"]


@pytest.mark.parametrize(
    "text",
    ["", "x", "[]", "3", "null", '{"id": 1}', '{"method": "ping"}', '{"id": 1, "method": "ping", "more": 1}',
     '{"id": NaN, "method": "ping"}', '{"id": 1, "method": "ping", "params": []}', "[" * 3000, b"\0\1"],
)  # fmt: skip
def test_malformed_messages_are_answered_and_counted(server: WebSocketServer, text: str | bytes) -> None:
    with connect(address(server)) as client:
        client.send(text)
        assert receive(client, "reply")["error"]["code"] == "malformed"
        assert ask(client, "ping")["result"] == "pong"
    assert server.counts.malformed == 1


def test_an_oversized_message_ends_its_client_only(server: WebSocketServer) -> None:
    with connect(address(server)) as good, connect(address(server)) as bad:
        bad.send("x" * 70_000)
        assert closing_code(bad) == 1009
        assert ask(good, "ping")["result"] == "pong"


def test_a_flood_is_dropped_and_then_its_client(server: WebSocketServer, engine: FakeEngine) -> None:
    with connect(address(server)) as good, connect(address(server)) as bad:
        with contextlib.suppress(ConnectionClosed):
            for k in range(5000):
                bad.send(json.dumps({"id": k, "method": "ping"}))
        assert closing_code(bad) == 1008
        assert ask(good, "transport.tap")["result"] is None
    assert server.counts.flooded > 100
    assert len(engine.calls) < 2000


def test_a_stuck_client_is_dropped_and_nobody_waits(engine: FakeEngine) -> None:
    server = WebSocketServer(engine, port=0, limits=Limits(waiting=200))
    server.start()
    try:
        raw = socket.create_connection(("127.0.0.1", server.port))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        raw.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        until(lambda: server.status()["clients"] == 1)  # and then it never reads
        with connect(address(server)) as good:
            ask(good, "subscribe", rate=0, status=False)
            sent = 0
            while server.counts.stuck == 0:
                for _ in range(50):
                    engine.bus.publish(0.0, 0.0, "host", "message", None, "x" * 1000)
                    sent += 1
                for _ in range(50):
                    receive(good, "event")
                assert sent < 20_000
            assert ask(good, "ping")["result"] == "pong"
        raw.close()
    finally:
        server.stop()


def test_order_holds_between_fast_and_slow(server: WebSocketServer, engine: FakeEngine) -> None:
    """A client that reads in fits and starts changes between the direct way and its queue; no event overtakes."""
    with connect(address(server), max_queue=2) as client:
        ask(client, "subscribe", rate=100)
        expected = 0
        for burst in range(60):
            for _ in range(20):
                engine.bus.publish(0.0, 0.0, "host", "message", None, "x" * 2000)
            if burst % 6 == 5:
                while expected < 20 * (burst + 1):
                    assert receive(client, "event")["sequence"] == expected
                    expected += 1
            else:
                time.sleep(0.005)


def test_too_many_clients_are_turned_away(engine: FakeEngine) -> None:
    server = WebSocketServer(engine, port=0, limits=Limits(clients=2))
    server.start()
    try:
        with connect(address(server)), connect(address(server)), pytest.raises(InvalidStatus) as refused:
            come(address(server))
        assert refused.value.response.status_code == 503
        until(lambda: server.status()["clients"] == 0)
        come(address(server))
    finally:
        server.stop()


def test_foreign_pages_and_foreign_names_are_refused(server: WebSocketServer) -> None:
    for origin in ("https://evil.example", "null"):
        with pytest.raises(InvalidStatus) as refused:
            come(address(server), Origin=origin)
        assert refused.value.response.status_code == 403
    come(address(server), Origin=f"http://127.0.0.1:{server.port}")
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/", headers={"Host": "rebound.example"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=5)
    assert error.value.code == 403
    error.value.close()


def test_beyond_loopback_a_token_is_needed(engine: FakeEngine) -> None:
    with pytest.raises(UserError, match="token"):
        WebSocketServer(engine, "0.0.0.0", 0)
    server = WebSocketServer(engine, "0.0.0.0", 0, token="sesame")
    server.start()
    try:
        for path, headers in (("/ws", {}), ("/ws?token=wrong", {}), ("/ws", {"Authorization": "Bearer wrong"})):
            with pytest.raises(InvalidStatus) as refused:
                come(address(server, path), **headers)
            assert refused.value.response.status_code == 401
        come(address(server, "/ws?token=sesame"))
        come(address(server), Authorization="Bearer sesame")
    finally:
        server.stop()


def test_a_taken_port_is_one_line(server: WebSocketServer, engine: FakeEngine) -> None:
    with pytest.raises(UserError, match=f"127.0.0.1:{server.port}: cannot listen"):
        WebSocketServer(engine, port=server.port).start()
    with pytest.raises(UserError, match="does not resolve"):
        WebSocketServer(engine, "no such host", token="x").start()


def test_the_end_is_said_and_the_port_is_free_again(engine: FakeEngine) -> None:
    first = WebSocketServer(engine, port=0)
    first.start()
    port = first.port
    with connect(address(first)) as client:
        receive(client, "hello")
        first.stop()
        assert closing_code(client) == 1001
    again = WebSocketServer(engine, port=port)
    again.start()
    again.stop()
    again.stop()


def test_the_page_needs_nothing_from_outside(server: WebSocketServer) -> None:
    def get(path: str) -> tuple[Any, str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.headers, answer.read().decode()

    headers, page = get("/")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    sources = [page] + [get(f"/{n}")[1] for n in ("app.js", "connection.js", "clock.js", "lists.js", "style.css")]
    assert not any("http://" in s.replace("http://www.w3.org/", "") or "https://" in s for s in sources)
    with pytest.raises(urllib.error.HTTPError) as error:
        get("/../server.py")
    assert error.value.code == 404
    error.value.close()


def test_events_come_in_batches_where_asked_for(server: WebSocketServer, engine: FakeEngine) -> None:
    with connect(address(server)) as client:
        assert "error" not in ask(client, "subscribe", values=[], rate=0, batch=True)
        for k in range(2000):
            engine.bus.publish(k, k, "onset", "onset", 1.0)
        got: list[int] = []
        while len(got) < 2000:
            batch = receive(client, "batch")["messages"]
            assert 1 <= len(batch) <= 256
            got += [m["sequence"] for m in batch]
    assert got == list(range(2000))


def test_the_schema_in_the_docs_is_the_protocol() -> None:
    path = Path(__file__).parents[2] / "docs" / "websocket.schema.json"
    assert json.loads(path.read_text()) == protocol.schema(), (
        "python -m realtime.web.protocol > docs/websocket.schema.json"
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=st.lists(st.one_of(st.text(max_size=60), st.binary(max_size=60)), min_size=1, max_size=5))
def test_any_messages_leave_the_server_alive(server: WebSocketServer, texts: list[str | bytes]) -> None:
    with connect(address(server)) as client:
        for text in texts:
            client.send(text)
        assert ask(client, "ping")["type"] == "reply"


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)


@given(anything)
def test_whatever_the_host_says_is_valid_json(data: Any) -> None:
    json.loads(protocol.dumps({"x": data}), parse_constant=pytest.fail)


@given(anything)
def test_any_json_is_a_request_or_malformed(data: Any) -> None:
    text = json.dumps(data)
    with contextlib.suppress(protocol.MalformedError):
        assert protocol.parse_request(text).method


@given(st.text(max_size=30), st.one_of(st.none(), st.text(max_size=30)))
def test_no_guess_is_a_token(path: str, header: str | None) -> None:
    access = Access("0.0.0.0", "a-long-secret-of-ours")
    assert not access.authorised(path, header)


def test_asyncio_is_not_left_running(engine: FakeEngine) -> None:
    server = WebSocketServer(engine, port=0)
    server.start()
    server.stop()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
