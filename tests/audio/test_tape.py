"""The sound of a session on disk: whole, in place, bounded, and readable after a crash."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.audio import tape as tapes
from realtime.audio.file import FileSource
from realtime.audio.tape import Tape
from realtime.errors import UserError
from tests.fixtures.waiting import until

RATE = 48_000


def noise(frames: int, channels: int = 2) -> np.ndarray:
    steps = np.random.default_rng(1).integers(-8000, 8000, (frames, channels))
    return (steps / 32768).astype(np.float32)


def test_what_went_in_is_in_the_file(tmp_path: Path) -> None:
    sound = noise(3 * RATE)
    tape = Tape(tmp_path / "set.flac", RATE, 2, begins=1.5)
    for at in range(0, len(sound), 240):
        tape.write(sound[at : at + 240])
    assert tape.recording
    assert not tape.path.exists()
    tape.stop()
    tape.stop()
    assert not tape.part.exists()
    assert np.array_equal(soundfile.read(tape.path, dtype="float32")[0], sound)
    with soundfile.SoundFile(tape.path) as file:
        assert file.comment == "sidechain session; begins at 1.500000 s"
    source = FileSource(tape.path)
    source.open()
    assert source.chosen
    source.close()
    status = tape.status()
    assert (status["seconds"], status["dropped"], status["recording"]) == (3.0, 0, False)


def test_gaps_keep_the_place(tmp_path: Path) -> None:
    sound = noise(RATE)
    tape = Tape(tmp_path / "set.flac", RATE, 2)
    tape.write(sound)
    tape.gap(1000)
    tape.write(sound)
    until(lambda: tape.frames == 2 * RATE + 1000)
    tape.gap(20 * RATE)  # longer than the ring
    tape.write(sound)
    tape.stop()
    written = soundfile.read(tape.path, dtype="float32")[0]
    silence = np.zeros((1000, 2), np.float32)
    assert len(written) == 23 * RATE + 1000
    assert np.array_equal(written[: 2 * RATE + 1000], np.vstack([sound, silence, sound]))
    assert not written[2 * RATE + 1000 : -RATE].any()
    assert np.array_equal(written[-RATE:], sound)
    assert (tape.lost, tape.dropped) == (20 * RATE + 1000, 0)


def test_a_disk_that_stands_still_costs_silence_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tapes, "_SECONDS", 0.1)
    said: list[str] = []
    tape = Tape(tmp_path / "set.flac", RATE, 1, say=said.append)
    sound = noise(RATE, 1)
    tape.write(sound)  # ten times what the ring holds
    tape.stop()
    written = soundfile.read(tape.path, dtype="float32", always_2d=True)[0]
    assert len(written) == RATE
    assert tape.dropped == RATE - 8192
    assert not written[: tape.dropped].any()
    assert np.array_equal(written[tape.dropped :], sound[tape.dropped :])
    assert "too slow" in said[0]


def test_disk_use_is_bounded(tmp_path: Path) -> None:
    said: list[str] = []
    tape = Tape(tmp_path / "set.flac", RATE, 2, most_bytes=200_000, say=said.append)
    begun = time.monotonic()
    while tape.recording:
        tape.write(noise(4800))
        time.sleep(0.005)
        assert time.monotonic() - begun < 20.0
    tape.stop()
    assert 200_000 <= tape.path.stat().st_size < 20_000_000
    assert said == [f"recording of sound ended: {tape.path} has reached 0 MB"]
    tape.write(noise(4800))  # the lane may be at it still


def test_a_disk_that_is_almost_full_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tapes, "_LEAST_FREE", 1 << 62)
    said: list[str] = []
    tape = Tape(tmp_path / "set.flac", RATE, 2, say=said.append)
    tape.write(noise(4800))
    until(lambda: not tape.recording)
    tape.stop()
    assert "almost full" in said[0]
    assert soundfile.info(tape.path).frames == 4800


WRITER = """
import sys, time, numpy as np
from pathlib import Path
from realtime.audio.tape import Tape
sound = np.load(sys.argv[1])
tape = Tape(Path(sys.argv[2]), 48000, 2)
for at in range(0, len(sound), 4800):
    tape.write(sound[at : at + 4800])
while tape.frames < len(sound) or not tape.bytes:
    time.sleep(0.01)
time.sleep(1.2)
print("written", flush=True)
time.sleep(60)
"""


def test_a_crash_leaves_a_file_that_reads(tmp_path: Path) -> None:
    sound = noise(5 * RATE)
    np.save(tmp_path / "sound.npy", sound)
    command = [sys.executable, "-c", WRITER, str(tmp_path / "sound.npy"), str(tmp_path / "set.flac")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.kill()
    part = tmp_path / "set.part.flac"
    assert not (tmp_path / "set.flac").exists()
    source = FileSource(part, paced=False)
    source.open()
    assert source.duration > 4.9
    pieces = []
    while (block := source.read(1 << 16)) is not None:
        pieces.append(block.samples.copy())
    read = np.concatenate(pieces)
    assert np.array_equal(read, sound[: len(read)])


def test_what_was_there_is_kept_aside(tmp_path: Path) -> None:
    (tmp_path / "set.flac").write_bytes(b"mine")
    Tape(tmp_path / "set.flac", RATE, 1).stop()
    assert (tmp_path / "set.flac.bak").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: Tape(folder / "no" / "x.flac", RATE, 2), "does not exist"),
        (lambda folder: Tape(folder / "x.wav", RATE, 2), "ending .flac"),
        (lambda folder: Tape(folder / "x.flac", RATE, 18), "8 channels"),
        (lambda folder: Tape(folder / ("x" * 300 + ".flac"), RATE, 2), "cannot be written"),
    ],
)
def test_what_cannot_be_recorded_is_one_line(make: Callable[[Path], Tape], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        make(tmp_path)
    assert list(tmp_path.iterdir()) == []
