"""A played file → sound server → host under its supervisor → OSC, MIDI, WebSocket: are the messages on the beat?

Each output is judged by what its receiver sees: the arrival of a packet (OSC), the frame of a message (MIDI
through JACK), the announced time on a clock that the client keeps by itself (WebSocket).
``tests/cli/test_sound_servers.py`` does the same through PulseAudio for OSC.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from realtime.audio.demo import FOLDER, demo_truth
from tests.fixtures.jackplayer import jack_player
from tests.fixtures.midi_receiver import MidiReceiver
from tests.fixtures.osc import OscReceiver
from tests.fixtures.sound import JackServer, jack_server
from tests.fixtures.waiting import until

pytestmark = pytest.mark.device

__all__ = ["jack_server"]

RATE = 48_000
SECONDS = 22.0
SETTLED = 9.0
EARLY_MS = -60.0
WITHIN = 0.025

PRESET = """
[input]
device = "JACK: deck"
[plugins.beat]
[plugins.tempo]
[plugins.level]
[[outputs]]
kind = "osc"
name = "plain"
port = {plain}
[[outputs]]
kind = "osc"
name = "early"
port = {early}
offset_ms = {offset}
[[outputs]]
kind = "midi"
name = "keys"
port = "receiver:in"
frames = true
beat = "note:37@10"
downbeat = "note:36@10"
"""


class WebClient:
    """Notes beats, and when values came: of the last second the least late tells it the host's stream time."""

    def __init__(self, url: str) -> None:
        self.beats: list[tuple[float, float]] = []
        self._values: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._listen, args=(url,))
        self._thread.start()

    def _listen(self, url: str) -> None:
        wanted = {"events": ["beat.beat"], "values": ["level.rms"], "rate": 50, "status": False}
        with connect(url) as socket:
            socket.send(json.dumps({"id": 1, "method": "subscribe", "params": wanted}))
            try:
                for text in socket:
                    at, message = time.monotonic(), json.loads(text)
                    if message["type"] == "event":
                        self.beats.append((at, message["time"]))
                    elif message["type"] == "values" and message["time"] is not None:
                        self._values.append((at, at - message["time"]))
            except ConnectionClosed:
                pass

    def finish(self) -> tuple[list[float], list[float]]:
        """Times of the beats on this computer's clock, and arrivals of their messages."""
        self._thread.join(10.0)
        known = [
            (min((b for seen, b in self._values if 0.0 <= at - seen < 1.0), default=np.nan), t)
            for at, t in self.beats
        ]
        return [begun + t for begun, t in known], [at for at, _ in self.beats]


@pytest.fixture
def receivers(jack_server: JackServer) -> Iterator[tuple[OscReceiver, OscReceiver, MidiReceiver]]:
    plain, early, keys = OscReceiver(), OscReceiver(), MidiReceiver()
    yield plain, early, keys
    plain.close()
    early.close()
    keys.close()


def errors(times: Sequence[float], truth: np.ndarray) -> np.ndarray:
    """Seconds from each time after lock to the nearest true beat; positive is late."""
    heard = np.array([t for t in times if truth[0] + SETTLED < t < truth[-1] - 1.0])
    return np.array([t - truth[np.argmin(np.abs(truth - t))] for t in heard])


def true_times(places: Sequence[tuple[float, float]], beats: Sequence[float]) -> np.ndarray:
    """Clock time of each beat: the file's first frame, as it was known nearest to the beat, plus the beat."""
    known = np.array(places)
    moments = known[:, 0] - known[:, 1]
    return np.array([known[np.argmin(np.abs(moments - b)), 1] + b for b in beats])


