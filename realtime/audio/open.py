"""From what a user writes after ``--input`` to a sound input."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

from realtime.audio.source import Source
from realtime.audio.wav import PcmFormat
from realtime.errors import UserError
from realtime.preset import InputSettings

_SOUND_FILE = re.compile(r"\.(wave?|flac|og[ga]|opus|mp[34]|aif[fc]?|au|caf|w64|rf64|m4a|aac|wma)$", re.IGNORECASE)
_RAW = {"rate": 48_000, "channels": 2}


def open_source(
    settings: InputSettings,
    text: str = "",
    *,
    stdin: BinaryIO | None = None,
    paced: bool = True,
    start_at: float = 0.0,
) -> Source:
    """The source that `text` means; not opened yet. Channels and gain of `settings` are left to the host.

    Parameters
    ----------
    settings : InputSettings
        Of the preset: the device (where `text` is empty), its rate, block and channels.
    text : str
        A device's name, a file, ``demo``, ``-`` (WAV on standard input), or ``-,rate=48000,channels=2,dtype=s16``
        (raw samples there); empty: as `settings` say, else the system's default device.
    stdin : binary file, optional
        Where ``-`` reads from; default: standard input.
    paced : bool
        False: files and pipes as fast as they are read.
    start_at : float
        Seconds of a file (or the demo) to leave out, for going on after a restart.

    Raises
    ------
    UserError
        What the text means cannot be.
    """
    wanted = (text or settings.device).strip()
    if wanted == "demo":
        from realtime.audio.demo import DemoSource

        return DemoSource(paced, start_at)
    if wanted == "-" or wanted.startswith("-,"):
        from realtime.audio.pcm import PcmSource

        return PcmSource(_raw_format(wanted), stdin, paced)
    if _is_file(wanted):
        from realtime.audio.file import FileSource

        return FileSource(wanted, paced, start_at)
    from realtime.audio.device import DeviceSource

    channels = max(settings.channels, default=0)
    return DeviceSource(wanted, channels, settings.sample_rate, settings.block)


def _is_file(text: str) -> bool:
    if not text:
        return False
    path = Path(text)
    if path.is_file() or _SOUND_FILE.search(text):
        return True
    # "USB Audio: Line/Mic" is a device; "recordings/take1" is meant as a file.
    return ": " not in text and (path.is_dir() or text.startswith(("/", "./", "../", "~")))


def _raw_format(text: str) -> PcmFormat | None:
    """Format of raw samples as told after ``-,``; None for WAV."""
    if text == "-":
        return None
    numbers = dict(_RAW)
    dtype = "s16"
    for part in text[2:].split(","):
        key, _, value = part.strip().partition("=")
        if key == "dtype":
            dtype = value
        elif key in numbers and value.isdigit():
            numbers[key] = int(value)
        else:
            raise UserError(f"--input {text}: '{part.strip()}' is not rate=HZ, channels=N or dtype=FORMAT")
    return PcmFormat(numbers["rate"], numbers["channels"], dtype)
