"""Files: every frame once, on time, and each kind of bad file in one clear line."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from realtime.audio.channels import ChannelMap, mix_down
from realtime.audio.file import FileSource
from realtime.audio.source import Source
from realtime.errors import UserError


def noise(seconds: float = 0.5, rate: int = 48_000, channels: int = 2) -> np.ndarray:
    random = np.random.default_rng(0)
    return (0.1 * random.standard_normal((int(seconds * rate), channels))).astype(np.float32)


def read_all(source: Source, most: int) -> np.ndarray:
    parts, expected = [], 0
    while (block := source.read(most)) is not None:
        assert block.first == expected
        assert block.lost == 0
        assert len(block.samples) <= most
        expected += len(block.samples)
        parts.append(block.samples.copy())
        source.wait(0.05)
    return np.concatenate(parts)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3", "aiff", "w64"])
@pytest.mark.parametrize("most", [240, 5000])
def test_reads_all_of_every_format(tmp_path: Path, extension: str, most: int) -> None:
    path = tmp_path / f"x.{extension}"
    soundfile.write(path, noise(), 48_000)
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0]
    source = FileSource(path, paced=False)
    source.open()
    assert not source.live
    assert np.array_equal(read_all(source, most), expected)
    assert source.read(100) is None
    source.close()
    source.close()


def test_paced_by_the_clock(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, noise(0.4, 44_100), 44_100)
    source = FileSource(path)
    source.open()
    begin = time.monotonic()
    first_frame_at, frames = None, 0
    while (block := source.read(4096)) is not None:
        frames += len(block.samples)
        if len(block.samples):
            first_frame_at = first_frame_at or block.host_time - len(block.samples) / 44_100
            assert block.host_time <= time.monotonic()
            assert block.host_time == pytest.approx(first_frame_at + frames / 44_100, abs=1e-6)
        source.wait(0.02)
    assert frames == int(0.4 * 44_100)
    assert time.monotonic() - begin >= 0.399


def test_a_late_reader_of_a_paced_file_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, noise(0.3), 48_000)
    source = FileSource(path)
    source.open()
    source.read(1)
    time.sleep(0.3)
    assert len(read_all(source, 100_000)) == 14_400


def test_starting_inside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    soundfile.write(path, noise(), 48_000)
    whole = soundfile.read(path, dtype="float32", always_2d=True)[0]
    source = FileSource(path, paced=False, start_at=0.125)
    source.open()
    assert np.array_equal(read_all(source, 4096), whole[6000:])
    late = FileSource(path, paced=False, start_at=10)
    late.open()
    assert late.read(100) is None


def test_channels_and_gain() -> None:
    x = noise(0.1, channels=4)
    chosen = ChannelMap(4, [3, 1], 20.0)
    assert chosen.channels == 2
    assert np.allclose(chosen.apply(x), 10 * x[:, [2, 0]])
    with pytest.raises(UserError, match="it has channels 1 to 4"):
        ChannelMap(4, [5], origin="it")


@given(st.integers(1, 5), st.integers(1, 50))
def test_mix_down_is_the_mean_and_row_by_row(channels: int, n: int) -> None:
    x = np.random.default_rng(n).standard_normal((n, channels)).astype(np.float32)
    mixed = mix_down(x)
    assert np.allclose(mixed, x.mean(axis=1), atol=1e-6)
    assert all(mix_down(x[i : i + 1])[0] == mixed[i] for i in range(n))


def test_all_channels_in_order_change_nothing() -> None:
    x = np.ones((3, 2), np.float32)
    assert ChannelMap(2, [1, 2]).apply(x) is x


def encoded(tmp_path: Path, extension: str) -> bytes:
    path = tmp_path / f"whole.{extension}"
    soundfile.write(path, noise(1.0), 48_000)
    return path.read_bytes()


def play(source: Source) -> None:
    source.open()
    read_all(source, 4096)


def failure(path: Path) -> str:
    """The error of opening and reading `path` to its end."""
    source = FileSource(path, paced=False)
    with pytest.raises(UserError) as caught:
        play(source)
    source.close()
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3", "aiff"])
@pytest.mark.parametrize("part", [0.002, 0.3, 0.9])
def test_truncated(tmp_path: Path, extension: str, part: float) -> None:
    data = encoded(tmp_path, extension)
    path = tmp_path / f"cut.{extension}"
    path.write_bytes(data[: int(len(data) * part)])
    text = failure(path)
    assert "truncated" in text or (part < 0.01 and "not a sound file" in text)


def test_missing_empty_folder_text_and_no_frames(tmp_path: Path) -> None:
    assert "no such file" in failure(tmp_path / "nowhere.wav")
    empty = tmp_path / "empty.wav"
    empty.write_bytes(b"")
    assert "empty file" in failure(empty)
    assert "folder" in failure(tmp_path)
    text = tmp_path / "text.wav"
    text.write_text("these are words, not sound\n" * 50)
    assert "not a sound file" in failure(text)
    silent = tmp_path / "none.wav"
    soundfile.write(silent, noise()[:0], 48_000)
    assert "0 frames" in failure(silent)
    raw = tmp_path / "x.raw"
    raw.write_bytes(bytes(1000))
    assert "not a sound file" in failure(raw)


def test_sample_rate_zero(tmp_path: Path) -> None:
    data = bytearray(encoded(tmp_path, "wav"))
    data[24:28] = bytes(4)
    path = tmp_path / "zero.wav"
    path.write_bytes(data)
    assert "sample rate of 0" in failure(path)


def test_a_wav_whose_writer_could_not_seek_back_is_whole(tmp_path: Path) -> None:
    data = bytearray(encoded(tmp_path, "wav"))
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 0xFFFF_FFFF)
    data[4:8] = struct.pack("<I", 0xFFFF_FFFF)
    path = tmp_path / "streamed.wav"
    path.write_bytes(data)
    source = FileSource(path, paced=False)
    source.open()
    assert len(read_all(source, 4096)) == 48_000
