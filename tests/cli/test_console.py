"""The live view draws whatever a host has to say, and turns keys into commands."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from realtime.bus import Bus, Reader, Value
from realtime.cli.console import ConsoleView, Snapshot, note_name, plain_line, render
from realtime.cli.keys import split
from realtime.errors import UserError


class Client:
    """A host that notes what it is asked."""

    def __init__(self) -> None:
        self.bus = Bus()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refuses = ""

    def events(self) -> list[Any]:
        return []

    def subscribe(self) -> Reader:
        return self.bus.reader()

    def values(self) -> dict[str, Value]:
        return self.bus.values()

    def status(self) -> dict[str, Any]:
        return {
            "input": {"name": "demo", "sample_rate": 48_000},
            "outputs": [{"name": "osc", "kind": "osc", "sent": 12, "errors": 0, "last": "/beat 1.0"}],
        }

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        if self.refuses:
            raise UserError(self.refuses)
        self.calls.append((method, dict(params)))


def drawn(snapshot: Snapshot) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(render(snapshot))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def playing() -> Client:
    client = Client()
    for name, value in {
        "transport.bpm": 126.02,
        "transport.beat_in_bar": 3.0,
        "transport.beats_per_bar": 4.0,
        "transport.beat_phase": 0.1,
        "transport.bar": 17.0,
        "transport.confidence": 0.93,
        "level.rms": -14.2,
        "bands.low": 0.5,
        "voice.probability": 0.8,
        "pitch.hz": 440.0,
        "host.load": 0.021,
        "host.lost": 0.0,
    }.items():
        client.bus.set(name, 1.0, value)
    client.bus.set("transport.state", 1.0, None, "locked")
    return client


def test_shows_what_matters() -> None:
    client = playing()
    view = ConsoleView(client)
    client.bus.publish(1.0, 1.0, "onset", "onset", 0.7)
    client.bus.publish(1.0, 1.0, "host", "device_lost", None, "the interface is unplugged")
    text = drawn(view.snapshot())
    for word in (
        "126.0 BPM",
        "bar 17",
        "locked",
        "-14.2 dB",
        "A4",
        "2.1 %",
        "demo",
        "osc",
        "12 sent",
        "unplugged",
    ):
        assert word in text


def test_line_for_pipes() -> None:
    line = plain_line(ConsoleView(playing()).snapshot())
    assert "\n" not in line
    for word in ("126.0 BPM", "locked", "-14.2 dB", "440.0 Hz", "lost 0"):
        assert word in line


def test_a_host_that_says_nothing_is_drawn_too() -> None:
    assert "--- BPM" in drawn(Snapshot())
    assert "--- BPM" in plain_line(Snapshot())


@given(
    st.dictionaries(
        st.sampled_from(
            ["transport.bpm", "transport.beats_per_bar", "level.rms", "pitch.hz", "voice.probability"]
        ),
        st.one_of(st.none(), st.floats(-500, 500), st.just(float("nan")), st.tuples(st.floats(0, 1))),
    )
)
def test_odd_values_are_drawn(values: dict[str, Any]) -> None:
    snapshot = Snapshot({n: Value(0.0, v, None) for n, v in values.items()})
    assert drawn(snapshot)
    assert plain_line(snapshot)


@pytest.mark.parametrize(
    ("key", "call"),
    [
        (" ", ("transport.tap", {})),
        ("left", ("transport.nudge", {"ms": -10.0})),
        ("right", ("transport.nudge", {"ms": 10.0})),
        ("x", ("transport.double", {})),
        ("h", ("transport.halve", {})),
        ("l", ("transport.lock", {"on": True})),
        ("o", ("transport.one", {})),
    ],
)
def test_keys_are_commands(key: str, call: tuple[str, dict[str, Any]]) -> None:
    client = playing()
    ConsoleView(client).press(key)
    assert client.calls == [call]


def test_lock_is_a_switch_and_refusals_are_shown() -> None:
    client = playing()
    view = ConsoleView(client)
    view.press("l")
    view.press("l")
    view.press("?")
    assert [c[1]["on"] for c in client.calls] == [True, False]
    client.refuses = "no tempo to lock yet"
    view.press("l")
    assert "no tempo to lock yet" in drawn(view.snapshot())


@pytest.mark.parametrize(
    ("text", "keys"),
    [("", []), ("xq", ["x", "q"]), ("\x1b[D\x1b[C ", ["left", "right", " "]), ("\x1bOC", ["right"]), ("\x1b", [])],
)
def test_terminal_text_is_cut_into_keys(text: str, keys: list[str]) -> None:
    assert split(text) == keys


@pytest.mark.parametrize(("hz", "name"), [(440.0, "A4"), (261.63, "C4"), (0.0, "–"), (float("nan"), "–")])
def test_note_names(hz: float, name: str) -> None:
    assert note_name(hz).startswith(name)
