"""The page in a real, headless Chromium: what it shows, what its buttons and keys do, and that it comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from realtime.outputs.recorder import Recordings
from realtime.web.server import WebSocketServer
from scripts import chromium
from scripts.chromium import Browser
from tests.fixtures.engine import Band, FakeEngine
from tests.fixtures.programs import missing


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if chromium.find() is None:
        missing("needs Chromium (apt-get install chromium)")
    with Browser() as found:
        yield found


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def server(engine: FakeEngine) -> Iterator[WebSocketServer]:
    found = WebSocketServer(engine, port=0)
    found.start()
    yield found
    found.stop()


@pytest.fixture
def page(browser: Browser, server: WebSocketServer) -> Browser:
    browser.console.clear()
    browser.open(server.url)
    browser.until("document.getElementById('connection')?.textContent === 'live'")
    return browser


def text(page: Browser, element: str) -> str:
    return str(page.js(f"document.getElementById('{element}').textContent"))


def test_the_stage_shows_the_music(page: Browser, engine: FakeEngine) -> None:
    with Band(engine):
        page.until("document.getElementById('bpm').textContent === '128'")
        assert text(page, "bpm-fraction") == ".00"
        assert text(page, "state") == "locked"
        page.until("document.querySelectorAll('#lamps i').length === 4")
        page.until("document.querySelectorAll('#lamps i.on').length === 1")
        assert text(page, "confidence-text") == "93 %"
        assert text(page, "note") == "A3"
        assert text(page, "rms-text").endswith("dB")
        assert text(page, "voice-text") == "82 %"
        page.until("document.getElementById('hit-kick').classList.contains('on')")
        page.until("document.getElementById('voice-lamp').classList.contains('on')")
        seen = {text(page, "in-bar") for _ in range(60) if time.sleep(0.04) is None}
        assert seen == {"1", "2", "3", "4"}
    assert page.console == []


SWEEP = """new Promise(done => requestAnimationFrame(() =>
  done(parseFloat(document.getElementById('sweep').style.strokeDasharray))))"""
"""Where the hand stands in a frame that has just been drawn."""


def test_the_sweep_agrees_with_the_clock(page: Browser, engine: FakeEngine) -> None:
    """Between snapshots the page runs its own clock; it must stay within a frame or two of the host's."""

    def bar_phase() -> float:
        value = engine.bus.value("transport.bar_phase")
        assert value is not None
        assert isinstance(value.value, float)
        return value.value

    with Band(engine):
        page.until("document.getElementById('state').textContent === 'locked'")
        time.sleep(1.0)
        errors: list[float] = []
        for _ in range(200):
            before, shown, after = bar_phase(), page.js(SWEEP), bar_phase()
            took = (after - before) % 1.0
            if took < 0.1:  # else the question took so long that its answer says nothing
                errors.append(abs((shown - before - took / 2 + 0.5) % 1.0 - 0.5) - took / 2)
            if len(errors) == 20:
                break
    assert len(errors) == 20
    assert sorted(errors)[10] < 0.03  # of a bar of 1.9 s


def test_key_structure_and_tags_have_their_cards(page: Browser, engine: FakeEngine) -> None:
    with Band(engine):
        page.until("document.getElementById('key').textContent === 'B♭m'")
        assert text(page, "camelot") == "3A · minor"
        assert text(page, "chord") == "chord F♯"
        assert text(page, "part") == "build"
        page.until("document.querySelectorAll('#tags .row').length === 6")
        names = page.js("[...document.querySelectorAll('#tags .row span')].map(s => s.textContent)")
        assert names == ["singing", "music", "drums", "bass", "keys", "strings"]
        assert page.js("document.querySelector('#tag-music + output').textContent") == "97 %"
        engine.bus.publish(1.0, 1.0, "structure", "drop", 0.9, "drop")
        page.until("document.getElementById('log').textContent.includes('drop')")
    assert [said for said in page.console if "WebSocket" not in said] == []  # the last test's host has gone


def test_nothing_is_made_up_when_there_is_nothing(page: Browser, engine: FakeEngine) -> None:
    engine.description |= {"plugins": [], "outputs": []}
    page.until("!document.getElementById('no-plugins').hidden && !document.getElementById('no-outputs').hidden")
    assert text(page, "bpm") == "––"
    assert text(page, "state") == "no clock"
    assert text(page, "in-bar") == "–"
    assert page.js("!document.getElementById('no-ears').hidden")
    assert page.js("[...document.querySelectorAll('[data-plugin]')].every(c => c.hidden)")


def test_buttons_and_keys_reach_the_host(page: Browser, engine: FakeEngine) -> None:
    keys = [
        (" ", "Space", "transport.tap", {}),
        ("1", "Digit1", "transport.one", {}),
        ("r", "KeyR", "transport.resync", {}),
        ("ArrowUp", "", "transport.double", {}),
        ("ArrowDown", "", "transport.halve", {}),
        ("ArrowLeft", "", "transport.nudge", {"ms": -10}),
        ("ArrowRight", "", "transport.nudge", {"ms": 10}),
        ("l", "KeyL", "transport.lock", {"on": True}),
        ("h", "KeyH", "transport.hold", {"on": True}),
        ("Escape", "", "outputs.panic", {}),
    ]
    for key, code, _, _ in keys:
        page.key(key, code)
    until(lambda: len(engine.calls) == len(keys))
    assert engine.calls == [(method, params) for _, _, method, params in keys]
    engine.calls.clear()
    page.click(".tap")
    until(lambda: len(engine.calls) == 1)
    time.sleep(0.1)
    assert engine.calls == [("transport.tap", {})], "one press is one tap"
    page.until("document.querySelector('[data-toggle=tempo_locked]').getAttribute('aria-pressed') === 'true'")


