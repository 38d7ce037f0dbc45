"""Real PortAudio devices: JACK on its dummy driver, and the monitor of a PulseAudio sink."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.audio.clock import StreamClock
from realtime.audio.device import DeviceSource
from realtime.audio.devices import find_device, list_devices, measure_level
from realtime.audio.source import Block
from realtime.errors import UserError
from tests.fixtures.jackplayer import PERIOD, jack_player
from tests.fixtures.sound import JackServer, PulseServer

RATE = 48_000


def collect(source: DeviceSource, seconds: float) -> list[Block]:
    """Blocks of a time, copied; the time begins when sound comes."""
    blocks = []
    already = source.status.frames
    until(source, lambda: source.status.frames > already, 10)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        block = source.read(4800)
        assert block is not None
        if len(block.samples) or block.lost:
            blocks.append(block._replace(samples=block.samples.copy()))
        source.wait(0.001)
    return blocks


def joined(blocks: list[Block]) -> np.ndarray:
    """All samples, after checking that the frames are numbered without holes."""
    expected = blocks[0].first - blocks[0].lost
    for block in blocks:
        assert block.first == expected + block.lost
        expected = block.first + len(block.samples)
    return np.concatenate([b.samples for b in blocks])


@pytest.mark.parametrize("python_callback", [False, True])
def test_records_what_another_jack_program_plays(jack_server: JackServer, python_callback: bool) -> None:
    with jack_player("deck"):
        source = DeviceSource("JACK: deck", python_callback=python_callback)
        source.open()
        try:
            assert (source.sample_rate, source.channels, source.live) == (RATE, 1, True)
            assert source.status.connected
            blocks = collect(source, 1.0)
        finally:
            source.close()
    x = joined(blocks)[:, 0]
    assert len(x) > 0.7 * RATE
    heard = x[np.argmax(x > 0) :]
    steps = np.round(np.diff(heard) * PERIOD).astype(int) % PERIOD
    # Every step is one frame on; a server on a busy machine may skip whole cycles.
    assert np.mean(steps == 1) > 0.95


def test_host_time_is_when_the_frame_came_in(jack_server: JackServer) -> None:
    with jack_player("deck") as deck:
        source = DeviceSource("deck")
        source.open()
        clock = StreamClock(RATE)
        try:
            blocks = collect(source, 1.0)
            errors = []
            for _ in range(8):
                played_from = deck.now()  # again and again: on a busy machine the server's frames fall behind
                blocks += collect(source, 0.2)
                for block in blocks:
                    clock.observe(block.first + len(block.samples), block.host_time)
                last = blocks[-1]
                blocks = []
                # The frames that a cycle hands out have come in during the cycle before.
                frame = round(float(last.samples[-1, 0]) * PERIOD) + 1 - jack_server.block
                end = (clock.host_time(last.first + len(last.samples)) - played_from) * RATE
                errors.append(abs((end - frame + PERIOD // 2) % PERIOD - PERIOD // 2) / RATE)
        finally:
            source.close()
    assert min(errors) < 0.003


def test_a_reader_that_sleeps_loses_nothing_up_to_two_seconds(jack_server: JackServer) -> None:
    with jack_player("deck"):
        source = DeviceSource("deck")
        source.open()
        try:
            collect(source, 0.3)
            time.sleep(1.0)
            late = collect(source, 0.3)
            assert sum(len(b.samples) for b in late) > 1.1 * RATE
            assert sum(b.lost for b in late) < 0.05 * RATE
        finally:
            source.close()


def test_a_full_ring_is_counted_and_recording_goes_on(jack_server: JackServer) -> None:
    with jack_player("deck"):
        source = DeviceSource("deck")
        source.open()
        try:
            collect(source, 0.3)
            begin = time.monotonic()
            time.sleep(4.0)
            blocks = collect(source, 0.5)
            missed = sum(b.lost for b in blocks)
            frames = sum(len(b.samples) for b in blocks) + missed
            assert missed > RATE
            assert frames / RATE == pytest.approx(time.monotonic() - begin, abs=0.15)
            assert source.status.lost == missed
            assert source.status.overruns >= 1
        finally:
            source.close()


def test_channels(jack_server: JackServer) -> None:
    with jack_player("desk", 4):
        whole = DeviceSource("JACK: desk")
        whole.open()
        assert whole.channels == 4
        whole.close()
        two = DeviceSource("JACK: desk", channels=2)
        two.open()
        assert collect(two, 0.2)[0].samples.shape[1] == 2
        two.close()
        with pytest.raises(UserError, match="has 4 channels, not 6"):
            DeviceSource("JACK: desk", channels=6).open()


def test_jack_at_another_rate_is_refused_in_one_line(jack_server: JackServer) -> None:
    with pytest.raises(UserError, match="does not run at 44100 Hz"):
        DeviceSource("JACK: system", sample_rate=44_100).open()


def test_unknown_device_names_the_nearest(jack_server: JackServer) -> None:
    with pytest.raises(UserError, match="there are: 'JACK: system'"):
        DeviceSource("JACK: sistem").open()


def test_the_list_is_not_frozen(jack_server: JackServer) -> None:
    assert "JACK: newcomer" not in [d.name for d in list_devices()]
    with jack_player("newcomer"):
        assert "JACK: newcomer" in [d.name for d in list_devices()]
        assert measure_level("JACK: newcomer", 0.3) > -10
    assert "JACK: newcomer" not in [d.name for d in list_devices()]
    assert measure_level("JACK: system", 0.2) == -120


def tone(path: Path, seconds: float, amplitude: float = 0.5) -> Path:
    t = np.arange(int(seconds * RATE)) / RATE
    soundfile.write(path, amplitude * np.sin(2 * np.pi * 1000 * t), RATE)
    return path


def test_pulse_monitors_are_listed_as_loopbacks(pulse_server: PulseServer) -> None:
    monitor = find_device(pulse_server.monitor, list_devices())
    assert monitor.loopback
    assert (monitor.api, monitor.sample_rate, monitor.channels) == ("PulseAudio", RATE, 2)
    assert find_device("stage.monitor", list_devices()) == monitor


def test_records_what_the_computer_plays(pulse_server: PulseServer, tmp_path: Path) -> None:
    source = DeviceSource("Monitor of Stage")
    source.open()
    collect(source, 0.1)
    playing = pulse_server.play(tone(tmp_path / "tone.wav", 1.0))
    try:
        assert source.name == pulse_server.monitor
        x = joined(collect(source, 1.6))[:, 0]
    finally:
        source.close()
        playing.wait(10)
    heard = x[np.abs(x) > 0.01]
    assert len(heard) > 0.9 * RATE
    assert np.abs(heard).max() == pytest.approx(0.5, abs=0.02)
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x))))
    assert np.argmax(spectrum) * RATE / len(x) == pytest.approx(1000, abs=3)


def test_a_device_that_goes_away_is_opened_again(pulse_server: PulseServer, tmp_path: Path) -> None:
    source = DeviceSource(pulse_server.monitor)
    source.open()
    try:
        before = collect(source, 0.5)[-1]
        frame, at = before.first + len(before.samples), before.host_time
        pulse_server.stop()
        until(source, lambda: not source.status.connected, 10)
        assert "has gone" in source.status.message
        pulse_server.start()
        until(source, lambda: source.status.reopened == 1, 20)
        assert source.status.connected
        playing = pulse_server.play(tone(tmp_path / "tone.wav", 1.5))
        after = collect(source, 1.5)
        playing.wait(10)
        assert np.abs(joined(after)).max() > 0.4
        last = after[-1]
        # The gap is in the count: stream time goes on as the clock did.
        elapsed = (last.first + len(last.samples) - frame) / RATE
        assert elapsed == pytest.approx(last.host_time - at, abs=0.1)
        assert source.status.lost > 0
    finally:
        source.close()


def until(source: DeviceSource, done: Callable[[], bool], seconds: float) -> None:
    """Read until something is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, source.status
        source.read(4800)
        source.wait(0.001)


_OUTLIVES_JACK = """
import sys, time
from realtime.audio.clock import StreamClock
from realtime.audio.device import DeviceSource
from realtime.errors import DeviceLost
source = DeviceSource("JACK: system")
source.open()
while source.status.frames < 4800:
    source.read(4800)
    time.sleep(0.001)
print("recording", flush=True)
try:
    while True:
        source.read(4800)
        time.sleep(0.001)
except DeviceLost as e:
    print(e, flush=True)
source.close()
"""


def test_a_jack_server_that_ends_is_reported_and_the_process_can_end() -> None:
    # PortAudio itself hangs for minutes in this case, and at exit; a server and a process of our own show that
    # the host does not.
    server = JackServer.named("dies")
    environment = os.environ | server.environment
    server.start()
    try:
        child = subprocess.Popen([sys.executable, "-c", _OUTLIVES_JACK], stdout=subprocess.PIPE, env=environment)
        assert child.stdout is not None
        assert child.stdout.readline() == b"recording\n"
        server.stop()
        assert b"must start anew" in child.stdout.readline()
        assert child.wait(10) == 0
        child.stdout.close()
    finally:
        server.stop()
