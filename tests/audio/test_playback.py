"""Sound out on real PortAudio devices: a ring that is fed hop by hop, and sounds that begin at an instant."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.audio.device import DeviceSource
from realtime.audio.playback import DeviceSink, FileSink, Player, open_sink
from realtime.errors import UserError
from tests.fixtures.jackloop import jack_loop
from tests.fixtures.sound import JackServer

RATE = 48_000


class Listener:
    """What a device hears, with the host time of its frames."""

    def __init__(self, name: str) -> None:
        self.source = DeviceSource(name)
        self.source.open()
        self.pieces: list[np.ndarray] = []
        self.begin = 0.0

    def listen(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.take()

    def take(self) -> None:
        block = self.source.read(4096)
        if block is None or not len(block.samples):
            self.source.wait(0.001)
            return
        if not self.pieces:
            self.begin = block.host_time - len(block.samples) / RATE
        self.pieces.append(np.zeros((block.lost, 1), np.float32))
        self.pieces.append(block.samples[:, :1].copy())

    @property
    def sound(self) -> np.ndarray:
        return np.concatenate(self.pieces)[:, 0]


def test_hops_go_to_a_device_and_an_empty_ring_is_silence(jack_server: JackServer) -> None:
    with jack_loop("room", 480):
        sink = DeviceSink("room", RATE, 480)
        ear = Listener("room")
        tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(480) / RATE).astype(np.float32)[:, None]
        try:
            assert sink.latency < 0.2
            for part in range(2):
                due = time.monotonic()
                for _ in range(60):
                    sink.write(tone)
                    due += 0.01
                    while time.monotonic() < due:
                        ear.take()
                ear.listen(0.4)  # nothing is written: the device runs dry
                assert sink.underruns >= part
            assert sink.status()["device"] == "JACK: room"
        finally:
            sink.stop()
            ear.source.close()
    loud = abs(ear.sound) > 0.4
    assert loud.mean() > 0.2
    assert sink.underruns >= 1
    assert abs(ear.sound).max() == pytest.approx(0.5, abs=0.01)


def test_a_sound_begins_at_its_instant(jack_server: JackServer, tmp_path: Path) -> None:
    click = np.zeros((24_000, 2))
    click[:240] = 0.8
    soundfile.write(tmp_path / "click.wav", click, 24_000)
    with jack_loop("room", 0):
        player = Player("room")
        ear = Listener("room")
        try:
            ear.listen(0.3)
            at = time.monotonic() + 0.4
            begins = player.play(tmp_path / "click.wav", at)
            assert begins == at
            ear.listen(1.0)
            late = player.play(tmp_path / "click.wav", time.monotonic() - 5.0)
            assert late > time.monotonic() - 0.1
            with pytest.raises(UserError, match="cannot be read"):
                player.play(tmp_path / "nothing.wav", 0.0)
        finally:
            player.stop()
            ear.source.close()
    heard = ear.begin + int(np.argmax(ear.sound > 0.4)) / RATE
    assert heard == pytest.approx(at, abs=0.05)


def test_an_unknown_device_is_named_and_files_need_none(jack_server: JackServer, tmp_path: Path) -> None:
    with jack_loop("room", 0), pytest.raises(UserError, match="no output device 'nowhere'"):
        open_sink("nowhere", RATE, 2, 480, False, None)
    assert open_sink("nowhere", RATE, 2, 480, True, None) is None
    sink = open_sink(str(tmp_path / "x.flac"), RATE, 1, 480, True, None)
    assert isinstance(sink, FileSink)
    sink.write(np.full((480, 1), 0.25, np.float32))
    sink.gap(480)
    sink.stop()
    x, _ = soundfile.read(tmp_path / "x.flac")
    assert x.tolist() == [0.25] * 480 + [0.0] * 480