def test_outputs_and_plugins_can_be_worked(page: Browser, engine: FakeEngine) -> None:
    page.until("document.querySelectorAll('#output-list li').length === 3")
    assert "nobody listens there" in text(page, "output-list")
    page.js(
        "(() => { const i = document.querySelector('#output-list input'); i.value = -35;"
        " i.dispatchEvent(new Event('change')); })()"
    )
    page.click("#output-list li button[aria-pressed]")
    page.click("#plugin-list li button[aria-pressed]")
    until(lambda: len(engine.calls) == 3)
    assert engine.calls == [
        ("output.offset", {"name": "osc lights", "ms": -35}),
        ("output.enable", {"name": "osc lights", "on": False}),
        ("plugin.enable", {"plugin": "beat", "on": False}),
    ]


def test_rules_presets_and_recording(browser: Browser, engine: FakeEngine, tmp_path: Path) -> None:
    server = WebSocketServer(engine, port=0, methods=Recordings(engine, tmp_path).methods())
    server.start()
    try:
        browser.open(server.url)
        browser.until("document.querySelectorAll('#rule-list li').length === 2")
        browser.click("#rule-list li:nth-child(1) button")
        browser.click("#rule-list li:nth-child(2) button[aria-pressed]")
        browser.until("document.getElementById('preset').options.length === 3")
        browser.js(
            "(() => { const p = document.getElementById('preset'); p.value = 'vocal';"
            " p.dispatchEvent(new Event('change')); })()"
        )
        until(lambda: len(engine.calls) == 3)
        assert engine.calls == [
            ("rule.fire", {"name": "flash on the one"}),
            ("rule.mute", {"name": "strobe", "on": False}),
            ("preset.load", {"name": "vocal"}),
        ]
        browser.click("#record")
        browser.until("document.getElementById('record').getAttribute('aria-pressed') === 'true'")
        browser.click("#record")
        browser.until("document.getElementById('record').getAttribute('aria-pressed') === 'false'")
        assert len(list(tmp_path.glob("*.jsonl"))) == 1
        engine.calls.clear()
        browser.click("#with-sound")
        browser.click("#record")
        until(lambda: any(method == "audio.start" for method, _ in engine.calls))
        browser.until("document.getElementById('record').getAttribute('aria-pressed') === 'true'")
        assert browser.js("document.getElementById('with-sound').disabled")
        browser.click("#record")
        until(lambda: any(method == "audio.stop" for method, _ in engine.calls))
    finally:
        server.stop()


def test_typing_is_not_playing(page: Browser, engine: FakeEngine) -> None:
    page.until("document.querySelectorAll('#output-list li').length === 3")
    page.js("document.querySelector('#output-list input').focus()")
    page.key("1", "Digit1")
    page.js("document.activeElement.blur()")
    page.key("r", "KeyR")
    until(lambda: bool(engine.calls))
    assert ("transport.one", {}) not in engine.calls


def test_it_comes_back_by_itself(page: Browser, server: WebSocketServer, engine: FakeEngine) -> None:
    port = server.port
    server.stop()
    page.until("document.getElementById('connection').dataset.on === 'no'")
    assert page.js("document.querySelector('.tap').disabled")
    again = WebSocketServer(engine, port=port)
    again.start()
    try:
        page.until("document.getElementById('connection').textContent === 'live'", 20)
        page.key(" ", "Space")
        until(lambda: engine.calls == [("transport.tap", {})])
    finally:
        again.stop()


def test_a_refusal_is_shown(page: Browser, engine: FakeEngine) -> None:
    page.js("document.querySelector('.tap').dataset.call = 'nonsense'")
    page.click(".tap")
    page.until("document.getElementById('notice').textContent.includes(\"unknown command 'nonsense'\")")


def test_a_token_is_asked_for_and_not_left_in_the_address(browser: Browser, engine: FakeEngine) -> None:
    server = WebSocketServer(engine, port=0, token="sesame")
    server.start()
    try:
        browser.open(server.url)
        browser.until("document.getElementById('gate')?.open")
        browser.js("document.getElementById('token').value = 'sesame'")
        browser.click("#gate button")
        browser.until("document.getElementById('connection').textContent === 'live'")
        browser.open(f"{server.url}?token=sesame")
        browser.until("document.getElementById('connection')?.textContent === 'live'")
        assert browser.js("location.search") == ""
    finally:
        server.stop()


@pytest.mark.parametrize("width", [320, 390, 820, 1360])
def test_nothing_is_cut_off(page: Browser, engine: FakeEngine, width: int) -> None:
    with Band(engine):
        page.do(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 700
        )
        page.until("document.getElementById('bpm').textContent === '128'")
        assert page.js("document.documentElement.scrollWidth") <= width
        small = page.js(
            "[...document.querySelectorAll('#controls button')]"
            ".filter(b => b.getBoundingClientRect().height < 44).length"
        )
        assert small == 0
