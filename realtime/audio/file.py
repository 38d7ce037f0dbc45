"""Sound from a file, paced like a device or as fast as it is asked for."""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from realtime.audio.source import Block, Source
from realtime.audio.tape import is_session
from realtime.errors import UserError

_BLOCKS_PER_SECOND = 200
_DECODE = 4096
"""Frames decoded at once: seeking decoders (FLAC, MP3) cost far more in small steps."""
_MP3_PADDING = 4608
"""Frames by which the declared length of an MP3 may honestly differ (encoder delay and padding)."""


class FileSource(Source):
    """Everything that soundfile reads: WAV, FLAC, Ogg, MP3, AIFF …

    Parameters
    ----------
    path : str or Path
    paced : bool
        True: 5 ms blocks become readable when they are due by ``time.monotonic()``; a late reader finds them
        all, none is lost. False: as fast as asked, and ``host_time`` is a virtual clock that starts at 0.
    start_at : float
        Seconds of the file to leave out (frame 0 of the stream is the one after them).

    Attributes
    ----------
    duration : float
        Seconds of the whole file, known after :meth:`open`.
    """

    def __init__(self, path: str | Path, paced: bool = True, start_at: float = 0.0) -> None:
        super().__init__()
        self.path = Path(path)
        self.name = self.path.name
        self.live = paced
        self.duration = 0.0
        self._start_at = start_at
        self._file: soundfile.SoundFile | None = None
        self._position = 0
        self._start: float | None = None

    def open(self) -> None:
        """Open and check the file. Raises ``UserError``: missing, empty, truncated, not audio, rate 0."""
        self.close()
        file = open_sound_file(self.path)
        skipped = min(file.frames, round(self._start_at * file.samplerate))
        if skipped:
            file.seek(skipped)
        self._file = file
        self.sample_rate = file.samplerate
        self.channels = file.channels
        self.duration = file.frames / file.samplerate
        self.chosen = is_session(file)
        self._block = max(1, round(file.samplerate / _BLOCKS_PER_SECOND))
        self._decoded = np.zeros((_DECODE, file.channels), np.float32)
        self._decoded_from = self._decoded_to = self._position = 0
        self._end = file.frames - skipped
        self._start = None
        self.status.connected = True

    def read(self, most: int) -> Block | None:
        """What is due, at most `most` frames; None at the end. Raises ``UserError`` where it is damaged."""
        file = self._file
        if file is None:
            return None
        if self._position == self._decoded_to and self._position < self._end:
            self._decode(file)
        if self._position >= self._end:
            return None
        first = self._position
        at = first - self._decoded_from
        self._position = first + min(self._due(most), self._decoded_to - first)
        samples = self._decoded[at : self._position - self._decoded_from]
        self.status.frames = self._position
        begin = self._start or 0.0
        return Block(samples, first, 0, begin + self._position / self.sample_rate)

    def wait(self, timeout: float) -> None:
        """Sleep until the next block is due, at most `timeout` seconds."""
        if not self.live or self._start is None:
            return
        due = self._start + (self._position + self._block) / self.sample_rate
        delay = min(timeout, due - time.monotonic())
        if delay > 0:
            time.sleep(delay)

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self.status.connected = False

    def _due(self, most: int) -> int:
        """Frames to give now."""
        if not self.live:
            return most
        now = time.monotonic()
        if self._start is None:
            self._start = now
        due = int((now - self._start) * self.sample_rate) - self._position
        whole_blocks = due if due >= self._end - self._position else due - due % self._block
        return max(0, min(most, whole_blocks))

    def _decode(self, file: soundfile.SoundFile) -> None:
        """The next frames of the file; a short count is its end, within what MP3 headers get wrong."""
        try:
            count = len(file.read(_DECODE, dtype="float32", always_2d=True, out=self._decoded))
        except (soundfile.LibsndfileError, RuntimeError) as e:
            raise UserError(self._damaged()) from e
        self._decoded_from = self._decoded_to
        self._decoded_to += count
        if count < _DECODE and self._decoded_to < self._end:
            if self._end - self._decoded_to > _MP3_PADDING:
                raise UserError(self._damaged())
            self._end = self._decoded_to

    def _damaged(self) -> str:
        assert self._file is not None
        at = self._decoded_to / self.sample_rate
        return f"{self.path}: truncated or damaged after {at:.1f} s of {self.duration:.1f} s; export it again"


def open_sound_file(path: Path) -> soundfile.SoundFile:
    """A sound file that is there, whole, and has sound in it.

    Raises
    ------
    UserError
        Names what is wrong with it.
    """
    try:
        if path.is_dir():
            raise UserError(f"{path}: is a folder, not a sound file")
        size = path.stat().st_size
        if size == 0:
            raise UserError(f"{path}: empty file")
        with path.open("rb") as f:
            truncated = _truncated(f, size)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as e:
        raise UserError(f"{path}: cannot be read ({e.strerror})") from e
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as e:
        if truncated:
            raise UserError(f"{path}: truncated; copy or export it again") from e
        if _says_rate_zero(path):
            raise UserError(f"{path}: its header gives a sample rate of 0 Hz; export it again") from e
        raise UserError(f"{path}: not a sound file that can be read ({_reason(e)})") from e
    problem = ""
    if file.samplerate <= 0:
        problem = "its header gives a sample rate of 0 Hz; export it again"
    elif truncated or not _end_is_readable(file):
        problem = "truncated; copy or export it again"
    elif file.frames == 0:
        problem = "has no sound in it (0 frames)"
    if problem:
        file.close()
        raise UserError(f"{path}: {problem}")
    return file


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", None) or str(error)
    return str(text).strip().rstrip(".").removeprefix("Error : ")


def _truncated(f: BinaryIO, size: int) -> bool:
    """Whether the container itself shows that bytes are missing at the end."""
    head = f.read(12)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _wav_truncated(f, size)
    if head[:4] == b"FORM":
        return len(head) < 12 or struct.unpack(">I", head[4:8])[0] + 8 > size + 1
    if head[:4] == b"OggS":
        f.seek(max(0, size - 70_000))
        tail = f.read()
        at = tail.rfind(b"OggS")
        return at < 0 or not _last_ogg_page(tail[at:])
    return head[:4] == b"fLaC" and size < 42


def _last_ogg_page(page: bytes) -> bool:
    """Whether this is a whole page that carries the end-of-stream flag (RFC 3533, section 6)."""
    if len(page) < 27 or not page[5] & 4:
        return False
    segments = page[26]
    return len(page) >= 27 + segments + sum(page[27 : 27 + segments])


def _wav_truncated(f: BinaryIO, size: int) -> bool:
    while len(header := f.read(8)) == 8:
        length = struct.unpack("<I", header[4:])[0]
        if header[:4] == b"data":
            streamed = length == 0 or length >= 0x7FFF_F000  # writers that could not seek back
            return not streamed and f.tell() + length > size
        f.seek(length + (length & 1), 1)
    return True


def _end_is_readable(file: soundfile.SoundFile) -> bool:
    """Whether the last frame can be decoded; where that is as cheap as a seek."""
    if file.format != "FLAC" or file.frames == 0:
        return True
    try:
        file.seek(file.frames - 1)
        whole = len(file.read(1)) == 1
        file.seek(0)
    except (soundfile.LibsndfileError, RuntimeError):
        return False
    return whole


def _says_rate_zero(path: Path) -> bool:
    """Whether this is a WAV file whose format chunk gives 0 Hz."""
    with path.open("rb") as f:
        head = f.read(28)
    return head[8:16] == b"WAVEfmt " and head[24:28] == b"\0\0\0\0"
