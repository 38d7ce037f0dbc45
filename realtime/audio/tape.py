"""The sound of a session, as FLAC: copied by the fast lane into a ring, written by a thread of its own.

The file grows as ``NAME.part.flac`` and gets its name at the end. Its header is kept true while it grows, so after
a crash the part file is a whole FLAC file up to the last second.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from realtime.audio.ring import AudioRing
from realtime.errors import UserError

F32 = npt.NDArray[np.float32]

MARK = "sidechain session"
"""Comment that tells a recorded session from other files: its channels are chosen already."""

_SECONDS = 10.0
"""Seconds of sound for which the disk may stand still."""
_EVERY = 0.5
_CHUNK = 1 << 15
_FLAC_BLOCK = 4096
_MOST_CHANNELS = 8
_LEAST_FREE = 256 << 20
"""Bytes of the disk that are left free."""


class Tape:
    """Records sound to a FLAC file of 24 bits.

    Parameters
    ----------
    path : Path
        File to write, ending in ``.flac``; one that is there already is kept as ``NAME.flac.bak``.
    sample_rate, channels : int
        Of the sound; at most 8 channels.
    begins : float
        Stream seconds of its first frame, noted in the file.
    most_bytes : int
        Size at which recording ends by itself (the file is finished and kept).
    say : callable, optional
        Told in one line what the user should know; on the tape's thread.

    Raises
    ------
    UserError
        The file cannot be written, or FLAC cannot hold so many channels.

    Notes
    -----
    `write` and `gap` belong to the fast lane: they copy, and never wait. `stop` may be called from any thread.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        channels: int,
        *,
        begins: float = 0.0,
        most_bytes: int = 8 << 30,
        say: Callable[[str], None] | None = None,
    ) -> None:
        check_path(path)
        if channels > _MOST_CHANNELS:
            raise UserError(
                f"recording {path}: FLAC holds {_MOST_CHANNELS} channels, the input has {channels}; "
                "choose some with --channels or [input] channels"
            )
        self.path, self.begins = path, begins
        self.part = path.with_name(f"{path.stem}.part.flac")
        self.lost = self.dropped = self.frames = self.bytes = 0
        self.message = ""
        self._rate, self._channels = sample_rate, channels
        self._most, self._say = most_bytes, say
        self._ring = AudioRing(round(_SECONDS * sample_rate), channels)
        self._reader = self._ring.reader()
        self._silence = np.zeros((1, channels), np.float32)
        self._last_gap = (0, 0)
        self._stopping = threading.Event()
        try:
            self._file = soundfile.SoundFile(
                self.part, "w", samplerate=sample_rate, channels=channels, format="FLAC", subtype="PCM_24"
            )
        except (soundfile.LibsndfileError, RuntimeError) as e:
            raise UserError(f"recording {path}: cannot be written ({e})") from e
        self._file.comment = f"{MARK}; begins at {begins:.6f} s"
        self._thread = threading.Thread(target=self._run, name="tape")
        self._thread.start()

    # -- fast lane ----------------------------------------------------------------------------------------

    def write(self, samples: F32) -> None:
        """Take sound in, shape (n, channels)."""
        self._ring.write(samples)

    def gap(self, frames: int) -> None:
        """Sound is missing at the input: silence stands for it, so that places in the file stay stream time."""
        self.lost += frames
        written = self._ring.written
        self._last_gap = (written, written + frames)
        self._ring.write(np.broadcast_to(self._silence, (frames, self._channels)))

    # -- anybody ------------------------------------------------------------------------------------------

    @property
    def recording(self) -> bool:
        """Whether it still takes sound."""
        return self._thread.is_alive() and not self._stopping.is_set()

    def stop(self) -> None:
        """Write what is left and give the file its name; may be called twice."""
        self._stopping.set()
        self._thread.join()

    def status(self) -> dict[str, Any]:
        """State of the recording, as plain data."""
        return {
            "path": str(self.path),
            "recording": self.recording,
            "begins": self.begins,
            "seconds": self.frames / self._rate,
            "bytes": self.bytes,
            "lost": self.lost,
            "dropped": self.dropped,
            "message": self.message,
        }

    # -- its own thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            try:
                self._record()
            finally:
                self._file.close()
            if self.path.exists():
                os.replace(self.path, self.path.with_name(self.path.name + ".bak"))
            os.replace(self.part, self.path)
        except (OSError, soundfile.LibsndfileError, RuntimeError) as e:  # the disk is full or gone
            self._note(f"recording of sound ended: {self.part}: {e}; what was written until then is kept there")

    def _record(self) -> None:
        with self.part.open("r+b") as header:
            while True:
                stopping = self._stopping.wait(_EVERY)
                self._drain()
                # The encoder hands out a block once it has seen the sample after it.
                _declare(header, max(0, self.frames - 1) // _FLAC_BLOCK * _FLAC_BLOCK)
                self.bytes = self.part.stat().st_size
                if stopping or not self._within():
                    return

    def _drain(self) -> None:
        while self._reader.position < self._ring.written:
            view = self._reader.read(_CHUNK)
            self._fill(view.first - view.lost, view.first)
            samples = view.samples.copy()
            if not self._reader.valid(view):
                samples[:] = 0.0  # overwritten while it was copied
                self._drop(len(samples))
            self._file.write(samples)
            self.frames += len(samples)

    def _fill(self, begin: int, end: int) -> None:
        """Silence for what the ring has lost, of which a gap of the input was silent anyway."""
        frames = end - begin
        silent_from, silent_to = self._last_gap
        silent = max(0, min(end, silent_to) - max(begin, silent_from))
        if frames > silent:
            self._drop(frames - silent)
        while frames:
            n = min(frames, _CHUNK)
            self._file.write(np.zeros((n, self._channels), np.float32))
            self.frames += n
            frames -= n

    def _drop(self, frames: int) -> None:
        self.dropped += frames
        self._note(
            f"recording of sound: the disk was too slow, {self.dropped / self._rate:.2f} s are silent in it"
        )

    def _within(self) -> bool:
        if self.bytes >= self._most:
            self._note(f"recording of sound ended: {self.path} has reached {self._most / 1e6:.0f} MB")
            return False
        if shutil.disk_usage(self.part.parent).free < _LEAST_FREE:
            self._note(f"recording of sound ended: the disk of {self.path} is almost full")
            return False
        return True

    def _note(self, text: str) -> None:
        self.message = text
        if self._say is not None:
            with contextlib.suppress(Exception):
                self._say(text)


def check_path(path: Path) -> None:
    """Raises ``UserError`` if sound cannot be recorded to `path`."""
    if path.suffix.lower() != ".flac":
        raise UserError(f"recording {path}: sound is written as FLAC; give it the ending .flac")
    try:
        wrong = path.is_dir() or not path.parent.is_dir()
    except OSError as e:
        raise UserError(f"recording {path}: cannot be written ({e.strerror})") from e
    if wrong:
        raise UserError(f"recording {path}: the folder {path.parent} does not exist, or this is one itself")


def is_session(file: soundfile.SoundFile) -> bool:
    """Whether a sound file was recorded by a :class:`Tape`."""
    return file.format == "FLAC" and str(file.comment or "").startswith(MARK)


def _declare(header: Any, frames: int) -> None:
    """Write the number of frames into the header of a FLAC file that is being written.

    The 36 lowest of the 64 bits at byte 18: STREAMINFO (RFC 9639, section 8.2) is the first block of every file.
    """
    header.seek(18)
    word = header.read(8)
    if len(word) == 8:
        header.seek(18)
        header.write((int.from_bytes(word, "big") >> 36 << 36 | frames).to_bytes(8, "big"))
        header.flush()
