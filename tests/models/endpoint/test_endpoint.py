"""The endpoint's job against a real server on this machine that speaks the protocol, well and badly."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
import soundfile

from models.endpoint.client import MOST_ANSWER, address
from models.endpoint.plugin import KEY, LONGEST, RATE, Endpoint
from models.endpoint.words import MOST_TAGS, answer
from realtime.errors import NotFetched, UserError
from realtime.hosting.plugin import Context, Feature
from tests.fixtures.jobs import Desk, said
from tests.fixtures.waiting import until
from tests.hosting.slow_plugins import Clap
from tests.hosting.slowhost import slow_host

GOOD = '{"tags": ["techno", "dark", "techno"], "summary": "Dark techno at 128 bpm."}'
BLOCK = 0.1 * np.random.default_rng(1).standard_normal(round(LONGEST * RATE)).astype(np.float32)


class Server(ThreadingHTTPServer):
    """Answers as it is told, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.headers: dict[str, str] = {}
        self.status, self.content = 200, completion(GOOD)
        self.hold = threading.Event()
        self.hold.set()
        self.gone = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), json.loads(body)))
        if not self.server.hold.is_set():  # until the one who asks has gone
            self.rfile.read(1)
            self.server.gone.set()
            return
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *arguments: object) -> None:
        pass


def completion(content: object) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def prepared(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Endpoint]:
    def make(key: str = "", url: str = "", **parameters: float) -> Endpoint:
        monkeypatch.setenv(KEY, key)
        plugin = Endpoint()
        values = {p.identifier: p.default for p in Endpoint.descriptor.parameters} | parameters
        plugin.prepare(Context(values, texts={"url": url or server.url, "model": "tiny"}))
        return plugin

    return make


def by_output(found: list[Feature] | None) -> dict[str, Feature]:
    assert found is not None
    return {f.output: f for f in found}


def test_tags_and_summary_of_the_moment(server: Server, prepared: Callable[..., Endpoint]) -> None:
    desk = Desk(
        {
            "tags.instrument": said("guitar"),
            "structure.section": said("build"),
            "similarity.nearest": said("My Song"),
            "fingerprint.track": said("My Song"),
            "similarity.neighbours": said("0.91 1:23 My Song\n0.62 0:10 Other Song\n"),
        }
    )
    found = prepared("secret-key").run({"bpm": 127.96, "key": "A minor", "text": "which year?"}, BLOCK, 9.0, desk)
    by = by_output(found)
    assert (by["tags"].label, by["tags"].value) == ("techno, dark", 2.0)
    assert by["summary"].label == "Dark techno at 128 bpm."
    path, headers, body = server.asked[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret-key"
    assert (body["model"], body["max_tokens"], body["stream"]) == ("tiny", 400, False)
    system, user = body["messages"]
    assert system["role"] == "system"
    assert user["content"].splitlines() == [
        "Tempo: 128.0 bpm",
        "Key: A minor",
        "Section: build",
        "Heard by classifiers: guitar",
        "Recognised recording: My Song",
        "Nearest recordings in the user's own library:",
        "- 0.91 1:23 My Song",
        "- 0.62 0:10 Other Song",
        "The user asks: which year?",
    ]
    assert desk.said[0] == (0.0, "asking 127.0.0.1")
    assert desk.said[-1] == (1.0, "answered")


def test_sound_is_sent_only_where_the_preset_says_so(server: Server, prepared: Callable[..., Endpoint]) -> None:
    assert prepared(limit=1).run({"audio": 1}, BLOCK, 9.0, Desk()) is not None
    assert server.asked[0][2]["messages"][1]["content"] == "Nothing is known about the sound."
    assert server.asked[0][2]["max_completion_tokens"] == 400
    assert "Authorization" not in server.asked[0][1]
    assert prepared(audio=1, seconds=2).run({}, BLOCK, 9.0, Desk()) is not None
    text, sound = server.asked[1][2]["messages"][1]["content"]
    assert text == {"type": "text", "text": "The newest seconds of sound are attached."}
    assert sound["input_audio"]["format"] == "wav"
    y, rate = soundfile.read(io.BytesIO(base64.b64decode(sound["input_audio"]["data"])), dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(y, BLOCK[-2 * RATE :], atol=1e-4)


@pytest.mark.parametrize(
    ("content", "tags", "summary"),
    [
        ("```json\n" + GOOD + "\n```", "techno, dark", "Dark techno at 128 bpm."),
        ("It is\x1b[31m a waltz.\n", None, "It is [31m a waltz."),
        ([{"type": "text", "text": GOOD}], "techno, dark", "Dark techno at 128 bpm."),
        ('{"tags": "no list", "summary": 3}', None, None),
    ],
)
def test_what_models_answer(
    server: Server, prepared: Callable[..., Endpoint], content: object, tags: str | None, summary: str | None
) -> None:
    server.content = completion(content)
    by = by_output(prepared().run({}, BLOCK, 9.0, Desk()))
    assert (by["tags"].label if "tags" in by else None) == tags
    assert (by["summary"].label if "summary" in by else None) == summary


def test_answers_are_bounded() -> None:
    many = {"tags": [f"tag {n} " + "x" * 99 for n in range(99)], "summary": "y" * 99_999}
    found = answer(json.loads(completion(json.dumps(many))))
    assert found is not None
    assert (len(found.tags), max(map(len, found.tags)), len(found.summary)) == (MOST_TAGS, 40, 1500)


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (
            401,
            b'{"error": {"message": "Incorrect key: secret-key\\nnope"}}',
            "says 401 Incorrect key: … nope; is SIDE",
        ),
        (429, b'{"error": "slow down"}', "says 429 slow down"),
        (500, b"<html>" + b"x" * 999, "says 500"),
        (302, b"", "says 302"),
        (200, b"[]", "no JSON object"),
        (200, b"<html>", "no JSON object"),
        (200, b"{}", "answers without words"),
        (200, b'{"choices": []}', "answers without words"),
        (200, b" " * (MOST_ANSWER + 1), "more than 1 MB"),
    ],
)
def test_what_goes_wrong_is_one_line(
    server: Server, prepared: Callable[..., Endpoint], status: int, content: bytes, expected: str
) -> None:
    server.status, server.content, server.headers = status, content, {"Location": server.url + "/elsewhere"}
    with pytest.raises(UserError, match=expected) as raised:
        prepared("secret-key").run({}, BLOCK, 9.0, Desk())
    assert "\n" not in str(raised.value)
    assert "secret-key" not in str(raised.value)
    assert len(server.asked) == 1  # nobody follows a redirection with the key in hand


