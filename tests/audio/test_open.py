"""What the user writes becomes the source that is meant."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.audio.demo import DemoSource
from realtime.audio.device import DeviceSource
from realtime.audio.file import FileSource
from realtime.audio.open import open_source
from realtime.audio.pcm import PcmSource
from realtime.errors import UserError
from realtime.preset import InputSettings


def test_each_kind(tmp_path: Path) -> None:
    settings = InputSettings()
    file = tmp_path / "take one"
    soundfile.write(file, np.zeros(100), 48_000, format="WAV")
    assert isinstance(open_source(settings, "demo"), DemoSource)
    assert isinstance(open_source(settings, str(file)), FileSource)
    assert isinstance(open_source(settings, "nowhere.flac"), FileSource)
    assert isinstance(open_source(settings, "/nowhere/else"), FileSource)
    assert isinstance(open_source(settings, "-"), PcmSource)
    for device in ("", "JACK: system", "USB Audio: Line/Mic", "hw"):
        assert isinstance(open_source(settings, device), DeviceSource)
    assert isinstance(open_source(InputSettings(device="demo")), DemoSource)
    assert not open_source(settings, "demo", paced=False).live


def test_raw_samples_on_standard_input() -> None:
    stream = io.BytesIO(np.zeros((100, 2), "<f4").tobytes())
    source = open_source(InputSettings(), "-,rate=44100,dtype=f32", stdin=stream)
    source.open()
    assert (source.sample_rate, source.channels) == (44_100, 2)
    source.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-,rate=0", "sample rate 0"),
        ("-,rate=x", "'rate=x' is not"),
        ("-,format=s16", "'format=s16' is not"),
        ("-,dtype=s12", "unknown sample format 's12'"),
        ("-,channels=0", "0 channels"),
    ],
)
def test_wrong_raw_formats(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        open_source(InputSettings(), text)


def test_a_missing_file_says_so() -> None:
    with pytest.raises(UserError, match="no such file"):
        open_source(InputSettings(), "nowhere.flac").open()