def test_every_output_is_on_the_beat(
    receivers: tuple[OscReceiver, OscReceiver, MidiReceiver], tmp_path: Path
) -> None:
    plain, early, keys = receivers
    music = soundfile.read(FOLDER / "demo.ogg", dtype="float32", stop=int(SECONDS * RATE), always_2d=True)[0]
    song, preset = tmp_path / "song.wav", tmp_path / "chain.toml"
    soundfile.write(song, 0.8 * music.mean(axis=1), RATE)
    preset.write_text(PRESET.format(plain=plain.port, early=early.port, offset=EARLY_MS))
    command = [sys.executable, "-m", "realtime.cli.main", "live", "--preset", str(preset), "--no-ui"]
    command += ["--websocket", "127.0.0.1:0", "--osc-in", "off", "--seconds", "120"]
    in_seconds: list[tuple[float, float]] = []
    in_frames: list[tuple[float, float]] = []
    with jack_player("deck", 1, song) as player:
        host = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            client = WebClient(url_of(host))
            until(lambda: plain.messages and early.messages, 60.0)
            player.play()
            end = time.monotonic() + SECONDS + 0.5
            while (now := time.monotonic()) < end:
                begun, frame = player.place()
                in_seconds.append((now, begun))
                in_frames.append(((now - begun) + frame / RATE, frame / RATE))
                time.sleep(0.2)
        finally:
            host.terminate()
            _, told = host.communicate(timeout=30)
    assert host.returncode == 0, told
    announced, arrived = client.finish()
    beats = [b for b in demo_truth().beats if b < SECONDS]
    clock, frames = true_times(in_seconds, beats), true_times(in_frames, beats)
    notes = [f / RATE for f, b in keys.got if b[0] == 0x99]
    ticks = np.array([f / RATE for f, b in keys.got if b == b"\xf8"])
    rows = {
        "OSC": (0.0, errors(pulses(plain), clock)),
        "OSC, sent early": (EARLY_MS, errors(pulses(early, -EARLY_MS / 1000), clock)),
        "MIDI notes": (0.0, errors(notes, frames)),
        "MIDI clock": (0.0, errors(ticks_on(notes, ticks), frames)),
        "WebSocket": (0.0, errors(announced, clock)),
    }
    print(f"\n{'output':16} {'offset':>7} {'beats':>6} {'median':>8} {'p10':>8} {'p90':>8}  ms late, less offset")
    for name, (offset, late) in rows.items():
        low, middle, high = 1000 * np.percentile(late, (10, 50, 90)) if len(late) else (np.nan,) * 3
        print(f"{name:16} {offset:7.0f} {len(late):6} {middle:8.1f} {low:8.1f} {high:8.1f}")
    wanted = sum(SETTLED < b - beats[0] < beats[-1] - beats[0] - 1.0 for b in beats)
    for name, (_, late) in rows.items():
        assert len(late) >= 0.8 * wanted, name
        assert abs(np.median(late)) < WITHIN, name
    known = [n for n in notes if frames[0] + SETTLED < n < frames[-1] - 1.0]
    per_beat = np.sum((ticks >= known[0]) & (ticks < known[-1])) / (len(known) - 1)
    print(f"MIDI clock: {per_beat:.2f} ticks a beat arrived")
    assert per_beat == pytest.approx(24, rel=0.05)
    # A WebSocket client is told ahead of time, so that it can be on time.
    assert np.median(errors(arrived, clock)) < 0.0


def pulses(receiver: OscReceiver, later: float = 0.0) -> list[float]:
    """Arrivals of beats, moved by the output's own offset."""
    return [m.at + later for m in receiver.named("/sidechain/beat") if m.arguments[0] == 1.0]


def ticks_on(notes: Sequence[float], ticks: np.ndarray) -> list[float]:
    """The clock's tick at each beat that was sent as a note.

    Counting from the start would not do: a receiver without real-time priority loses ticks with its cycles. That
    the host loses none is shown by ``sidechain bench clock``, that starts fall on downbeats by ``tests/outputs``.
    """
    return [float(ticks[np.argmin(np.abs(ticks - note))]) for note in notes]


def url_of(host: subprocess.Popen[Any]) -> str:
    """Where the WebSocket is, as told on stderr."""
    assert host.stderr is not None
    for line in host.stderr:
        if "WebSocket at " in line:
            return line.split("WebSocket at ")[1].strip().rstrip("/").replace("http", "ws", 1) + "/ws"
    raise AssertionError("no URL was told")