def test_nobody_there_is_one_line(prepared: Callable[..., Endpoint]) -> None:
    free = Server()
    free.server_close()
    with pytest.raises(UserError, match=r"cannot be asked \(ConnectionRefusedError"):
        prepared(url=free.url).run({}, BLOCK, 9.0, Desk())


def test_a_server_that_is_silent_is_given_up(server: Server, prepared: Callable[..., Endpoint]) -> None:
    server.hold.clear()
    desk = Desk()
    with pytest.raises(UserError, match=r"has not answered within 1 s"):
        prepared(timeout=1.0).run({}, BLOCK, 9.0, desk)
    assert len(desk.said) > 3  # signs of life
    assert server.gone.wait(20.0)


def test_it_stops_waiting_when_nobody_wants_it(server: Server, prepared: Callable[..., Endpoint]) -> None:
    server.hold.clear()
    assert prepared(timeout=300.0).run({}, BLOCK, 9.0, Desk(words=5)) is None
    assert server.gone.wait(20.0)  # the connection has been closed


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ftp://x/v1", "must be like https://"),
        ("nonsense", "must be like https://"),
        ("https://", "must be like https://"),
        ("https://x/v1?key=1", "must be like https://"),
        ("https://me:word@x/v1", "no name or password"),
        ("https://x:99999/v1", "is no address"),
        ("https://x/v 1", "must be escaped"),
        ("http://example.org/v1", "not sent to example.org without encryption"),
    ],
)
def test_wrong_addresses(prepared: Callable[..., Endpoint], url: str, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        prepared("secret-key", url=url)


def test_addresses() -> None:
    at = address("https://api.example.org/v1/chat/completions", True)
    assert (at.secure, at.host, at.port, at.path) == (True, "api.example.org", 443, "/v1/chat/completions")
    assert address("http://example.org", False).path == "/chat/completions"
    assert address("http://[::1]:8080/v1", True).place == "::1:8080"


def test_nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFetched, match=f"url and model; the key, if there is one, in the environment as {KEY}"):
        Endpoint().prepare(Context(texts={"url": "", "model": ""}))
    monkeypatch.setenv(KEY, "key\nInjected: header")
    with pytest.raises(UserError, match="characters that no key has"):
        Endpoint().prepare(Context(texts={"url": "https://x/v1", "model": "m"}))


def test_the_host_runs_it(server: Server) -> None:
    settings = {"endpoint": {"url": server.url, "model": "tiny", "sources": ["clap.*"]}}
    with slow_host(Endpoint, Clap, settings=settings) as host:
        until(lambda: host.engine.value("clap.level") is not None)
        host.call("job.start", plugin="endpoint", request={"text": "what is it?", "key": "C major"})
        assert host.wait_for("endpoint.summary").label == "Dark techno at 128 bpm."
        host.wait_for("host.job", "endpoint done")
        assert "Key: C major" in server.asked[0][2]["messages"][1]["content"]
        server.status = 503
        host.call("job.start", plugin="endpoint")
        host.wait_for("host.job", "endpoint failed: endpoint: 127.0.0.1")
