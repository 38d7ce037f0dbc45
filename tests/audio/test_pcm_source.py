"""Pipes: WAV and raw samples in any pieces, at their own pace, nothing lost."""

from __future__ import annotations

import io
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.pcm import PcmSource
from realtime.audio.wav import BYTES, PcmFormat, read_header
from realtime.errors import UserError


@contextmanager
def pipe(data: bytes, pieces: int = 4096, pause: float = 0.0) -> Iterator[BinaryIO]:
    """A pipe into which another thread writes `data` bit by bit and which it then closes."""
    out, into = os.pipe()

    def feed() -> None:
        try:
            for at in range(0, len(data), pieces):
                os.write(into, data[at : at + pieces])
                time.sleep(pause)
        except BrokenPipeError:
            pass
        finally:
            os.close(into)

    writer = threading.Thread(target=feed)
    writer.start()
    with os.fdopen(out, "rb", buffering=0) as stream:
        yield stream
    writer.join(10)


def wav(samples: np.ndarray, rate: int = 48_000, subtype: str = "PCM_16") -> bytes:
    memory = io.BytesIO()
    soundfile.write(memory, samples, rate, format="WAV", subtype=subtype)
    return memory.getvalue()


def drain(source: PcmSource, most: int = 1000) -> np.ndarray:
    parts, expected = [np.zeros((0, source.channels), np.float32)], 0
    while (block := source.read(most)) is not None:
        assert (block.first, block.lost) == (expected, 0)
        expected += len(block.samples)
        parts.append(block.samples.copy())
        source.wait(0.01)
    return np.concatenate(parts)


def ramp(n: int, channels: int = 2) -> np.ndarray:
    return (np.arange(n * channels).reshape(n, channels) % 20_000 / 32_768 - 0.3).astype(np.float32)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("pieces", [7, 4096])
def test_wav_formats(subtype: str, pieces: int) -> None:
    data = wav(ramp(2000), subtype=subtype)
    expected = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)[0]
    with pipe(data, pieces) as stream:
        source = PcmSource(stream=stream, paced=False)
        source.open()
        assert (source.sample_rate, source.channels) == (48_000, 2)
        assert np.allclose(drain(source), expected, atol=1e-7)
        source.close()


def test_a_fast_pipe_is_slowed_to_real_time_and_loses_nothing() -> None:
    seconds = 1.2
    samples = ramp(int(48_000 * seconds), 1)
    with pipe(wav(samples), 1 << 16) as stream:
        source = PcmSource(stream=stream)
        source.open()
        begin = time.monotonic()
        got = drain(source, 4096)
        took = time.monotonic() - begin
        source.close()
    assert np.allclose(got, samples, atol=1e-4)
    assert seconds - 0.6 < took < seconds + 1.0


def test_a_live_pipe_is_read_at_once() -> None:
    samples = ramp(24_000, 1)
    with pipe(wav(samples), 960, 0.01) as stream:
        source = PcmSource(stream=stream)
        source.open()
        while (block := source.read(100_000)) is not None:
            assert block.host_time <= time.monotonic()
            source.wait(0.05)
            assert source._reader.available <= 4800
        source.close()


def test_raw_samples_as_told() -> None:
    samples = ramp(3000, 2)
    data = (samples * 32_768).astype("<i2").tobytes() + b"\x01"  # a torn last frame
    with pipe(data, 333) as stream:
        source = PcmSource(PcmFormat(44_100, 2, "s16"), stream, paced=False)
        source.open()
        assert source.sample_rate == 44_100
        assert np.allclose(drain(source), samples, atol=1e-4)
        source.close()


@settings(max_examples=30, deadline=None)
@given(dtype=st.sampled_from(sorted(BYTES)), channels=st.integers(1, 4), n=st.integers(0, 100))
def test_decoding_is_within_one_step(dtype: str, channels: int, n: int) -> None:
    x = np.random.default_rng(n).uniform(-0.9, 0.9, (n, channels))
    scale = {"u8": 128, "s16": 2**15, "s24": 2**23, "s32": 2**31}.get(dtype)
    if scale is None:
        data = x.astype("<f4" if dtype == "f32" else "<f8").tobytes()
    elif dtype == "u8":
        data = (np.round(x * 128) + 128).astype(np.uint8).tobytes()
    elif dtype == "s24":
        wide = np.round(x * scale).astype("<i4").reshape(-1, 1).view(np.uint8)
        data = wide.reshape(-1, 4)[:, :3].tobytes()
    else:
        data = np.round(x * scale).astype(f"<i{BYTES[dtype]}").tobytes()
    decoded = PcmFormat(48_000, channels, dtype).decode(data)
    assert decoded.shape == x.shape
    assert np.allclose(decoded, x, atol=1 / (scale or 1e6))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_header_or_a_clear_error(data: bytes) -> None:
    for start in (b"", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0"):
        stream = io.BytesIO(start + data)
        with suppress(UserError):
            form, limit = read_header(stream.read)
            assert form.sample_rate > 0
            assert limit is None or limit > 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"fLaC" + bytes(100), "FLAC cannot be read from a pipe"),
        (b"hello there, this is text", "not WAV"),
        (wav(ramp(10))[:30], "damaged WAV header"),
        (wav(ramp(10))[:24] + bytes(4) + wav(ramp(10))[28:], "sample rate 0"),
    ],
)
def test_bad_input_is_one_line(data: bytes, words: str) -> None:
    with pipe(data) as stream:
        source = PcmSource(stream=stream)
        with pytest.raises(UserError, match=words):
            source.open()
        source.close()


def test_closing_while_the_pipe_is_silent() -> None:
    out, into = os.pipe()
    header = wav(ramp(10))
    at = header.index(b"data") + 4
    os.write(into, header[:at] + struct.pack("<I", 0xFFFF_FFFF))
    with os.fdopen(out, "rb", buffering=0) as stream:
        source = PcmSource(stream=stream)
        source.open()
        block = source.read(100)
        assert block is not None
        assert len(block.samples) == 0
        begin = time.monotonic()
        source.close()
        assert time.monotonic() - begin < 0.4
        assert source.read(100) is None
    os.close(into)
