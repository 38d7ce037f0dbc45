"""Another program plays, the host listens through PortAudio, a third program receives: beats on time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from realtime.audio.demo import FOLDER, demo_truth
from realtime.cli.main import main
from realtime.outputs import eventfile
from tests.fixtures.osc import OscReceiver, osc_receiver
from tests.fixtures.sound import PulseServer
from tests.fixtures.waiting import until

pytestmark = pytest.mark.device

__all__ = ["osc_receiver"]

RATE = 48_000
CLICK_AT = 0.5
MUSIC_AT = 1.5
MUSIC_SECONDS = 22.0
SETTLED = 10.0
WITHIN = 0.025
"""Seconds by which the median beat may be off."""


Sound = npt.NDArray[np.float32]
SNIPPET, REACH = 16_384, 9_600
"""Frames that are looked for, and how far to both sides: less than half a beat."""
NEAR = 1.0
"""Seconds to both sides within which the least late chunk is looked for."""
SURE = 0.7
"""Correlation above which a place counts as found; less where a hold-up has torn it."""


def where(piece: Sound, places: Sequence[float], heard: Sound) -> np.ndarray:
    """Seconds of a recording at which places (s) of the piece are heard; NaN for those that are not, or torn.

    Each is looked for by itself, near where the last one was: a player or a server that was held up plays on
    later, and what comes after is not where a clock that began with the click would have it.
    """
    click = int(np.argmax(np.abs(heard) > 0.5))
    assert abs(heard[click]) > 0.5
    offset, found = click - round(CLICK_AT * RATE), []
    for place in places:
        at = round(place * RATE)
        begin = max(0, at + offset - REACH)
        seen = _place(heard[begin : at + offset + SNIPPET + REACH], piece[at : at + SNIPPET])
        if seen is not None:
            offset = begin - at + seen
        found.append((at + offset) / RATE if seen is not None else np.nan)
    return np.array(found)


def _place(heard: Sound, wanted: Sound) -> int | None:
    """Frame of `heard` from which it is most like `wanted` (normalised cross-correlation), if it is at all."""
    size = 1 << (len(heard) + len(wanted)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size))
    likeness = np.fft.irfft(spectrum, size)[: len(heard) - len(wanted) + 1]
    total = np.concatenate([[0.0], np.cumsum(np.square(heard, dtype=np.float64))])
    loud = np.sqrt(np.maximum(total[len(wanted) :] - total[: -len(wanted)], 1e-9))
    likeness /= loud * np.sqrt(np.sum(np.square(wanted, dtype=np.float64)))
    best = int(np.argmax(likeness))
    return best if likeness[best] > SURE else None


class Witness:
    """Records the monitor with PulseAudio's own program and notes when each piece came."""

    def __init__(self, server: PulseServer) -> None:
        command = ["parec", f"--device={server.sink}.monitor", "--format=float32le", "--channels=1"]
        command += [f"--rate={RATE}", "--latency-msec=5", "--raw"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | server.environment)
        self._pieces: list[tuple[float, bytes]] = []
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while piece := os.read(descriptor, 1 << 16):
            self._pieces.append((time.monotonic(), piece))

    @property
    def hears(self) -> bool:
        return len(self._pieces) > 3

    def heard(self, piece: Sound, places: Sequence[float]) -> np.ndarray:
        """``time.monotonic()`` at which these places (s) of the piece were played.

        The clock of the recording is that of the chunks that came with the least delay within a second or so.
        """
        sound = np.frombuffer(b"".join(p for _, p in self._pieces), np.float32)
        arrived = np.array([at for at, _ in self._pieces])
        counted = np.cumsum([len(p) // 4 for _, p in self._pieces]) / RATE
        late = arrived - counted
        found = where(piece, places, sound)
        return np.array([t + late[np.abs(counted - t) < NEAR].min() if t == t else t for t in found])

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()


@pytest.fixture
def witness(pulse_server: PulseServer) -> Iterator[Witness]:
    found = Witness(pulse_server)
    yield found
    found.stop()


@pytest.fixture
def piece(tmp_path: Path) -> Path:
    """A click, then the beginning of the demo."""
    music, rate = soundfile.read(FOLDER / "demo.ogg", dtype="float32", stop=int(MUSIC_SECONDS * RATE))
    assert rate == RATE
    sound = np.zeros((int(MUSIC_AT * RATE) + len(music), 2), np.float32)
    sound[int(CLICK_AT * RATE)] = 0.9
    sound[int(MUSIC_AT * RATE) :] = 0.8 * music
    path = tmp_path / "piece.wav"
    soundfile.write(path, sound, RATE)
    return path


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def nearest(found: Sequence[float], truth: np.ndarray) -> np.ndarray:
    """Seconds from each true beat to the nearest that was found, where one is within half a beat."""
    all_found = np.array(found)
    off = np.array([all_found[np.argmin(np.abs(all_found - t))] - t for t in truth[np.isfinite(truth)]])
    return off[np.abs(off) < 0.24]


def test_beats_arrive_with_the_beats_in_the_sound(
    pulse_server: PulseServer, witness: Witness, piece: Path, osc_receiver: OscReceiver, tmp_path: Path
) -> None:
    dump, port = tmp_path / "dump.txt", free_port()
    with dump.open("w") as text:
        oscdump = subprocess.Popen(["oscdump", "-L", str(port)], stdout=text, stderr=subprocess.STDOUT)
    command = [sys.executable, "-m", "realtime.cli.main", "live", "--input", pulse_server.monitor, "--no-ui"]
    command += ["--preset", "dj", "--osc", osc_receiver.target, "--osc", f"127.0.0.1:{port}"]
    command += ["--record", str(tmp_path / "host.jsonl"), "--record-audio"]
    command += ["--osc-in", "off", "--websocket", "off", "--seconds", "300"]
    host = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: host.poll() is not None or (osc_receiver.messages and witness.hears), 60.0)
        assert host.poll() is None, host.communicate()[1]
        player = pulse_server.play(piece)
        assert player.wait(60) == 0
        host.terminate()
        _, err = host.communicate(timeout=30)
        assert host.returncode == 0, err
    finally:
        host.kill()
        host.wait()
        oscdump.terminate()
        oscdump.wait()
    sound = soundfile.read(piece, dtype="float32")[0][:, 0]
    places = [MUSIC_AT + b for b in demo_truth().beats if SETTLED < b < MUSIC_SECONDS - 1.0]
    own, rate = soundfile.read(tmp_path / "host.flac", dtype="float32", always_2d=True)
    assert rate == RATE
    played, in_stream = witness.heard(sound, places), where(sound, places, own.mean(axis=1))
    beats = [m.at for m in osc_receiver.named("/sidechain/beat") if m.arguments[0] == 1.0]
    told = [e.time for e in eventfile.read(tmp_path / "host.jsonl") if e.name == "beat.beat"]
    # By the clock of who listens to the sink, and by the host's own count of what it heard.
    slipped = 1e3 * np.ptp((played - places)[np.isfinite(played)])
    print(f"\nthe player was held up by {slipped:.0f} ms in all; milliseconds late, p10, median, p90:")
    for name, late in (("packets", nearest(beats, played)), ("their announced times", nearest(told, in_stream))):
        print(
            f"{name:22}", *(f"{1e3 * x:8.1f}" for x in np.percentile(late, (10, 50, 90))), f" of {len(late)} beats"
        )
        assert len(late) >= 0.6 * len(places), name
        assert abs(np.median(late)) < WITHIN, name
    assert dump.read_text().count("/sidechain/beat f 1.0") >= 0.8 * len(places)


def test_latency_is_measured_through_jack(jack_server: object, tmp_path: Path) -> None:
    out = tmp_path / "latency.json"
    assert main(["bench", "latency", "--through", "jack", "--count", "8", "--json", str(out)]) == 0
    assert out.stat().st_size > 0
